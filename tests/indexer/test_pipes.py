"""Threads hand over in bounded queues, and all end when one does."""

from __future__ import annotations

import threading
import time

import pytest

from indexer.pipes import ByteBudget, Pipe, Stop, Stopped


def stopping_soon(stop: Stop) -> threading.Timer:
    timer = threading.Timer(0.05, stop.set)
    timer.start()
    return timer


def test_every_item_arrives_once_with_many_producers_and_consumers():
    pipe: Pipe[int] = Pipe(3, 4, Stop())
    got: list[int] = []

    def produce(first: int) -> None:
        for item in range(first, first + 100):
            pipe.put(item)
        pipe.finish()

    threads = [threading.Thread(target=produce, args=(100 * n,)) for n in range(4)]
    threads += [threading.Thread(target=lambda: got.extend(pipe)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(got) == list(range(400))


def test_a_full_pipe_holds_its_producer_back():
    pipe: Pipe[int] = Pipe(2, 1, Stop())
    put: list[int] = []

    def produce() -> None:
        for item in range(5):
            pipe.put(item)
            put.append(item)

    thread = threading.Thread(target=produce)
    thread.start()
    time.sleep(0.1)
    assert put == [0, 1]
    assert [pipe.poll(1) for _ in range(5)] == [0, 1, 2, 3, 4]
    thread.join(5)


def test_a_pipe_ends_when_the_last_producer_has_finished_and_it_is_empty():
    pipe: Pipe[str] = Pipe(2, 2, Stop())
    pipe.finish()
    pipe.put("last")
    pipe.finish()
    assert not pipe.is_finished
    assert list(pipe) == ["last"]
    assert pipe.is_finished


def test_a_stop_ends_the_wait_for_room():
    stop = Stop()
    pipe: Pipe[int] = Pipe(1, 1, stop)
    pipe.put(1)
    stopping_soon(stop)
    with pytest.raises(Stopped):
        pipe.put(2)


def test_a_stop_ends_the_wait_for_an_item():
    stop = Stop()
    pipe: Pipe[int] = Pipe(1, 1, stop)
    stopping_soon(stop)
    with pytest.raises(Stopped):
        list(pipe)


def test_the_first_reason_to_stop_is_kept():
    stop = Stop()
    first = ValueError("first")
    stop.set(first)
    stop.set(ValueError("second"))
    assert stop.is_set
    assert stop.error is first


def test_bytes_in_flight_are_bounded():
    budget = ByteBudget(100, Stop())
    budget.acquire(60)
    acquired = threading.Event()

    def wait_for_room() -> None:
        budget.acquire(60)
        acquired.set()

    thread = threading.Thread(target=wait_for_room)
    thread.start()
    assert not acquired.wait(0.1)
    budget.release(60)
    assert acquired.wait(5)
    thread.join(5)


def test_an_image_larger_than_the_budget_goes_alone():
    stop = Stop()
    budget = ByteBudget(100, stop)
    budget.acquire(1000)
    stopping_soon(stop)
    with pytest.raises(Stopped):
        budget.acquire(1)
