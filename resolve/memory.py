"""What resolving may hold, derived from one setting: the memory of all its processes.

Candidates go to disk beyond a few million, and the indexes are searched by blocks, so what counts
is how many processes there are, and how many previews this one keeps.
"""

from __future__ import annotations

from dataclasses import dataclass

MIB = 2**20
# The process itself: the catalog's columns, groups, heaps of candidates.
_BASE = 512 * MIB
# A process that searches or verifies: 220 MB were measured with 64 previews, and an index that is
# searched exactly is 128 MB of vectors at the most (`search.options.SearchOptions.exact_below`).
_WORKER = 400 * MIB
# The same with torch and a network in it.
_WORKER_WITH_NETWORK = 1536 * MIB
# A preview as pixels, in the sizes and with the keypoints that verification keeps of it.
_PREVIEW = 2 * MIB
_FEWEST_PREVIEWS, _MOST_PREVIEWS = 16, 256


@dataclass(frozen=True, slots=True)
class ResolveMemory:
    """How much of everything a resolve has.

    Attributes:
        workers: processes that search or verify; one at the least.
        previews: images with their pixels that this process keeps.
    """

    workers: int
    previews: int


def resolve_memory(memory: int, workers: int, *, uses_network: bool) -> ResolveMemory:
    """The sizes of a resolve.

    Args:
        memory: bytes that all processes may have resident.
        workers: processes asked for.
        uses_network: whether each verifies by a network.
    """
    fitting = max(1, min(workers, (memory - _BASE) // _worker(uses_network=uses_network)))
    previews = memory // 8 // _PREVIEW
    return ResolveMemory(fitting, min(_MOST_PREVIEWS, max(_FEWEST_PREVIEWS, previews)))


def enough_memory(workers: int, *, uses_network: bool) -> int:
    """Bytes with which a resolve has so many processes."""
    return _BASE + workers * _worker(uses_network=uses_network)


def _worker(*, uses_network: bool) -> int:
    return _WORKER_WITH_NETWORK if uses_network else _WORKER
