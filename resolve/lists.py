"""keep.csv, delete.csv, unreadable.csv, groups.jsonl and summary.json.

Together they account for every blob of the index. Of a reference index's blobs they name those
that deleted ones point to, in delete.csv and groups.jsonl. They are written in one pass over the
catalog, so that memory does not depend on its size, to temporary files that take the names at the
end.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from resolve.copied_rows import digests_of
from resolve.effort import Effort
from resolve.groups import Group
from resolve.outcomes import (
    SAME_BYTES,
    Deleted,
    Kept,
    Outcomes,
    ReferenceKeeper,
    Unreadable,
    evidence,
)
from resolve.output_folder import replacing_files
from resolve.resolve import Resolution
from resolve.summary import Summary, SummaryCounts
from storage.catalog_view import CatalogView
from storage.records import BlobEntry, Holder
from verify.verdict import Relation

KEEP, DELETE, UNREADABLE = "keep.csv", "delete.csv", "unreadable.csv"
GROUPS, SUMMARY = "groups.jsonl", "summary.json"
# The one that something is done with comes last: see `replacing_files`.
LIST_FILES = (KEEP, UNREADABLE, GROUPS, SUMMARY, DELETE)

# Whose rows a later resolve may take over.
COPIED = (KEEP, DELETE, GROUPS)

KEEP_COLUMNS = ("path", "reason", "group", "bytes")
DELETE_COLUMNS = ("path", "keep", "relation", "score", "bytes", "group", "reason")
UNREADABLE_COLUMNS = ("path", "reason")

_TO_BE_QUOTED = re.compile('[,"\r\n]')
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_lists(
    resolution: Resolution,
    catalog: CatalogView,
    out: Path,
    effort: Effort | None = None,
    written: dict[str, str] | None = None,
) -> Summary:
    """Writes the lists into the folder `out`, which is made, and returns the summary.

    Args:
        effort: what the verdicts have cost, for the summary.
        written: filled with the SHA-256 of each of the lists that a later resolve may copy rows
            from.

    Raises:
        IndexStorageError: the folder cannot be written to, or the disk is full.
    """
    started = time.monotonic()
    outcomes = Outcomes(resolution, catalog)
    counts = SummaryCounts()
    with replacing_files(out, LIST_FILES) as paths, ExitStack() as stack:
        files = {name: stack.enter_context(_text_file(paths[name])) for name in LIST_FILES}
        files[KEEP].write(csv_row(KEEP_COLUMNS))
        files[DELETE].write(csv_row(DELETE_COLUMNS))
        files[UNREADABLE].write(csv_row(UNREADABLE_COLUMNS))
        for outcome in outcomes:
            counts.add(outcome)
            entry = outcome.entry
            if isinstance(outcome, ReferenceKeeper) or (
                isinstance(outcome, Kept) and outcome.leads_group
            ):
                group = resolution.group(entry.image_id)
                if group is not None:
                    row = _group_row(group, outcome, outcomes, catalog)
                    files[GROUPS].write(json.dumps(row) + "\n")
                    counts.groups += 1
            if isinstance(outcome, Kept):
                files[KEEP].write(_keep_row(outcome))
            elif isinstance(outcome, Deleted):
                files[DELETE].write(_delete_row(outcome))
            elif isinstance(outcome, Unreadable):
                files[UNREADABLE].write(csv_row((entry.uri, safe_cell(entry.reason))))
        summary = counts.summary(resolution, catalog, time.monotonic() - started, effort)
        files[SUMMARY].write(json.dumps(summary.as_json(), indent=2) + "\n")
        stack.close()
        if written is not None:
            written.update(digests_of({name: paths[name] for name in COPIED}))
    return summary


def csv_row(cells: Iterable[str]) -> str:
    """One line of CSV (RFC 4180, but with a bare line feed at its end).

    The csv module leaves a carriage return unquoted unless it ends lines, and then does not read
    back what it wrote.
    """
    return ",".join(map(_quoted, cells)) + "\n"


def safe_cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula. Not for paths, which must stay as they are.

    An apostrophe goes before what begins like one (OWASP, CSV injection).
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def _quoted(cell: str) -> str:
    if _TO_BE_QUOTED.search(cell) or cell != cell.strip():
        return '"' + cell.replace('"', '""') + '"'
    return cell


def _text_file(path: Path) -> IO[str]:
    # Names that are not UTF-8 come back as the bytes they are.
    return path.open("w", encoding="utf-8", errors="surrogateescape", newline="")


def _keep_row(kept: Kept) -> str:
    # Groups are numbers in hexadecimal: nothing in them is ever quoted.
    entry = kept.entry
    return f"{_quoted(entry.uri)},{_reason_cell(kept.reason)},{kept.group},{entry.size}\n"


@lru_cache(1024)
def _reason_cell(reason: str) -> str:
    """As it stands in a row: most files share a few reasons."""
    return _quoted(safe_cell(reason))


def _delete_row(deleted: Deleted) -> str:
    return csv_row(
        (
            deleted.entry.uri,
            deleted.keep,
            deleted.relation.value,
            f"{deleted.score:.4f}",
            str(deleted.entry.size),
            deleted.group,
            safe_cell(deleted.reason),
        )
    )


def _group_row(
    group: Group, kept: Kept | ReferenceKeeper, outcomes: Outcomes, catalog: CatalogView
) -> dict[str, Any]:
    plan = outcomes.plan(group.keeper)
    also_kept = plan.also_kept if plan is not None else ()
    deleted = plan.deleted if plan is not None else ()
    members = [
        _image(entry, catalog)
        | {
            "relation": Relation.EXACT.value,
            "score": 1.0,
            "transform": None,
            "measurements": {},
            "reason": evidence(SAME_BYTES, entry, kept.entry),
        }
        for entry in deleted
    ]
    for member in group.members:
        verdict = member.verdict
        facts = {
            "relation": verdict.relation.value,
            "score": round(verdict.score, 6),
            "transform": None if verdict.transform is None else verdict.transform.tolist(),
            "measurements": verdict.measurements,
        }
        members += [
            _image(entry, catalog) | facts | {"reason": evidence(verdict.reason, entry, kept.entry)}
            for entry in catalog.blobs_of(member.image_id)
        ]
    return {
        "id": kept.group,
        "keeper": _image(kept.entry, catalog)
        | {
            "reasons": outcomes.reasons(group),
            "in_reference": kept.entry.holder is not Holder.OWN,
        },
        "also_kept": [{"path": entry.uri, "reason": why} for entry, why in also_kept],
        "members": members,
    }


def _image(entry: BlobEntry, catalog: CatalogView) -> dict[str, Any]:
    outline = catalog.outline(entry.image_id)
    return {
        "path": entry.uri,
        "digest": outline.digest.hex(),
        "width": outline.width,
        "height": outline.height,
        "bytes": entry.size,
        "format": outline.format,
    }
