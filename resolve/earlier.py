"""What a resolve leaves for the next one of the same index, so that each pair is worked out once.

DIR/resolved    in the index directory; derived: missing, damaged, or of other settings, everything
                is worked out anew

A later resolve searches for the images that are new since, verifies pairs with one of them, and
groups the pools in which something has changed. All other groups are those of the earlier one: with
the same members, and the evidence each had against its keeper.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import IO, TYPE_CHECKING, Any

import msgpack
import numpy as np
from numpy.typing import NDArray

from resolve.groups import Group, Member
from resolve.links import Links, pools_of
from resolve.rare_collections import rare_collections
from search.options import SearchOptions
from search.self_join import Searched
from storage.catalog import Catalog
from storage.cluster import package_version
from storage.errors import IndexStorageError
from storage.index_directory import IndexDirectory
from verify.verdict import Relation

if TYPE_CHECKING:
    from resolve.resolution import ResolveOptions

NAME = "resolved"
_LAYOUT = 3
_LENGTH_BYTES = 8
# Some 3 MB before they are compressed.
_GROUPS_TOGETHER = 2048
_EFFORT = 1
# Members by the hundred thousand: an enumeration takes ten times as long to look one up.
_RELATIONS = {relation.value: relation for relation in Relation}
_NAMES = {relation: relation.value for relation in Relation}
# With more new images than this share, searching for all finds more, from both sides of a pair. For
# so few it makes no difference.
_MOST_NEW, _FEW = 0.1, 100


@dataclass(frozen=True, slots=True, eq=False)
class Earlier:
    """What an earlier resolve has worked out.

    Attributes:
        searched: by the join.
        blobs: uint32 (last id + 1,): what the blobs of each image were (`BlobCensus.of_image`).
        undeletable: bool (last id + 1,): images that stayed whatever the verdicts said.
        links: all copy verdicts.
        groups: those with members.
        lists: SHA-256 of the lists that were written, by name.
        relations: relation to the number of pairs. pairs, passed_over, raw_passed_over: as of
            `Resolution`.
    """

    searched: Searched
    blobs: NDArray[np.uint32]
    undeletable: NDArray[np.bool_]
    links: Links
    groups: tuple[Group, ...]
    relations: Mapping[str, int]
    pairs: int
    passed_over: int
    raw_passed_over: int
    lists: Mapping[str, str] = field(default_factory=dict)


def key_of(catalog: Catalog, options: ResolveOptions, search: SearchOptions) -> str:
    """Of everything that an earlier resolve must have had in common with this one; hex."""
    decisions = options.decisions
    parts = (
        _LAYOUT,
        package_version(),
        catalog.identity.hex(),
        repr(catalog.parameters()),
        repr(search),
        options.prefer,
        options.protect,
        options.verifier,
        options.against,
        sorted(decisions.keep),
        sorted(decisions.not_same),
    )
    return sha256(repr(parts).encode()).hexdigest()


@rare_collections()
def write_earlier(directory: IndexDirectory, key: str, earlier: Earlier) -> str:
    """Replace what the last resolve has left; "" or, in words, why it could not be."""
    if earlier.searched.last_id >= 1 << 32:
        return "Its links number images by 32 bits, and there are more."
    try:
        with (
            directory.replacing(directory.path / NAME) as temporary,
            temporary.open("wb") as file,
        ):
            total = sha256()
            for frame in _frames(key, earlier):
                head = len(frame).to_bytes(_LENGTH_BYTES, "big")
                for part in (head, frame):
                    total.update(part)
                    file.write(part)
            file.write(total.digest())
    except IndexStorageError as error:
        return error.message
    return ""


@rare_collections()
def read_earlier(directory: IndexDirectory, key: str, images: NDArray[np.int64]) -> Earlier | None:
    """What an earlier resolve has left; None without one that is of use.

    Args:
        images: ids, int64, ascending: those in the catalog now.
    """
    with suppress(OSError, ValueError, TypeError, KeyError, msgpack.UnpackException, zlib.error):
        with (directory.path / NAME).open("rb") as file:
            frames = _read(file)
            head = msgpack.unpackb(next(frames), strict_map_key=False)
            if head["key"] != key:
                return None
            if (images > head["last_id"]).sum() > max(_MOST_NEW * len(images), _FEW):
                return None
            groups = tuple(group for frame in frames for group in _groups(frame))
        return _without_the_gone(_earlier(head, groups), images)
    return None


def _without_the_gone(earlier: Earlier, images: NDArray[np.int64]) -> Earlier:
    """What is of use when images are gone: the others of their pools are searched for again.

    Of two copies that were each compared with a third one, nobody knows how they compare with each
    other. Where only one is left of a pool, as when the others were deleted for it, nothing is to
    be found.
    """
    last_id = earlier.searched.last_id
    is_there = np.zeros(last_id + 1, np.bool_)
    is_there[images[images <= last_id]] = True
    links = earlier.links
    label = pools_of(links, last_id + 1)
    left = np.bincount(label[is_there], minlength=last_id + 1)
    has_lost = np.zeros(last_id + 1, np.bool_)
    has_lost[label[links.low[~is_there[links.low]]]] = True
    has_lost[label[links.high[~is_there[links.high]]]] = True
    again = is_there & (has_lost & (left > 1))[label]
    if not again.any():
        return earlier
    return replace(
        earlier,
        searched=replace(earlier.searched, again=np.flatnonzero(again)),
        links=links.where(~(again[links.low] | again[links.high])),
    )


def _frames(key: str, earlier: Earlier) -> Iterator[bytes]:
    links = earlier.links
    yield msgpack.packb(
        {
            "key": key,
            "last_id": earlier.searched.last_id,
            "nearest": {
                model: found.astype("<f4").tobytes()
                for model, found in earlier.searched.nearest.items()
            },
            "blobs": earlier.blobs.astype("<u4").tobytes(),
            "undeletable": np.packbits(earlier.undeletable).tobytes(),
            "low": links.low.astype("<u4").tobytes(),
            "high": links.high.astype("<u4").tobytes(),
            "covering": links.covering.tobytes(),
            "relations": dict(earlier.relations),
            "pairs": earlier.pairs,
            "passed_over": earlier.passed_over,
            "raw_passed_over": earlier.raw_passed_over,
            "lists": dict(earlier.lists),
        }
    )
    for start in range(0, len(earlier.groups), _GROUPS_TOGETHER):
        rows = [
            [
                group.keeper,
                group.reasons,
                [[m.image_id, _NAMES[m.relation], m.score, m.encoded] for m in group.members],
            ]
            for group in earlier.groups[start : start + _GROUPS_TOGETHER]
        ]
        yield zlib.compress(msgpack.packb(rows), _EFFORT)


def _read(file: IO[bytes]) -> Iterator[bytes]:
    """The frames. Raises ValueError at the end when they are not what was written."""
    total = sha256()
    while True:
        head = file.read(_LENGTH_BYTES)
        length = int.from_bytes(head, "big")
        frame = file.read(length) if length < 1 << 40 else b""
        if len(frame) < length or len(head) < _LENGTH_BYTES or length >= 1 << 40:
            if head + frame + file.read() == total.digest():
                return
            raise ValueError("not what was written")
        total.update(head)
        total.update(frame)
        yield frame


def _groups(frame: bytes) -> Iterator[Group]:
    for keeper, reasons, members in msgpack.unpackb(zlib.decompress(frame)):
        yield Group(
            keeper,
            tuple(
                Member(image_id, _RELATIONS[relation], score, encoded)
                for image_id, relation, score, encoded in members
            ),
            tuple(reasons),
        )


def _earlier(head: dict[str, Any], groups: tuple[Group, ...]) -> Earlier:
    last_id = int(head["last_id"])
    flags = np.unpackbits(_array(head["undeletable"], "u1"), count=last_id + 1)
    return Earlier(
        searched=Searched(
            last_id, {model: _array(found, "<f4") for model, found in head["nearest"].items()}
        ),
        blobs=_array(head["blobs"], "<u4"),
        undeletable=flags.astype(np.bool_),
        links=Links(
            _array(head["low"], "<u4").astype(np.int64),
            _array(head["high"], "<u4").astype(np.int64),
            _array(head["covering"], "u1"),
        ),
        groups=groups,
        relations=head["relations"],
        pairs=head["pairs"],
        passed_over=head["passed_over"],
        raw_passed_over=head["raw_passed_over"],
        lists=head.get("lists", {}),
    )


def _array(content: bytes, kind: str) -> NDArray[Any]:
    return np.frombuffer(content, kind).copy()
