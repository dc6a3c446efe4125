"""report.html: the groups side by side, in one file that asks the network for nothing.

Everything that comes from files or their names is escaped; a Content-Security-Policy forbids
everything but the previews and the script in the page, should something slip through.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from html import escape
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np

from resolve.groups import Group
from resolve.outcomes import SAME_BYTES, Outcomes
from resolve.output_folder import replacing_files
from resolve.resolve import Resolution
from resolve.summary import Summary, SummaryCounts
from storage.catalog_view import CatalogView
from storage.records import BlobEntry, Holder
from verify.verdict import Relation

REPORT = "report.html"
# A preview of 320 pixels is some 12 kB, so that the whole page stays below some 50 MB.
GROUPS_SHOWN = 500
_COPIES_SHOWN = 24
_PREVIEWS_SHOWN = 3000
_PREVIEW_SIDE = 320
_PREVIEW_QUALITY = 75

_KEPT_WORDS = {
    "no_copies": "no copies found",
    "keeper": "stands for its copies",
    "not_covered": "like others, but none may stand for it",
    "protected": "protected",
    "decided": "decided by you",
    "same_object": "another name of a file that stays",
    "reference": "in the reference index too",
}


def write_report(
    resolution: Resolution, catalog: CatalogView, out: Path, summary: Summary | None = None
) -> Path:
    """Writes report.html into the folder `out` and returns its path.

    Args:
        summary: what `write_lists` returned; without it the blobs are counted again.

    Raises:
        IndexStorageError: the folder cannot be written to, or the disk is full.
    """
    outcomes = Outcomes(resolution, catalog)
    if summary is None:
        counts = SummaryCounts()
        for outcome in outcomes:
            counts.add(outcome)
        counts.groups = len(resolution.groups)
        summary = counts.summary(resolution, catalog, 0.0)
    shown = least_certain(resolution, catalog, GROUPS_SHOWN)
    parts: dict[str, Iterator[str]] = {
        "/*STYLE*/": iter([_resource("report.css")]),
        "<!--LEAD-->": iter([_lead(summary)]),
        "<!--COUNTS-->": iter(_counts(summary)),
        "<!--SHOWN-->": iter([_shown(len(shown), len(resolution.groups))]),
        "<!--FILTERS-->": iter(_filters(resolution, shown)),
        "<!--GROUPS-->": _articles(shown, resolution, outcomes, catalog),
        "/*SCRIPT*/": iter([_resource("report.js")]),
    }
    with replacing_files(out, (REPORT,)) as paths:
        _fill(paths[REPORT], parts)
    return out / REPORT


def _fill(path: Path, parts: Mapping[str, Iterator[str]]) -> None:
    """Writes the template with the parts in place of their markers, which are in this order."""
    rest = _resource("report.html")
    with path.open("w", encoding="utf-8", newline="") as file:
        for marker, pieces in parts.items():
            before, _, rest = rest.partition(marker)
            file.write(before)
            file.writelines(pieces)
        file.write(rest)


def least_certain(resolution: Resolution, catalog: CatalogView, most: int) -> list[int]:
    """Places of the groups, the least certain first; ties in an order that content decides."""
    scores = np.array([group.lowest_score for group in resolution.groups])
    order = np.argsort(scores, kind="stable")
    if len(order) > most:
        # Content decides only among those that may be shown: a record is read for each.
        order = order[scores[order] <= scores[order[most - 1]]]
    return sorted(
        order[: 4 * most].tolist(),
        key=lambda n: (scores[n], catalog.record(resolution.groups[n].keeper).digest),
    )[:most]


def _resource(name: str) -> str:
    return (files("resolve") / "templates" / name).read_text(encoding="utf-8")


def _lead(summary: Summary) -> str:
    return (
        f"Of {summary.blobs:,} files, {summary.delete:,} are copies that may go, which frees "
        f"{escape(bytes_text(summary.bytes_to_free))}. {summary.keep:,} stay, "
        f"{summary.unreadable:,} could not be read."
    )


def _counts(summary: Summary) -> Iterator[str]:
    kept = {_KEPT_WORDS.get(key, key): count for key, count in summary.kept.items()}
    kept["total"] = summary.keep
    gone = {key.replace("_", " "): count for key, count in summary.deleted.items()}
    gone["total"] = summary.delete
    yield _table("Files that stay", kept)
    yield _table("Files that may go, by relation to what stays", gone)
    yield _table(
        "The run",
        {
            "different images": summary.images,
            "groups": summary.groups,
            "pairs verified": summary.pairs,
            "pairs you had decided": summary.pairs_passed_over,
        },
    )


def _table(caption: str, rows: Mapping[str, int]) -> str:
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{count:,}</td></tr>'
        for name, count in rows.items()
    )
    return f"<table><caption>{escape(caption)}</caption><tbody>{body}</tbody></table>\n"


def _shown(shown: int, groups: int) -> str:
    if not groups:
        return "No copies were found."
    if shown < groups:
        return (
            f"The {shown:,} least certain of {groups:,} groups are shown, the least certain first; "
            "all of them are in groups.jsonl."
        )
    return f"{groups:,} {'group' if groups == 1 else 'groups'}, the least certain first."


def _filters(resolution: Resolution, shown: list[int]) -> Iterator[str]:
    found = {name for n in shown for name in _relations(resolution.groups[n])}
    yield '<button type="button" aria-pressed="true" data-relation="">all</button>'
    for relation in Relation:
        if relation.value in found:
            yield (
                f'<button type="button" aria-pressed="false" data-relation="{relation.value}">'
                f"{escape(relation.value.replace('_', ' '))}</button>"
            )


def _relations(group: Group) -> set[str]:
    return {member.relation.value for member in group.members} or {Relation.EXACT.value}


def _articles(
    shown: list[int], resolution: Resolution, outcomes: Outcomes, catalog: CatalogView
) -> Iterator[str]:
    left = _PREVIEWS_SHOWN
    for number, place in enumerate(shown, start=1):
        group = resolution.groups[place]
        plan = outcomes.plan(group.keeper)
        if plan is None:
            continue
        members = sorted(group.members, key=lambda member: member.score)
        entries = [(member, catalog.blobs_of(member.image_id)) for member in members]
        paths = [plan.kept.uri, *(entry.uri for _, found in entries for entry in found)]
        relations = _relations(group) | ({Relation.EXACT.value} if plan.deleted else set())
        copies = sum(len(found) for _, found in entries) + len(plan.deleted)
        yield (
            f'<article tabindex="-1" aria-labelledby="group-{number}" '
            f'data-relations="{escape(" ".join(sorted(relations)))}" '
            f'data-paths="{escape(shown_path(" ".join(paths)).lower())}">'
            f'<h3 id="group-{number}">Group {number}: {copies} '
            f"{'copy' if copies == 1 else 'copies'} of <bdi>{_name(plan.kept.uri)}</bdi></h3>"
            '<div class="images">'
        )
        reasons = "".join(f"<li>{escape(shown_path(reason))}</li>" for reason in group.reasons)
        notes = [f"Stays too: {why}: {entry.uri}" for entry, why in plan.also_kept]
        notes += [f"Goes, {SAME_BYTES}: {entry.uri}" for entry in plan.deleted[:_COPIES_SHOWN]]
        yield _figure(
            plan.kept,
            "keep",
            _stays(plan.kept),
            f"<ul>{reasons}</ul>{_notes(notes)}",
            catalog,
            left > 0,
        )
        left -= 1
        for member, found in entries[:_COPIES_SHOWN]:
            verdict = member.verdict
            words = f"{verdict.relation.value.replace('_', ' ')}, score {verdict.score:.3f}"
            others = [f"And, {SAME_BYTES}: {entry.uri}" for entry in found[1:_COPIES_SHOWN]]
            details = f"<p>{escape(shown_path(verdict.reason))}</p>{_notes(others)}"
            if found:
                yield _figure(found[0], "go", f"Goes: {words}", details, catalog, left > 0)
                left -= 1
        yield "</div>"
        if len(entries) > _COPIES_SHOWN:
            yield f'<p class="soft">And {len(entries) - _COPIES_SHOWN:,} more.</p>'
        yield "</article>\n"


def _stays(entry: BlobEntry) -> str:
    return "Stays" if entry.holder is Holder.OWN else "Stays, in the reference index"


def _figure(
    entry: BlobEntry, kind: str, tag: str, details: str, catalog: CatalogView, with_preview: bool
) -> str:
    record = catalog.record(entry.image_id)
    image = _preview(catalog, entry) if with_preview else '<p class="soft">No preview here.</p>'
    return (
        f'<figure class="{kind}">{image}<figcaption><p class="tag">{escape(tag)}</p>'
        f'<p class="path"><bdi>{escape(shown_path(entry.uri))}</bdi></p>'
        f'<p class="soft">{record.width}×{record.height}, {escape(record.format)}, '
        f"{escape(bytes_text(entry.size))}</p>{details}</figcaption></figure>"
    )


def _notes(lines: list[str]) -> str:
    return "".join(f'<p class="soft"><bdi>{escape(shown_path(line))}</bdi></p>' for line in lines)


def _preview(catalog: CatalogView, entry: BlobEntry) -> str:
    content = np.frombuffer(catalog.preview(entry.image_id), np.uint8)
    record = catalog.record(entry.image_id)
    # Where a preview is twice as long as a figure, half of it is decoded at a third of the cost.
    is_long = max(record.width, record.height) >= 2 * _PREVIEW_SIDE
    pixels = cv2.imdecode(content, cv2.IMREAD_REDUCED_COLOR_2 if is_long else cv2.IMREAD_COLOR)
    if pixels is None:
        return '<p class="soft">The preview is damaged.</p>'
    height, width = pixels.shape[:2]
    scale = min(1.0, _PREVIEW_SIDE / max(height, width))
    if scale < 1.0:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _PREVIEW_QUALITY])
    data = base64.b64encode(encoded.tobytes()).decode("ascii")
    height, width = pixels.shape[:2]
    return (
        f'<img src="data:image/jpeg;base64,{data}" width="{width}" height="{height}" '
        f'alt="{_name(entry.uri)}" decoding="async">'
    )


def _name(uri: str) -> str:
    return escape(shown_path(uri.rsplit("/", 1)[-1]))


def shown_path(text: str) -> str:
    """A name as a page can show it: what is not UTF-8, and control characters, are escaped."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


def bytes_text(count: float) -> str:
    """A number of bytes with a fitting unit: 1.5 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
