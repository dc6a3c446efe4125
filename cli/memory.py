"""The setting `memory` brought to the stages, and what it costs them said."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from cli.config import Settings

if TYPE_CHECKING:
    from indexer.index_pass import IndexOptions
    from resolve.memory import ResolveMemory

_MIB = 2**20
_INTERPRETER = 64 * _MIB
_WITHOUT_NETWORK = frozenset({"orb", "sift"})


def within_memory(options: IndexOptions, settings: Settings, before: int) -> IndexOptions:
    """The options of a pass that stays within the memory of the settings. Call it with the models
    loaded.

    Args:
        before: bytes that were resident before that: a notebook's data are not the pass's.

    Raises:
        UsageError: it is not enough.
    """
    from indexer.memory import enough_memory, pass_memory, resident_memory

    base = _INTERPRETER + max(0, resident_memory() - before)
    limits = options.limits
    memory = pass_memory(settings.memory_bytes, base, settings.workers, limits.max_memory)
    if memory.workers < settings.workers:
        _say_fewer(settings, memory.workers, enough_memory(base, settings.workers))
    return replace(
        options,
        workers=memory.workers,
        batch_size=memory.batch_size,
        bytes_in_flight=memory.bytes_in_flight,
        share=memory.share,
        limits=replace(limits, max_memory=memory.alone),
    )


def memory_of_resolve(settings: Settings) -> ResolveMemory:
    """What a resolve may hold with the memory of the settings."""
    from resolve.memory import enough_memory, resolve_memory

    uses_network = any(choice.name not in _WITHOUT_NETWORK for choice in settings.matcher)
    memory = resolve_memory(settings.memory_bytes, settings.workers, uses_network=uses_network)
    if memory.workers < settings.workers:
        enough = enough_memory(settings.workers, uses_network=uses_network)
        _say_fewer(settings, memory.workers, enough)
    return memory


def _say_fewer(settings: Settings, workers: int, enough: int) -> None:
    if settings.quiet:
        return
    print(
        f"{settings.memory} MiB of memory are for {workers} of {settings.workers} worker "
        f"processes: --memory {-(-enough // _MIB)} is for all.",
        file=sys.stderr,
    )
