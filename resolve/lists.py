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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from itertools import compress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from resolve.copied_rows import CopiedRows, digests_of, opened_lists
from resolve.effort import Effort
from resolve.groups import Group
from resolve.outcomes import (
    SAME_BYTES,
    WHY_ALONE,
    Deleted,
    Kept,
    Outcomes,
    ReferenceKeeper,
    Unreadable,
    evidence,
)
from resolve.output_folder import replacing_files
from resolve.rare_collections import rare_collections
from resolve.raw_pairs import RawPairs
from resolve.resolution import Resolution
from resolve.summary import Summary, SummaryCounts
from storage.blob_columns import BlobColumns
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

# Where the rows of an image's blobs come from.
_ANEW, _ALONE, _KEEPER, _DELETED = 0, 1, 2, 3
# Blobs whose rows are looked up together, at least.
_FEWEST_TOGETHER = 4

_TO_BE_QUOTED = re.compile('[,"\r\n]')
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@rare_collections()
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
        copied = _Copied.opened(out, resolution, outcomes, stack)
        for uri, size, image_id, part, place in _made_anew(catalog, copied, files, counts):
            alone = outcomes.why_alone(image_id)
            if alone is not None:
                because, reason = alone
                counts.add_kept(because, size)
                files[KEEP].write(_keep_row(uri, reason, "", size))
                continue
            outcome = outcomes.of_listed(part.entry(place))
            if outcome is None:
                continue
            counts.add(outcome)
            if isinstance(outcome, ReferenceKeeper) or (
                isinstance(outcome, Kept) and outcome.leads_group
            ):
                group = resolution.group(image_id)
                if group is not None:
                    row = _group_row(group, outcome, outcomes, catalog)
                    files[GROUPS].write(json.dumps(row) + "\n")
                    counts.groups += 1
            if isinstance(outcome, Kept):
                files[KEEP].write(_keep_row(uri, outcome.reason, outcome.group, size))
            elif isinstance(outcome, Deleted):
                files[DELETE].write(_delete_row(outcome))
            elif isinstance(outcome, Unreadable):
                files[UNREADABLE].write(csv_row((uri, safe_cell(outcome.entry.reason))))
        summary = counts.summary(resolution, catalog, time.monotonic() - started, effort)
        files[SUMMARY].write(json.dumps(summary.as_json(), indent=2) + "\n")
        stack.close()
        if written is not None:
            written.update(digests_of({name: paths[name] for name in COPIED}))
    return summary


def _made_anew(
    catalog: CatalogView,
    copied: _Copied | None,
    files: Mapping[str, IO[str]],
    counts: SummaryCounts,
) -> Iterator[tuple[str, int, int, BlobColumns, int]]:
    """URI, size and image id of each blob whose rows have to be made, and where the rest is.

    Those of the others are written before the next is given.
    """
    for part in catalog.blob_columns():
        ids = part.image_ids.tolist()
        place = 0
        while place < len(part):
            if copied is not None:
                place = copied.write(part, place, files, counts)
            if place < len(part):
                yield part.uris[place], part.sizes[place], ids[place], part, place
                place += 1


