import heapq
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import SourceUnavailable, UsageError
from storage.rate_limit import RateLimiter
from storage.retry import PassingFault, Pauses, Retrier
from storage.source import SourceTraffic


class Time:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 1000.0
        self.slept = []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class Network(Time):
    """The same, with requests on their way that are answered as time goes by."""

    def __init__(self):
        super().__init__()
        self.under_way = []

    def send(self, slot, seconds):
        heapq.heappush(self.under_way, (self.now + seconds, id(slot), slot))

    def sleep(self, seconds):
        until = self.now + seconds
        while self.under_way and self.under_way[0][0] <= until:
            self.now, _, slot = heapq.heappop(self.under_way)
            slot.answered()
        self.now = until


@given(
    rate=st.floats(0.2, 200),
    # Seconds until the next request is wanted, until it arrives, and from there to its answer.
    requests=st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.0, 0.01, 0.3, 2.0]), st.floats(0, 1.5), st.floats(0, 0.5)
        ),
        min_size=1,
        max_size=150,
    ),
)
def test_no_second_at_the_service_holds_more_requests_than_the_rate(rate, requests):
    network = Network()
    limiter = RateLimiter(rate, network.clock, network.sleep)
    arrived = []
    for pause, there, back in requests:
        network.sleep(pause)
        slot = limiter.acquire()
        arrived.append(network.now + there)
        network.send(slot, there + back)
    for start in arrived:
        assert sum(start <= at < start + 1 for at in arrived) <= max(1, int(rate))


def test_answers_that_come_soon_cost_little_of_the_rate():
    network = Network()
    limiter = RateLimiter(35, network.clock, network.sleep)
    for _ in range(350):
        network.send(limiter.acquire(), 0.05)
    assert 350 / (network.now - 1000) > 33


def test_an_answer_that_is_told_twice_counts_once():
    manual = Time()
    limiter = RateLimiter(1, manual.clock, manual.sleep)
    for _ in range(5):
        slot = limiter.acquire()
        slot.answered()
        slot.answered()
    assert manual.now == pytest.approx(1004)


def test_a_service_that_asks_for_a_pause_gets_it_from_everybody():
    manual = Time()
    limiter = RateLimiter(100, manual.clock, manual.sleep)
    limiter.throttled(5)
    assert limiter.acquire().waited == pytest.approx(5)


def test_a_service_that_throttles_is_asked_less_often_until_it_takes_requests_again():
    manual = Time()
    limiter = RateLimiter(64, manual.clock, manual.sleep)
    for _ in range(8):
        # All that was under way is refused: that is one sign, not eight.
        limiter.throttled(0)
    assert limiter.rate == pytest.approx(64 * 0.7)
    for _ in range(20):
        manual.now += 1.5
        limiter.throttled(0)
    assert limiter.rate == pytest.approx(4)
    for expected in (5, 6, 7):
        limiter.accepted()
        assert limiter.rate == pytest.approx(expected)
    for _ in range(100):
        limiter.accepted()
    assert limiter.rate == 64


def test_many_threads_together_keep_the_rate():
    limiter = RateLimiter(200)
    done = []

    def work():
        for _ in range(10):
            limiter.acquire().answered()
            done.append(1)

    started = time.monotonic()
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 80
    assert time.monotonic() - started >= 78 / 200


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(UsageError, match="max-requests-per-second"):
        RateLimiter(rate)


def _retrier(manual, uniform=lambda: 1.0, rate=1e9):
    limiter = RateLimiter(rate, manual.clock, manual.sleep)
    traffic = SourceTraffic()
    pauses = Pauses(first=1, longest=8)
    return Retrier(
        limiter, traffic, threading.Lock(), pauses, manual.clock, manual.sleep, uniform
    ), traffic


def _failing(times, fault):
    attempts = iter([*[fault] * times, None])

    def attempt(_deadline):
        if (raised := next(attempts)) is not None:
            raise raised
        return "done"

    return attempt


def test_pauses_double_up_to_the_longest_and_are_random_below():
    manual = Time()
    retrier, traffic = _retrier(manual)
    assert retrier.run("x", 1000, _failing(6, PassingFault("503"))) == "done"
    assert [round(s, 3) for s in manual.slept if s > 0.5] == [1, 2, 4, 8, 8, 8]
    assert traffic.retries == 6
    manual = Time()
    retrier, _ = _retrier(manual, uniform=lambda: 0.25)
    retrier.run("x", 1000, _failing(3, PassingFault("503")))
    assert [round(s, 3) for s in manual.slept if s > 0.1] == [0.25, 0.5, 1]


def test_a_pause_that_would_pass_the_deadline_is_not_begun():
    manual = Time()
    retrier, _ = _retrier(manual)
    with pytest.raises(SourceUnavailable, match="blob x did not answer after 1 try: 503"):
        retrier.run("blob x", 30, _failing(1, PassingFault("503", retry_after=60)))
    assert manual.now == 1000


def test_waiting_for_the_rate_limit_does_not_count_towards_the_deadline():
    manual = Time()
    retrier, _ = _retrier(manual, rate=0.01)
    retrier.run("x", 5, _failing(0, None))
    assert retrier.run("x", 5, _failing(1, PassingFault("503"))) == "done"
    assert manual.now >= 1200


def test_only_a_service_that_throttles_is_asked_less_often():
    manual = Time()
    limiter = RateLimiter(64, manual.clock, manual.sleep)
    retrier = Retrier(limiter, SourceTraffic(), threading.Lock(), Pauses(1, 8), manual.clock,
                      manual.sleep)  # fmt: skip
    retrier.run("x", 1000, _failing(3, PassingFault("the connection broke")))
    assert limiter.rate == 64
    retrier.run("x", 1000, _failing(1, PassingFault("503", is_throttled=True)))
    assert limiter.rate == pytest.approx(64 * 0.7 + 1)


def test_the_next_request_need_not_wait_for_the_body_of_an_answer():
    manual = Time()
    limiter = RateLimiter(1, manual.clock, manual.sleep)
    retrier = Retrier(limiter, SourceTraffic(), threading.Lock(), None, manual.clock, manual.sleep)

    def download(turn):
        turn.answered()
        manual.now += 30

    retrier.run("x", 100, download)
    before = manual.now
    retrier.run("y", 100, download)
    assert manual.now - before == pytest.approx(30)
