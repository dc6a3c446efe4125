"""The figures as tables for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.accuracy.scoring import CandidateFigures, ListFigures, PairFigures, Share

DEDUP = "dedup"
# Verifying must not cost more than the pass over the images.
MAX_CPU_RATIO = 1.0


@dataclass(slots=True, eq=False)
class Results:
    """All that one run of the benchmark measured.

    Attributes:
        seeds: of the sets; empty for a given set.
        lists: what the lists do.
        candidates: what the candidate stage proposes.
        pairs: pair figures by tool, dedup first.
        settings: in words, by tool.
        unavailable: why a tool was not measured, by tool.
        index_cpu, resolve_cpu: seconds of all sets.
        verifier: name and version of what gave the verdicts.
    """

    seeds: Sequence[int]
    lists: ListFigures
    candidates: CandidateFigures
    pairs: dict[str, PairFigures]
    settings: dict[str, str]
    unavailable: dict[str, str] = field(default_factory=dict)
    index_cpu: float = 0.0
    resolve_cpu: float = 0.0
    verifier: str = ""

    @property
    def cpu_ratio(self) -> float:
        """CPU time of resolve over that of index."""
        return self.resolve_cpu / self.index_cpu

    def shortfalls(self) -> list[str]:
        """What does not reach the figure it must reach; empty when all do."""
        found = []
        for count, what in (
            (self.lists.false_deletes, "false deletes"),
            (self.lists.lost, "pictures lost"),
            (self.lists.unaccounted, "pictures on no list"),
            (self.lists.on_both, "pictures on both lists"),
        ):
            if count:
                found.append(f"{count} {what}; required: 0")
        if self.cpu_ratio > MAX_CPU_RATIO:
            found.append(
                f"resolve takes {self.cpu_ratio:.2f} times the CPU time of index; "
                f"required: {MAX_CPU_RATIO:.1f} at most"
            )
        return found


def as_markdown(results: Results) -> str:
    """The tables under headings of the third level; the two long ones folded away."""
    return "\n\n".join(
        (
            _intro(results),
            "### What the lists do\n\n" + _lists(results),
            "### Beside other tools\n\n" + _tools(results),
            "### Candidates and cost\n\n" + _candidates(results),
            _folded("By edit, worst first", _edits(results)),
            _folded("By family of look-alikes", _families(results)),
        )
    )


def as_json(results: Results) -> dict[str, object]:
    """The same figures under stable names; shares as [count, of]."""
    lists, candidates = results.lists, results.candidates
    return {
        "seeds": list(results.seeds),
        "verifier": results.verifier,
        "lists": {
            "pictures": lists.pictures,
            "kept": lists.kept,
            "deleted": lists.deleted,
            "unaccounted": lists.unaccounted,
            "on_both": lists.on_both,
            "false_deletes": lists.false_deletes,
            "false_deletes_by_kind": dict(lists.false_kinds),
            "lost": lists.lost,
            "removed": _pair(lists.removed),
            "original_kept": _pair(lists.original_kept),
            "removed_per_edit": _shares(lists.per_edit),
            "deleted_per_family": _shares(lists.per_family),
        },
        "candidates": {
            "found": _pair(candidates.found),
            "per_image": round(candidates.per_image, 3),
            "per_edit": _shares(candidates.per_edit),
        },
        "cpu_seconds": {
            "index": round(results.index_cpu, 2),
            "resolve": round(results.resolve_cpu, 2),
            "resolve_over_index": round(results.cpu_ratio, 4),
        },
        "tools": {
            name: {
                "setting": results.settings[name],
                "found": _pair(one.found),
                "found_in_groups": _pair(one.all_found),
                "false_pairs": one.false_pairs,
                "before_first_false": _pair(one.before_first_false),
                "per_edit": _shares(one.per_edit),
                "false_per_family": dict(one.false_per_family.most_common()),
            }
            for name, one in results.pairs.items()
        },
        "unavailable": dict(results.unavailable),
        "shortfalls": results.shortfalls(),
    }


def _intro(results: Results) -> str:
    lists = results.lists
    seeds = f"seeds {', '.join(map(str, results.seeds))}; " if results.seeds else ""
    return (
        f"{lists.pictures:,} pictures, of which {lists.removed.of:,} can go "
        f"({seeds}verifier {results.verifier})."
    )


def _lists(results: Results) -> str:
    lists = results.lists
    return _table(
        ("", "count", "share"),
        [
            ("false deletes (required: 0)", str(lists.false_deletes), ""),
            ("pictures lost (required: 0)", str(lists.lost), ""),
            ("on no list, or on both (required: 0)", str(lists.unaccounted + lists.on_both), ""),
            ("duplicates removed", *_cells(lists.removed)),
            ("groups that keep the original", *_cells(lists.original_kept)),
        ],
    )


def _tools(results: Results) -> str:
    rows = [
        (
            name,
            results.settings[name],
            _percent(one.found),
            _percent(one.all_found),
            f"{one.false_pairs:,}",
            _percent(one.before_first_false),
        )
        for name, one in results.pairs.items()
    ]
    table = _table(
        (
            "tool",
            "threshold",
            "copies found",
            "all true pairs found",
            "false pairs",
            "copies found before the first false pair",
        ),
        rows,
    )
    notes = [f"Not measured: {name}. {why}" for name, why in results.unavailable.items()]
    return "\n\n".join([table, *notes])


def _candidates(results: Results) -> str:
    candidates = results.candidates
    images = max(1, candidates.pictures)
    missed = {e: s for e, s in candidates.per_edit.items() if s.count < s.of}
    lines = [
        _table(
            ("", ""),
            [
                (
                    "copies proposed with their original",
                    f"{candidates.found.count} of {candidates.found.of} "
                    f"({_percent(candidates.found)})",
                ),
                ("candidate pairs per image", f"{candidates.per_image:.2f}"),
                ("CPU of index per image", f"{1000 * results.index_cpu / images:.0f} ms"),
                ("CPU of resolve per image", f"{1000 * results.resolve_cpu / images:.0f} ms"),
                (
                    f"resolve over index (required: ≤ {MAX_CPU_RATIO:.1f})",
                    f"{results.cpu_ratio:.2f}",
                ),
            ],
        )
    ]
    if missed:
        listed = ", ".join(
            f"{edit} {share.of - share.count} of {share.of}"
            for edit, share in sorted(missed.items(), key=lambda item: item[1].value)
        )
        lines.append(f"Copies that never become candidates: {listed}.")
    return "\n\n".join(lines)


def _edits(results: Results) -> str:
    """Worst first: of the copies by each edit, those deleted, and those each tool matches."""
    edits = sorted(results.lists.per_edit, key=lambda e: (results.lists.per_edit[e].value, e))
    rows = [
        (
            edit,
            str(results.lists.per_edit[edit].of),
            _percent(results.lists.per_edit[edit]),
            *(_percent(one.per_edit.get(edit, Share())) for one in results.pairs.values()),
        )
        for edit in edits
    ]
    return _table(("edit", "copies", "deleted by dedup", *_matched(results)), rows)


def _families(results: Results) -> str:
    kinds = sorted(results.lists.per_family)
    others: set[str] = set(results.lists.false_kinds)
    for one in results.pairs.values():
        others |= one.false_per_family.keys()
    kinds += sorted(others - set(kinds))
    rows = [
        (
            kind,
            str(results.lists.per_family[kind].of) if kind in results.lists.per_family else "",
            str(results.lists.false_kinds[kind]),
            *(str(one.false_per_family[kind]) for one in results.pairs.values()),
        )
        for kind in kinds
    ]
    header = ("family", "pictures", "false deletes", *(f"{n}: false pairs" for n in results.pairs))
    return _table(header, rows)


def _folded(title: str, table: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{table}\n\n</details>"


def _matched(results: Results) -> list[str]:
    return [f"{name}: found" for name in results.pairs]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _percent(share: Share) -> str:
    return f"{100 * share.value:.1f} %" if share.of else ""


def _cells(share: Share) -> tuple[str, str]:
    return f"{share.count} of {share.of}", _percent(share)


def _pair(share: Share) -> list[int]:
    return [share.count, share.of]


def _shares(shares: Mapping[str, Share]) -> dict[str, list[int]]:
    return {name: _pair(share) for name, share in sorted(shares.items())}
