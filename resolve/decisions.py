"""What people decided earlier, read from decisions.jsonl and honoured by every later resolve.

One JSON object a line, keyed by the SHA-256 of the contents, so that a decision outlives renames:

    {"a": "<hex>", "b": "<hex>", "decision": "not_same"}     these two are different pictures
    {"digest": "<hex>", "decision": "keep"}                  this picture stays

Other keys (who, when, why) may be added and are ignored.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from storage.catalog_view import CatalogView
from storage.errors import IndexStorageError, UsageError

_DIGEST_BYTES = 32
_EXPECTED = (
    'Each line is {"a": HEX, "b": HEX, "decision": "not_same"} or '
    '{"digest": HEX, "decision": "keep"}, with SHA-256 digests of 64 hexadecimal digits. '
    "Correct the line or remove it."
)


@dataclass(frozen=True, slots=True)
class Decisions:
    """Earlier decisions, by content.

    Attributes:
        not_same: pairs of digests, the lower first.
        keep: digests of images that are never deleted and preferred as keepers.
    """

    not_same: frozenset[tuple[bytes, bytes]] = frozenset()
    keep: frozenset[bytes] = frozenset()

    def __len__(self) -> int:
        return len(self.not_same) + len(self.keep)

    def kept_ids(self, catalog: CatalogView) -> frozenset[int]:
        """The images to keep, where the catalog has them."""
        found = (catalog.image_id(digest) for digest in self.keep)
        return frozenset(image_id for image_id in found if image_id is not None)

    def apart(self, catalog: CatalogView) -> dict[int, frozenset[int]]:
        """Image id to the ids that are not the same, both ways, where the catalog has both."""
        apart: dict[int, set[int]] = {}
        for low, high in self.not_same:
            a, b = catalog.image_id(low), catalog.image_id(high)
            if a is not None and b is not None:
                apart.setdefault(a, set()).add(b)
                apart.setdefault(b, set()).add(a)
        return {image_id: frozenset(others) for image_id, others in apart.items()}


def read_decisions(*paths: Path) -> Decisions:
    """The decisions in these files; a file that does not exist holds none.

    Raises:
        UsageError: a line that is no decision. To pass over it could delete what somebody kept.
        IndexStorageError: a file cannot be read.
    """
    not_same: set[tuple[bytes, bytes]] = set()
    keep: set[bytes] = set()
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
        except UnicodeDecodeError as error:
            raise UsageError(f"{path} is not UTF-8 text.", _EXPECTED) from error
        except OSError as error:
            raise IndexStorageError(
                f"The decisions in {path} cannot be read ({error.strerror or error}).",
                "Make the file readable, or move it away to resolve without them.",
            ) from error
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                _read_line(line, f"{path}, line {number}", not_same, keep)
    return Decisions(frozenset(not_same), frozenset(keep))


def _read_line(line: str, where: str, not_same: set[tuple[bytes, bytes]], keep: set[bytes]) -> None:
    try:
        row = json.loads(line)
        decision = row["decision"]
        if decision == "not_same":
            low, high = sorted((_digest(row["a"]), _digest(row["b"])))
            if low == high:
                raise ValueError("the same bytes are the same picture")
            not_same.add((low, high))
        elif decision == "keep":
            keep.add(_digest(row["digest"]))
        else:
            raise ValueError(f"unknown decision {decision!r}")
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{where} is no decision.", _EXPECTED) from error


def _digest(text: str) -> bytes:
    digest = bytes.fromhex(text)
    if len(digest) != _DIGEST_BYTES:
        raise ValueError("not a SHA-256")
    return digest
