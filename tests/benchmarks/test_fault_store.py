"""The store that fails by a seed, and what the real source makes of each of its faults."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from benchmarks.fault_store.account import Account
from benchmarks.fault_store.arrivals import Arrivals
from benchmarks.fault_store.faults import NO_FAULTS, Fault, FaultPlan, FaultRates
from benchmarks.fault_store.server import FaultServer, serving
from storage.azure import AzureSource
from storage.azure_account import connect
from storage.errors import BlobChanged
from storage.retry import Pauses

CONTENT = bytes(range(256)) * 40
ALL = FaultRates(0.02, 0.01, 0.01, 0.005, 0.005, 0.002)


@contextmanager
def _opened(server: FaultServer, rate: float = 1000) -> Iterator[AzureSource]:
    with serving(server):
        container = connect(server.url, account_url="", connection_string="", silence=0.2)
        source = AzureSource(
            container, requests_per_second=rate, read_deadline=30, pauses=Pauses(0.01, 0.05)
        )
        yield source
        source.close()


def _filled(blobs: int) -> Account:
    account = Account()
    for number in range(blobs):
        account.put(f"{number:04}.jpg", CONTENT + b"%d" % number)
    return account


def test_what_a_request_meets_does_not_depend_on_when_others_come():
    things = [f"{number}.jpg" for number in range(300)] * 3
    other = list(things)
    random.Random(1).shuffle(other)
    met = []
    for order in (things, other):
        plan = FaultPlan(FaultRates(0.2, 0.2, 0.1, 0.1, 0.1, 0.1), seed=7)
        meetings = [(thing, plan.next(thing, has_content=True)) for thing in order]
        met.append((sorted(meetings, key=repr), plan.met))
    assert met[0] == met[1]


def test_faults_come_as_often_as_their_rates_say():
    plan = FaultPlan(ALL, seed=1)
    for number in range(100_000):
        plan.next(str(number), has_content=True)
    assert plan.met[Fault.UNAVAILABLE] == pytest.approx(2000, rel=0.1)
    assert plan.met[Fault.TOO_MANY] == pytest.approx(1000, rel=0.1)
    assert plan.met[Fault.RESET] == pytest.approx(1000, rel=0.1)
    assert plan.met[Fault.STALL] == pytest.approx(500, rel=0.15)
    assert plan.met[Fault.TRUNCATED] == pytest.approx(500, rel=0.15)
    assert plan.met[Fault.CHANGED] == pytest.approx(200, rel=0.25)


@pytest.mark.parametrize(
    "rates",
    [
        FaultRates(too_many=0.5),
        FaultRates(reset=0.5),
        FaultRates(stall=0.5),
        FaultRates(truncated=0.5),
    ],
    ids=["429", "reset", "stall", "truncated"],
)
def test_a_fault_costs_another_request_and_does_not_show_in_the_content(rates: FaultRates):
    server = FaultServer(_filled(12), rates, seed=3)
    with _opened(server) as source:
        blobs = list(source.list())
        contents = {blob.uri.rpartition("/")[2]: source.read(blob) for blob in blobs}
    assert contents == server.account.contents()
    assert source.traffic.retries == sum(server.plan.met.values()) >= 5
    assert source.traffic.bytes_read == sum(map(len, contents.values()))


def test_a_pause_that_is_asked_for_is_kept():
    server = FaultServer(_filled(4), FaultRates(unavailable=0.3), seed=1)
    with _opened(server) as source:
        for blob in source.list():
            assert source.read(blob).startswith(CONTENT)
    assert server.plan.met[Fault.UNAVAILABLE] >= 2
    times = server.arrivals.times
    assert times[-1] - times[0] >= server.plan.met[Fault.UNAVAILABLE]


def test_a_blob_replaced_while_it_is_read_is_never_had_half_and_half():
    server = FaultServer(_filled(8), FaultRates(changed=1.0), seed=1)
    was = server.account.contents()
    with _opened(server) as source:
        for blob in source.list():
            with pytest.raises(BlobChanged):
                source.read(blob)
            current = source.stat(blob.uri)
            assert current is not None
            assert source.read(current) == was[blob.uri.rpartition("/")[2]][::-1]
    assert server.plan.met == {Fault.CHANGED: 8}


def test_no_second_holds_more_requests_than_the_limit_whatever_fails():
    server = FaultServer(_filled(120), FaultRates(0, 0.02, 0.05, 0.02, 0.05), seed=5)
    with _opened(server, rate=60) as source, ThreadPoolExecutor(8) as pool:
        assert sum(1 for _ in pool.map(source.read, list(source.list()))) == 120
    assert server.arrivals.busiest() <= 60
    assert len(server.arrivals.times) == 121 + sum(server.plan.met.values())
    spent = server.arrivals.times[-1] - server.arrivals.times[0]
    # The limit is used, too.
    assert spent < 6


def test_the_busiest_second_may_begin_anywhere():
    times = iter([0.0, 0.6, 0.9, 1.3, 1.5, 1.6, 3.0])
    arrivals = Arrivals(lambda: next(times))
    for _ in range(7):
        arrivals.note(is_list=False, is_head=False)
    assert arrivals.busiest() == 4
    assert (arrivals.lists, arrivals.heads, arrivals.reads) == (0, 0, 7)


def test_pages_hold_each_name_once_in_order():
    account = _filled(25)
    account.put("odd/\x01.jpg", b"x")
    server = FaultServer(account, NO_FAULTS)
    with _opened(server) as source:
        names = [blob.uri.removeprefix(source.uri + "/") for blob in source.list()]
    assert names == sorted(account.contents())
    seen: list[str] = []
    first = ""
    while True:
        page, first = account.page("00", first, 7)
        seen += [name for name, _ in page]
        if not first:
            break
    assert seen == [f"{number:04}.jpg" for number in range(25)]
