"""report.html: the counts as plots and the groups side by side, for eyes, without a network.

It is made of the lists and the index. One file as long as that stays small; above that, the groups
lie in a folder beside it and are loaded a few at a time, so that results of any size open at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from resolve.output_folder import output_faults, replacing_files
from resolve.page.document import data_element, write_document
from resolve.page.groups_file import RELATIONS, GroupsFile, open_groups
from resolve.page.images import Images, IndexedImages
from resolve.page.parts import PartOptions, Parts, parts_folder, remove_folders
from resolve.page.plots import bars
from resolve.page.tally import Tally, unreadable_kinds
from resolve.page.text import bytes_text, shown_path
from resolve.summary import Summary
from storage.catalog_view import CatalogView

REPORT = "report.html"

_KEPT_WORDS = {
    "no_copies": "no copies found",
    "keeper": "stands for its copies",
    "not_covered": "alike, but none covers it",
    "protected": "protected",
    "decided": "decided by you",
    "same_object": "another name of what stays",
    "raw": "RAW files",
    "reference": "in the reference index too",
}


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """How large things may become.

    Attributes:
        images_in_one_file: with more pictures than this, groups lie in a folder beside the report;
            a preview takes some 17 kB, so the one file stays below some 45 MB.
        parts: how the groups are written.
    """

    images_in_one_file: int = 2500
    parts: PartOptions = field(default_factory=PartOptions)


def write_report(
    out: Path,
    catalog: CatalogView,
    summary: Summary,
    options: ReportOptions | None = None,
) -> Path:
    """Writes report.html of the lists in the folder `out` and returns its path.

    Args:
        catalog: the index the lists were made of, or it and the reference index.
        summary: what `write_lists` returned.

    Raises:
        UsageError: there are no lists in `out`.
        IndexStorageError: the folder cannot be written to, or the disk is full.
    """
    return write_report_of(out, IndexedImages(catalog), summary, options or ReportOptions())


def write_report_of(out: Path, images: Images, summary: Summary, options: ReportOptions) -> Path:
    """The same, for images from anywhere."""
    tally = Tally()
    with open_groups(out, tally.saw) as groups, output_faults(out):
        order = groups.ordered()
        is_one_file = int(groups.copies.sum()) + len(groups) <= options.images_in_one_file
        parts = Parts(groups, order.tolist(), images, options.parts)
        with (
            nullcontext("") if is_one_file else parts_folder(parts, out) as folder,
            replacing_files(out, (REPORT,)) as paths,
            paths[REPORT].open("w", encoding="utf-8", newline="") as file,
        ):
            write_document(
                file,
                "report.html",
                styles=("page.css", "report.css"),
                scripts=("dom.js", "pair.js", "card.js", "report.js"),
                parts={
                    "<!--LEAD-->": [_lead(summary)],
                    "<!--PLOTS-->": _plots(summary, tally, unreadable_kinds(out)),
                    "<!--RUN-->": [_run(summary)],
                    "<!--DATA-->": _data(groups, order.tolist(), parts, folder),
                },
            )
        if is_one_file:
            remove_folders(out)
    return out / REPORT


def _lead(summary: Summary) -> str:
    return (
        f"Of {summary.blobs:,} files, {summary.delete:,} are copies that may go, which frees "
        f"{escape(bytes_text(summary.bytes_to_free))}. {summary.keep:,} stay, "
        f"{summary.unreadable:,} could not be read."
    )


def _plots(summary: Summary, tally: Tally, unreadable: Mapping[str, int]) -> Iterator[str]:
    by_count = sorted(summary.deleted.items(), key=lambda item: -item[1])
    yield bars(
        "Files that may go, by relation to what stays",
        {_words(relation): count for relation, count in by_count},
    )
    yield bars(
        "Bytes to free, by relation",
        {_words(relation): tally.bytes[relation] for relation, _ in by_count},
        bytes_text,
    )
    yield bars(
        "Files that stay, and why",
        {
            _KEPT_WORDS.get(why, _words(why)): count
            for why, count in sorted(summary.kept.items(), key=lambda item: -item[1])
        },
    )
    yield bars("Groups, by number of files", tally.by_size)
    yield bars("Copies, by how sure the verdict is", tally.by_score)
    yield bars("Files that could not be read, by kind", unreadable)


def _words(name: str) -> str:
    return shown_path(name.replace("_", " "))


def _run(summary: Summary) -> str:
    passed_over = summary.pairs_passed_over
    decided = f", {passed_over:,} pairs that you had decided" if passed_over else ""
    return (
        f"{summary.images:,} different images, {summary.groups:,} groups, "
        f"{summary.pairs:,} pairs compared{decided}. "
        f"Verifier {escape(shown_path(summary.versions['verifier']) or 'unknown')}."
    )


def _data(groups: GroupsFile, order: list[int], parts: Parts, folder: str) -> Iterator[str]:
    """What groups are sorted and filtered by, and, in a report of one file, the groups."""
    index: dict[str, Any] = {
        "folder": folder,
        "partSize": parts.size,
        "relations": [relation.value for relation in RELATIONS],
        "relationsOf": groups.relations[order].tolist(),
        "scores": [round(score, 5) for score in groups.scores[order].tolist()],
        "bytes": groups.bytes[order].tolist(),
        "folders": [shown_path(name) for name in groups.folders],
        "foldersOf": [groups.folders_of[place] for place in order],
    }
    yield from data_element("index", index)
    if not folder:
        for number in range(len(parts)):
            yield from data_element(f"part-{number}", parts.cards(number))
