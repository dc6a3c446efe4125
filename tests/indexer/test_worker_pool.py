"""Decoders in processes of their own: what a hostile file does to one costs that file only."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from indexer.extract import ExtractOptions, extract
from indexer.pipes import Stop, Stopped
from indexer.worker_pool import Decoder, Extract
from tests.indexer import decoders
from tests.indexer.passes import picture

OPTIONS = ExtractOptions(network_inputs=(32,))
Start = Callable[..., Decoder]


@pytest.fixture
def start() -> Iterator[Start]:
    """Makes decoders, which are closed after the test."""
    made: list[Decoder] = []

    def make(extract: Extract, timeout: float = 30.0, stop: Stop | None = None) -> Decoder:
        made.append(Decoder(OPTIONS, timeout, extract, stop or Stop()))
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


@pytest.mark.parametrize("what", [decoders.CRASH, decoders.SEGFAULT])
def test_a_crash_costs_one_image_after_a_second_try(
    start: Start, content: bytes, tmp_path: Path, what: bytes
):
    decoder = start(partial(decoders.hostile, tmp_path))
    answer = ask(decoder, content + what)
    assert answer.image is None
    assert answer.reason == "the decoder crashed on it"
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
    assert decoder.restarts == 0


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
