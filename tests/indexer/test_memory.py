"""What a pass holds stays below one setting, whatever that is."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from indexer.memory import MIB, PassMemory, enough_memory, pass_memory
from storage.errors import UsageError

BASES = st.integers(200 * MIB, 3000 * MIB)
WORKERS = st.integers(1, 200)
# A decoder's libraries and an image that waits, as the module's text has them.
DECODER, DESCRIBED = 96 * MIB, 320 * 1024


def planned(memory: int, base: int, workers: int, image_memory: int = 4096 * MIB) -> PassMemory:
    try:
        return pass_memory(memory, base, workers, image_memory)
    except UsageError:
        assume(False)
        raise


def held(base: int, memory: PassMemory) -> int:
    """All at once: every decoder at its share, every queue full."""
    decoders = memory.workers * DECODER + max(memory.workers * memory.share, memory.alone)
    return base + decoders + memory.bytes_in_flight + 5 * memory.batch_size * DESCRIBED


@given(st.integers(1024 * MIB, 200_000 * MIB), BASES, WORKERS)
def test_everything_full_at_once_is_within_the_setting(memory, base, workers):
    assert held(base, planned(memory, base, workers)) <= memory


@given(st.integers(1024 * MIB, 50_000 * MIB), st.integers(0, 50_000 * MIB), BASES, WORKERS)
def test_more_memory_is_never_less_of_anything(memory, more, base, workers):
    small, large = planned(memory, base, workers), planned(memory + more, base, workers)
    assert large.workers >= small.workers
    assert large.alone >= small.alone
    assert large.bytes_in_flight >= small.bytes_in_flight
    assert large.batch_size >= small.batch_size


@given(BASES, WORKERS)
def test_what_is_said_to_be_enough_is_enough(base, workers):
    memory = pass_memory(enough_memory(base, workers), base, workers, 4096 * MIB)
    assert memory.workers == workers


def test_the_default_is_enough_for_two_cores_with_the_default_model():
    memory = pass_memory(4096 * MIB, 1100 * MIB, 2, 4096 * MIB)
    assert (memory.workers, memory.batch_size, memory.bytes_in_flight) == (2, 32, 256 * MIB)
    assert memory.share > 1024 * MIB


def test_an_image_gets_no_more_than_it_may_have():
    memory = pass_memory(64_000 * MIB, 1100 * MIB, 2, 512 * MIB)
    assert memory.share == memory.alone == 512 * MIB


def test_too_little_says_how_much_would_do():
    with pytest.raises(UsageError, match="1200 MiB") as error:
        pass_memory(1200 * MIB, 1100 * MIB, 8, 4096 * MIB)
    enough = int(error.value.remedy.rpartition(" ")[2].rstrip("."))
    assert pass_memory(enough * MIB, 1100 * MIB, 8, 4096 * MIB).workers >= 1
