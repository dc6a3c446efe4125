"""A card: all that a page shows of one group, as JSON.

A line of groups.jsonl has the files, the evidence and the reasons; dates and metadata come from the
index. Texts are made printable here and put into the page as text, never as markup.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from resolve.page.images import Images
from resolve.page.placing import onto_keeper
from resolve.page.text import shown_path
from storage.records import ImageRecord, Metadata
from verify.verdict import Relation

# A line of groups.jsonl, see docs/formats.md.
Row = Mapping[str, Any]
PreviewUrl = Callable[[str], str | None]


class ImageJson(TypedDict):
    """A file of a group.

    `modified` is in seconds since the epoch, null when the file has left the index. `facts` are
    what the file says of itself, in words. `preview` is an address or null.
    """

    path: str
    digest: str
    width: int
    height: int
    bytes: int
    format: str
    modified: float | None
    facts: list[str]
    preview: str | None


class KeeperJson(ImageJson):
    """The one that stays."""

    reasons: list[str]
    in_reference: bool


class CopyJson(ImageJson):
    """One that may go, with its evidence; `onto` is as `onto_keeper` gives it."""

    relation: str
    score: float
    reason: str
    onto: list[float] | None


class CardJson(TypedDict):
    """A group. `more` is how many copies there are beyond those in `copies`."""

    id: str
    score: float
    bytes: int
    keeper: KeeperJson
    also_kept: list[str]
    copies: list[CopyJson]
    more: int


def card(row: Row, images: Images, preview_url: PreviewUrl, most_copies: int) -> CardJson:
    """The card of a group, its least certain copies first.

    Args:
        preview_url: from the hex digest of an image to where its preview is; None for none.
    """
    keeper = row["keeper"]
    members = sorted(row["members"], key=lambda member: float(member["score"]))
    return {
        "id": str(row["id"]),
        "score": lowest_score(row),
        "bytes": bytes_to_free(row),
        "keeper": {
            **_image(keeper, images, preview_url),
            "reasons": [shown_path(reason) for reason in keeper["reasons"]],
            "in_reference": bool(keeper["in_reference"]),
        },
        "also_kept": [
            shown_path(f"{kept['path']} ({kept['reason']})") for kept in row["also_kept"]
        ][:most_copies],
        "copies": [_copy(member, keeper, images, preview_url) for member in members[:most_copies]],
        "more": max(0, len(members) - most_copies),
    }


def lowest_score(row: Row) -> float:
    """The score of the least certain copy; 1 when all that goes are the same bytes."""
    return min((float(member["score"]) for member in row["members"]), default=1.0)


def bytes_to_free(row: Row) -> int:
    """What the copies take."""
    return sum(int(member["bytes"]) for member in row["members"])


def relations(row: Row) -> set[Relation]:
    """How the copies relate to the keeper."""
    return {Relation(member["relation"]) for member in row["members"]}


def _copy(member: Row, keeper: Row, images: Images, preview_url: PreviewUrl) -> CopyJson:
    return {
        **_image(member, images, preview_url),
        "relation": str(member["relation"]),
        "score": float(member["score"]),
        "reason": shown_path(member["reason"]),
        "onto": onto_keeper(member["transform"], _size(keeper), _size(member)),
    }


def _size(image: Row) -> tuple[int, int]:
    return int(image["width"]), int(image["height"])


def _image(image: Row, images: Images, preview_url: PreviewUrl) -> ImageJson:
    digest = str(image["digest"])
    content = bytes.fromhex(digest)
    record = images.record(content)
    return {
        "path": shown_path(image["path"]),
        "digest": digest,
        "width": int(image["width"]),
        "height": int(image["height"]),
        "bytes": int(image["bytes"]),
        "format": shown_path(image["format"]),
        "modified": images.modified(content, image["path"]),
        "facts": [] if record is None else _facts(record),
        "preview": preview_url(digest),
    }


def _facts(record: ImageRecord) -> list[str]:
    """What the file says of itself, and how strongly it is compressed."""
    said: Metadata = record.metadata
    facts = []
    if record.quality.jpeg_quality:
        subsampling = record.quality.chroma_subsampling
        facts.append(f"JPEG quality {record.quality.jpeg_quality}, {subsampling}".rstrip(", "))
    if said.taken_at:
        facts.append(f"taken {said.taken_at}")
    if said.camera:
        facts.append(f"camera {said.camera}")
    if said.software:
        facts.append(f"software {said.software}")
    if record.orientation != 1:
        facts.append(f"EXIF orientation {record.orientation}")
    facts += [
        name
        for name, has_it in (
            ("EXIF", said.has_exif),
            ("place (GPS)", said.has_gps),
            ("colour profile", said.has_icc),
            ("transparency", said.has_alpha),
        )
        if has_it
    ]
    if said.bits_per_channel != 8:
        facts.append(f"{said.bits_per_channel} bits a channel")
    if said.frames > 1:
        facts.append(f"{said.frames} frames")
    return [shown_path(fact) for fact in facts]
