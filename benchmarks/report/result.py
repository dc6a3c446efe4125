"""An invented result of any size: groups.jsonl with real-looking evidence, and its images.

Two hundred previews are cut out of photographs that scikit-image carries; every image of the result
has one of them. A catalog of a quarter of a million previews would take 12 GB and change nothing.
"""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from resolve.effort import Effort
from resolve.lists import GROUPS, SUMMARY, UNREADABLE, UNREADABLE_COLUMNS
from resolve.summary import LISTS_VERSION, Summary
from storage.records import ImageRecord, Metadata, Quality
from verify.verdict import Relation

_PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
_PREVIEWS = 200
_SIDE = 640
_GROUPS_A_FOLDER = 50
_RELATIONS = (
    Relation.REENCODED, Relation.RESIZED, Relation.CROPPED, Relation.ADJUSTED, Relation.EDITED,
)  # fmt: skip


class InventedImages:
    """Answers for every digest, as the index does."""

    def __init__(self) -> None:
        self._previews = _cut_previews()

    def record(self, digest: bytes) -> ImageRecord | None:
        return ImageRecord(
            digest=digest, byte_size=2_000_000, format="JPEG", width=4000, height=3000,
            orientation=1, hash64=bytes(8), hash256=bytes(32), texture=1.0,
            colour_histogram=np.zeros(64, np.uint8),
            colour_layout=np.zeros((4, 4, 3), np.uint8),
            quality=Quality(jpeg_quality=90, chroma_subsampling="4:2:0"),
            metadata=Metadata(taken_at="2024-05-31 18:00:00", camera="Camera 1", has_exif=True),
        )  # fmt: skip

    def preview(self, digest: bytes) -> bytes | None:
        return self._previews[digest[0] % len(self._previews)]

    def modified(self, digest: bytes, uri: str) -> float | None:
        return 1_700_000_000.0


def write_result(folder: Path, groups: int) -> Summary:
    """Writes the lists that the report reads; groups have one to four copies."""
    random = np.random.default_rng(6)
    copies = 0
    with (folder / GROUPS).open("w", encoding="utf-8") as file:
        for number in range(groups):
            keeper = _image(number, 0)
            members = [
                _image(number, place) | _evidence(random)
                for place in range(1, int(random.integers(1, 5)) + 1)
            ]
            copies += len(members)
            row = {
                "id": keeper["digest"][:16],
                "keeper": keeper
                | {
                    "reasons": [
                        "shows the whole frame; one of the others up to 20 % less",
                        "largest: 4000×3000; the others 1600×1200",
                    ],
                    "in_reference": False,
                },
                "also_kept": [],
                "members": members,
            }
            file.write(json.dumps(row) + "\n")
    (folder / UNREADABLE).write_text(",".join(UNREADABLE_COLUMNS) + "\n")
    summary = _summary(groups, copies)
    (folder / SUMMARY).write_text(json.dumps(summary.as_json()))
    return summary


def _image(group: int, place: int) -> dict[str, Any]:
    return {
        "path": f"az://account/photos/2024/{group // _GROUPS_A_FOLDER:05d}/{group}-{place}.jpg",
        "digest": hashlib.sha256(f"{group}/{place}".encode()).hexdigest(),
        "width": 4000,
        "height": 3000,
        "bytes": 2_000_000 + group,
        "format": "JPEG",
    }


def _evidence(random: np.random.Generator) -> dict[str, Any]:
    relation = _RELATIONS[int(random.integers(len(_RELATIONS)))]
    return {
        "relation": relation.value,
        "score": round(1.0 - float(random.exponential(0.004)) % 0.1, 6),
        "transform": (np.eye(3) + random.normal(0, 1e-6, (3, 3))).tolist(),
        # As many as the verifier gives.
        "measurements": {f"measurement_{n}": float(random.random()) for n in range(25)},
        "reason": "smaller, saved again with stronger compression",
    }


def _cut_previews() -> list[bytes]:
    random = np.random.default_rng(6)
    photographs = [
        cv2.imread(str(files("skimage") / "data" / name), cv2.IMREAD_COLOR) for name in _PHOTOGRAPHS
    ]
    previews = []
    for number in range(_PREVIEWS):
        pixels = photographs[number % len(photographs)]
        assert pixels is not None
        top, left = (int(random.integers(0, size // 3)) for size in pixels.shape[:2])
        cut = cv2.resize(pixels[top:, left:], (_SIDE, _SIDE * 3 // 4), interpolation=cv2.INTER_AREA)
        previews.append(cv2.imencode(".jpg", cut, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes())
    return previews


def _summary(groups: int, copies: int) -> Summary:
    return Summary(
        lists_version=LISTS_VERSION, blobs=groups + copies, keep=groups, delete=copies,
        unreadable=0, images=groups + copies, groups=groups, reference_keepers=0,
        bytes=2_000_000 * (groups + copies), bytes_to_free=2_000_000 * copies,
        kept={"keeper": groups}, deleted={Relation.EDITED.value: copies}, pairs=copies,
        pairs_passed_over=0, pairs_by_relation={}, seconds={}, verification=Effort().as_json(),
        options={"prefer": [], "protect": [], "against": "", "decisions": 0},
        versions={"dedup": "", "verifier": "invented"},
    )  # fmt: skip
