"""The corpus that fuzzing begins with: one small sound input of each kind, and some odd ones.

What made a target fail is added to it by hand, named after what was wrong: the tests run every
input of the corpus through its target.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path

import msgpack
import numpy as np
import skimage
from PIL import Image

from benchmarks.fuzz.targets import kind_byte
from benchmarks.hostile.variants import VARIANTS, encode
from resolve.apply.journal import LAYOUT, Header
from resolve.lists import DELETE_COLUMNS
from storage import codec
from storage.parameters import SCHEMA_VERSION, IndexParameters, ModelParameters
from storage.records import BlobEntry, BlobStatus, ImageRecord
from storage.runs import Run
from verify.codec import encode_verdict
from verify.verdict import Relation, Verdict

_SIZE = (40, 28)
# Of the orientations, the one that turns and mirrors.
_SKIPPED = tuple(f"-orientation-{n}" for n in (1, 2, 3, 4, 5, 6, 8))


def write_seeds(corpus: Path) -> int:
    """Write them below `corpus`, a folder for each target; how many."""
    count = 0
    for target, name, content in _seeds():
        path = corpus / target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        count += 1
    return count


def _seeds() -> Iterator[tuple[str, str, bytes]]:
    for name, content in _pictures():
        yield "decode", name, content
    for kind, value in _values():
        yield "catalog", kind, kind_byte("catalog", kind) + value
    for kind, text in _lists():
        yield "lists", kind, kind_byte("lists", kind) + text.encode()
    for kind, text in _settings():
        yield "config", kind, kind_byte("config", kind) + text.encode()


def _pictures() -> Iterator[tuple[str, bytes]]:
    with Image.open(Path(skimage.__file__).parent / "data" / "astronaut.png") as opened:
        small = opened.convert("RGB").resize(_SIZE)
    for name, variant in VARIANTS.items():
        if not name.endswith(_SKIPPED):
            yield name, variant(small)
    yield "png-grey-alpha", encode(small.convert("LA"), "PNG")
    yield "png-one-bit", encode(small.convert("1"), "PNG")
    floats = np.asarray(small.convert("L"), np.float32) / 255
    yield "tiff-float", encode(Image.fromarray(floats), "TIFF")
    deflated = io.BytesIO()
    small.save(deflated, "TIFF", compression="tiff_adobe_deflate", tiffinfo={270: "a" * 40})
    yield "tiff-deflate", deflated.getvalue()
    yield "gif-in-jpeg", encode(small, "JPEG") + encode(small, "GIF")


def _values() -> Iterator[tuple[str, bytes]]:
    digest = sha256(b"seed").digest()
    record = ImageRecord(
        digest, 1234, "JPEG", 640, 480, 6, digest[:8], digest, 0.5,
        np.zeros(64, np.uint8), np.zeros((4, 4, 3), np.uint8),
    )  # fmt: skip
    yield "record", codec.encode_record(record)
    entry = BlobEntry(
        "/photos/summer/001.jpg", 1234, "e", 1.5, "1:2", "/photos", BlobStatus.INDEXED, 7
    )
    yield "entry", codec.encode_entry(entry)
    yield "run", codec.encode_run(Run(1, 1.5, None, ("/photos",)))
    model = ModelParameters("net", 32, "f" * 64, "torch-cpu-f32", 224)
    parameters = IndexParameters(SCHEMA_VERSION, "1", 640, (model,))
    yield "parameters", codec.encode_parameters(replace(parameters, preview_size=320))
    blob = ["/photos/a.jpg", 3, "e", 1.5, None, "1:2", ""]
    yield "page", msgpack.packb([1, "m", False, bytes(8), [0, 0, 0, 0, 0], [blob]])
    yield "head", msgpack.packb([1, "/photos", "all", 1.5])
    yield "block", (5).to_bytes(8, "little") + np.ones((3, 4), "<f2").tobytes()
    yield "hashes", codec.encode_hashes(record)
    verdict = Verdict(
        relation=Relation.RESIZED,
        score=0.9,
        a_covers_b=True,
        b_covers_a=False,
        transform=np.eye(3),
        measurements={"residual": 0.1},
        reason="the same, smaller",
    )
    yield "verdict", encode_verdict(verdict)


def _lists() -> Iterator[tuple[str, str]]:
    one, other = sha256(b"a").hexdigest(), sha256(b"b").hexdigest()
    decisions = (
        f'{{"a": "{one}", "b": "{other}", "decision": "not_same", "entry": "1"}}\n'
        f'{{"digest": "{one}", "decision": "keep", "entry": "2"}}\n'
    )
    yield "decisions", decisions
    yield "review", decisions
    row = '/photos/a.jpg,"/photos/b, c.jpg",resized,0.98,1234,1,"smaller; ""half"""'
    yield "delete.csv", f"{','.join(DELETE_COLUMNS)}\n{row}\n"
    header = asdict(Header("20260101-000000-abcdef", "delete", "0" * 64, "/l", "", 1.5))
    lines = [{"journal": LAYOUT, **header}, {"state": "done", "uri": "/photos/a.jpg", "at": 1.5}]
    yield "journal", "".join(f"{line}\n".replace("'", '"') for line in lines)


def _settings() -> Iterator[tuple[str, str]]:
    yield (
        "toml",
        'index = "i"\nworkers = 4\nmodel = ["efficientnet_lite0", "clip:ViT-B-32=/w"]\n'
        'prefer = ["folder:/a", "largest"]\nsince = 2024-05-31\ntag = "dedup=delete"\n',
    )
    yield "environment", "workers=4\nmax_megapixels=80\nsince=2024-05-31T18:00Z\ndevice=cuda:1\n"
    yield "pattern", "2024/**/scan-[!a-c]?.tif"
    yield "rules", "folder:/photos\nformat:png\nlargest\n"
    yield "address", "account/container/folder/name%20a.jpg?sig=x"
