"""Decoders in processes of their own: what a hostile file does to one costs that file only."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from indexer.extract import ExtractOptions, extract
from indexer.pipes import Stop, Stopped
from indexer.turns import Turns
from indexer.worker_pool import Decoder, Extract, memory_share
from storage.records import Limit, LimitKind
from tests.indexer import decoders
from tests.indexer.passes import picture

OPTIONS = ExtractOptions(network_inputs=(32,))
Start = Callable[..., Decoder]


@pytest.fixture
def start() -> Iterator[Start]:
    """Makes decoders, which are closed after the test."""
    made: list[Decoder] = []

    def make(
        extract: Extract, timeout: float = 30.0, stop: Stop | None = None, **shared: Any
    ) -> Decoder:
        made.append(Decoder(OPTIONS, timeout, extract, stop or Stop(), **shared))
        return made[-1]

    yield make
    for decoder in made:
        decoder.close()


@pytest.fixture(scope="module")
def content(photos: dict[str, NDArray[np.uint8]]) -> bytes:
    return picture(photos["chelsea.png"][:128, :128])


def ask(decoder: Decoder, content: bytes):  # type: ignore[no-untyped-def]
    return decoder.describe(content, sha256(content).digest())


def pid_of(decoder: Decoder) -> int:
    return int(ask(decoder, b"x").reason)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert path.exists()


def is_gone(pid: int, seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not psutil.pid_exists(pid)


def test_a_decoder_gives_what_extracting_here_gives(start: Start, content: bytes):
    answer = ask(start(extract), content)
    here = extract(content, sha256(content).digest(), OPTIONS)
    assert answer.reason == ""
    assert answer.image.preview == here.preview
    assert answer.image.record.hash256 == here.record.hash256
    assert np.array_equal(answer.image.network_inputs[32], here.network_inputs[32])
    assert answer.seconds > 0
    assert answer.peak_memory > 2**20


def test_an_undecodable_image_has_its_reason_and_costs_no_process(start: Start, content: bytes):
    decoder = start(extract)
    assert ask(decoder, b"no image").reason
    assert ask(decoder, content).image is not None
    assert decoder.restarts == 0


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (decoders.CRASH, "the decoder crashed on it (exit code 3)"),
        (decoders.SEGFAULT, "the decoder crashed on it (SIGSEGV)"),
        (decoders.KILLED, "the decoder was killed on it, as for want of memory"),
    ],
)
def test_a_crash_costs_one_image_after_a_second_try(
    start: Start, content: bytes, tmp_path: Path, what: bytes, reason: str
):
    decoder = start(partial(decoders.hostile, tmp_path))
    answer = ask(decoder, content + what)
    assert answer.image is None
    assert answer.reason == reason
    assert answer.limit is None
    assert decoder.restarts == 2
    assert ask(decoder, content).image is not None


def test_an_image_that_crashed_its_decoder_once_is_described_by_the_next(
    start: Start, content: bytes, tmp_path: Path
):
    decoder = start(partial(decoders.hostile, tmp_path))
    assert ask(decoder, content + decoders.CRASH_ONCE).image is not None
    assert decoder.restarts == 1


def test_a_decoder_that_hangs_is_ended(start: Start, content: bytes, tmp_path: Path):
    decoder = start(partial(decoders.hostile, tmp_path), timeout=0.5)
    answer = ask(decoder, content + decoders.HANG)
    assert answer.reason == "decoding took longer than 0.5 s"
    assert answer.limit == Limit(LimitKind.SECONDS, 0.5)
    assert is_gone(int((tmp_path / "hanging").read_text()))
    assert ask(decoder, content).image is not None


def test_a_run_that_stops_does_not_wait_for_a_decoder_that_hangs(
    start: Start, content: bytes, tmp_path: Path
):
    stop = Stop()
    decoder = start(partial(decoders.hostile, tmp_path), timeout=60.0, stop=stop)
    assert ask(decoder, content).image is not None
    threading.Timer(0.3, stop.set).start()
    started = time.monotonic()
    with pytest.raises(Stopped):
        ask(decoder, content + decoders.HANG)
    decoder.close()
    assert time.monotonic() - started < 10
    assert is_gone(int((tmp_path / "hanging").read_text()))


def test_what_nobody_thought_of_is_a_reason_too(start: Start, content: bytes, tmp_path: Path):
    decoder = start(partial(decoders.hostile, tmp_path))
    answer = ask(decoder, content + decoders.FAIL)
    assert answer.reason == "the decoder failed on it: ZeroDivisionError: by the file"
    assert decoder.restarts == 0


def test_an_image_that_wants_too_much_memory_is_refused(
    start: Start, content: bytes, tmp_path: Path
):
    decoder = start(partial(decoders.hostile, tmp_path))
    answer = ask(decoder, content + decoders.HOARD)
    assert answer.reason == "decoding it needs more memory than one image may have"
    assert answer.limit == Limit(LimitKind.MEMORY, OPTIONS.limits.max_memory)
    assert decoder.restarts == 2
    assert ask(decoder, content).image is not None


def test_an_image_that_wants_more_memory_than_its_share_is_described_alone(
    start: Start, content: bytes, tmp_path: Path
):
    decoder = start(partial(decoders.hostile, tmp_path), share=2**30)
    assert ask(decoder, content).image is not None
    assert decoder.restarts == 0
    # 2 GiB are within what an image may have, 1 GiB is its share.
    assert ask(decoder, content + decoders.HUNGRY).image is not None
    assert decoder.restarts == 1


def test_what_broke_a_decoder_is_tried_again_while_no_other_decodes(
    start: Start, content: bytes, tmp_path: Path
):
    stop = Stop()
    turns = Turns(stop)
    crashing = start(partial(decoders.hostile, tmp_path), stop=stop, turns=turns)
    slow = start(partial(decoders.noting, tmp_path / "log", 0.5), stop=stop, turns=turns)
    other = threading.Thread(target=ask, args=(slow, content))
    other.start()
    wait_for(tmp_path / "log")
    assert ask(crashing, content + decoders.CRASH_ONCE).image is not None
    # The second try began when the other had ended.
    assert (tmp_path / "log").read_text() == "begin end "
    other.join()


def test_who_waits_to_be_alone_is_not_passed_by_those_who_come_later():
    stop = Stop()
    turns = Turns(stop)
    order: list[str] = []
    inside = threading.Event()
    leave = threading.Event()

    def together(name: str) -> None:
        with turns.together():
            order.append(name)
            if name == "first":
                inside.set()
                leave.wait(10)

    def alone() -> None:
        with turns.alone():
            order.append("alone")

    threads = [threading.Thread(target=together, args=("first",)), threading.Thread(target=alone)]
    threads[0].start()
    assert inside.wait(10)
    threads[1].start()
    time.sleep(0.1)
    threads.append(threading.Thread(target=together, args=("later",)))
    threads[2].start()
    time.sleep(0.1)
    leave.set()
    for thread in threads:
        thread.join(10)
    assert order == ["first", "alone", "later"]


def test_nobody_waits_for_a_turn_in_a_run_that_has_ended():
    stop = Stop()
    turns = Turns(stop)
    with turns.together():
        threading.Timer(0.1, stop.set).start()
        with pytest.raises(Stopped), turns.alone():
            pass


def test_the_share_of_memory_is_never_more_than_an_image_may_have():
    assert memory_share(2**28, workers=1) == 2**28
    assert memory_share(2**50, workers=10**6) == 2**30


def test_a_closed_decoder_leaves_no_process_behind(start: Start):
    decoder = start(decoders.naming)
    pid = pid_of(decoder)
    assert psutil.pid_exists(pid)
    decoder.close()
    assert is_gone(pid)
    decoder.close()


def test_a_decoder_killed_between_two_images_is_replaced(start: Start):
    decoder = start(decoders.naming)
    first = pid_of(decoder)
    psutil.Process(first).kill()
    assert pid_of(decoder) != first
    assert decoder.restarts == 1


def test_one_fork_server_serves_all_decoders_and_the_environment_stays(start: Start):
    before = dict(os.environ)
    made = [start(decoders.naming) for _ in range(4)]
    pids: list[int] = []
    threads = [threading.Thread(target=lambda d=d: pids.append(pid_of(d))) for d in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(set(pids)) == 4
    assert len({psutil.Process(pid).ppid() for pid in pids}) == 1
    assert dict(os.environ) == before
