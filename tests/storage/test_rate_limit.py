import math
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


@given(st.floats(0.2, 500), st.lists(st.floats(0, 0.3), min_size=1, max_size=200))
def test_no_second_holds_more_requests_than_the_rate(rate, pauses):
    manual = Time()
    limiter = RateLimiter(rate, manual.clock, manual.sleep)
    sent = []
    for pause in pauses:
        manual.now += pause
        limiter.acquire()
        sent.append(manual.now)
    for start in sent:
        assert sum(start <= at < start + 1 for at in sent) <= math.ceil(rate)


def test_a_service_that_asks_for_a_pause_gets_it_from_everybody():
    manual = Time()
    limiter = RateLimiter(100, manual.clock, manual.sleep)
    limiter.hold(5)
    assert limiter.acquire() == pytest.approx(5)


def test_many_threads_together_keep_the_rate():
    limiter = RateLimiter(200)
    done = []

    def work():
        for _ in range(10):
            limiter.acquire()
            done.append(1)

    started = time.monotonic()
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 80
    assert time.monotonic() - started >= 79 / 200


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
    assert manual.now > 1200
