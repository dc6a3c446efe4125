"""The run journal: when the catalog was worked on, from what, and with which outcome."""

from __future__ import annotations

from dataclasses import dataclass, field

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class Run:
    """One indexing pass.

    Attributes:
        run_id: ascends from 1.
        started_at: seconds since the epoch, UTC.
        finished_at: likewise; None while the run goes on, and for ever when it was killed.
        sources: canonical URIs.
        counts: what came of it, by name.
    """

    run_id: int
    started_at: float
    finished_at: float | None
    sources: tuple[str, ...]
    counts: dict[str, Json] = field(default_factory=dict)