class _Copied:
    """Writes the rows of blobs that have those they had in the lists of an earlier resolve.

    What a row says follows from the blob, from the pool of its image, and from options that the
    two resolves have in common; of a RAW file also from what lies beside it.
    """

    def __init__(
        self,
        keep: IO[str],
        delete: IO[str],
        groups: IO[str],
        kinds: NDArray[np.uint8],
        outcomes: Outcomes,
    ) -> None:
        self._keep, self._delete = CopiedRows.of_csv(keep), CopiedRows.of_csv(delete)
        self._groups = CopiedRows.of_groups(groups)
        self._kinds = kinds
        self._outcomes = outcomes

    @classmethod
    def opened(
        cls, out: Path, resolution: Resolution, outcomes: Outcomes, stack: ExitStack
    ) -> _Copied | None:
        """None where the folder does not have the lists that the earlier resolve has written."""
        if resolution.options.raw_pairs is not RawPairs.KEEP:
            return None
        found = opened_lists(out, COPIED, resolution.lists_before, stack)
        if found is None:
            return None
        is_same = resolution.as_before.copy()
        is_same[[n for n in resolution.census.named_raw if n < len(is_same)]] = False
        is_deleted, is_grouped = resolution.keeper_of > 0, resolution.group_of > 0
        kinds = np.where(is_deleted, _DELETED, np.where(is_grouped, _KEEPER, _ALONE))
        keep, delete, groups = found
        sources = np.where(is_same, kinds, _ANEW).astype(np.uint8)
        return cls(keep, delete, groups, sources, outcomes)

    def write(
        self, part: BlobColumns, first: int, files: Mapping[str, IO[str]], counts: SummaryCounts
    ) -> int:
        """Write and count the rows of a blob and of those after it, up to one whose rows have to be
        made. Returns the place of that one."""
        ids = part.image_ids[first:]
        kinds = self._kinds[np.minimum(ids, len(self._kinds) - 1)]
        kinds[ids >= len(self._kinds)] = _ANEW
        anew = np.flatnonzero(kinds == _ANEW)
        kinds = kinds[: anew[0]] if len(anew) else kinds
        stop = first + len(kinds)
        if len(kinds) >= _FEWEST_TOGETHER and self._written(part, first, kinds, files, counts):
            return stop
        for place, kind in enumerate(kinds.tolist(), start=first):
            if not self._is_written(part, place, kind, files, counts):
                return place
        return stop

    def _written(
        self,
        part: BlobColumns,
        first: int,
        kinds: NDArray[np.uint8],
        files: Mapping[str, IO[str]],
        counts: SummaryCounts,
    ) -> bool:
        """Write and count the rows of some blobs that stand one after the other in the lists.

        False, and nothing is written, where they do not.
        """
        here = slice(first, first + len(kinds))
        uris, sizes = part.uris[here], np.array(part.sizes[here], np.int64)
        is_deleted, is_keeper, is_alone = (kinds == kind for kind in (_DELETED, _KEEPER, _ALONE))
        whys = self._outcomes.whys_alone(part.image_ids[here][is_alone])
        if not whys.all():
            return False
        keep = self._keep.take_all(_chosen(uris, ~is_deleted))
        if keep is None:
            return False
        delete = self._delete.take_all(_chosen(uris, is_deleted))
        groups = self._groups.take_each(_chosen(uris, is_keeper)) if delete is not None else None
        relations = [_relation_of(row) for row in delete or ()]
        if delete is None or groups is None or not all(relations):
            self._groups.put_back(groups or [])
            self._keep.put_back(keep)
            self._delete.put_back(delete or [])
            return False
        for name, rows in ((KEEP, keep), (DELETE, delete), (GROUPS, groups)):
            files[name].writelines(rows)
        counts.groups += len(groups)
        counts.add_all_kept("keeper", sizes[is_keeper])
        for why, (because, _) in WHY_ALONE.items():
            counts.add_all_kept(because, sizes[is_alone][whys == why])
        for relation, size in zip(relations, sizes[is_deleted].tolist(), strict=True):
            counts.add_deleted(relation, size)
        return True

    def _is_written(
        self,
        part: BlobColumns,
        place: int,
        kind: int,
        files: Mapping[str, IO[str]],
        counts: SummaryCounts,
    ) -> bool:
        """Write and count the rows of a blob; False where they have to be made."""
        uri, size = part.uris[place], part.sizes[place]
        alone = self._outcomes.why_alone(int(part.image_ids[place])) if kind == _ALONE else None
        if alone is not None:
            row = self._keep.take(uri)
            if row is None:
                return False
            counts.add_kept(alone[0], size)
        elif kind == _KEEPER:
            row = self._keep.take(uri)
            group = self._groups.take(uri)
            if row is None or group is None:
                return False
            files[GROUPS].write(group)
            counts.groups += 1
            counts.add_kept("keeper", size)
        elif kind == _DELETED:
            row = self._delete.take(uri)
            relation = "" if row is None else _relation_of(row)
            if row is None or not relation:
                return False
            counts.add_deleted(relation, size)
            files[DELETE].write(row)
            return True
        else:
            return False
        files[KEEP].write(row)
        return True


def _relation_of(row: str) -> str:
    """The relation in a row of delete.csv; "" where a comma in a path hides which cell it is."""
    path, keep, relation, _ = row.split(",", 3)
    return "" if '"' in path or '"' in keep else relation


def _chosen(uris: Sequence[str], wanted: NDArray[np.bool_]) -> list[str]:
    return list(compress(uris, wanted.tolist()))


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


def _keep_row(uri: str, reason: str, group: str, size: int) -> str:
    # Groups are numbers in hexadecimal: nothing in them is ever quoted.
    return f"{_quoted(uri)},{_reason_cell(reason)},{group},{size}\n"


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
