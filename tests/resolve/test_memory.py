"""How many processes and previews a resolve has follows from one setting."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from resolve.memory import MIB, enough_memory, resolve_memory


@given(st.integers(1, 200), st.booleans())
def test_what_is_said_to_be_enough_is_enough(workers, uses_network):
    enough = enough_memory(workers, uses_network=uses_network)
    assert resolve_memory(enough, workers, uses_network=uses_network).workers == workers
    less = resolve_memory(enough - 1, workers, uses_network=uses_network).workers
    assert less == max(1, workers - 1)


def test_the_default_is_enough_for_eight_cores():
    assert resolve_memory(4096 * MIB, 8, uses_network=False).workers == 8
    assert resolve_memory(4096 * MIB, 8, uses_network=True).workers == 2


def test_little_memory_keeps_few_previews_and_one_process():
    memory = resolve_memory(256 * MIB, 8, uses_network=False)
    assert (memory.workers, memory.previews) == (1, 16)
    assert resolve_memory(4096 * MIB, 8, uses_network=False).previews == 256
