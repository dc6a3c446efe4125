"""The parts of the pass alone: one process, one thread, nothing else of ours beside it.

python -m benchmarks.throughput.parts PICTURES COUNT     prints milliseconds an image as JSON
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Parts:
    """CPU milliseconds of one image.

    Attributes:
        decode: JPEG to upright pixels, scaled by the DCT where they are many.
        describe: hashes, colour, quality measures, preview, the network's input.
        network: EfficientNet-Lite0 in full batches, with the default runtime.
        digest: SHA-256 of the file.
    """

    decode: float
    describe: float
    network: float
    digest: float

    @property
    def total(self) -> float:
        """Of an image."""
        return self.decode + self.describe + self.network + self.digest

    def mean(self, other: Parts) -> Parts:
        """Between two measurements."""
        return Parts(
            *(
                (a + b) / 2
                for a, b in zip(asdict(self).values(), asdict(other).values(), strict=True)
            )
        )


def measure_parts(pictures: Path, count: int) -> Parts:
    """The parts on the first `count` pictures of a folder, in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.throughput.parts", str(pictures), str(count)],
        env={**os.environ, **dict.fromkeys(_ONE_THREAD, "1")},
        stdout=subprocess.PIPE,
        check=True,
    )
    return Parts(**json.loads(run.stdout))


def _main(pictures: Path, count: int) -> None:
    import cv2
    import numpy as np

    from indexer.decode import decode
    from indexer.embedders.base import BATCH
    from indexer.embedders.registry import load_embedder
    from indexer.extract import ExtractOptions, extract

    cv2.setNumThreads(1)
    options = ExtractOptions()
    files = sorted(pictures.iterdir())[:count]
    contents = [path.read_bytes() for path in files]
    digests = [sha256(content).digest() for content in contents]
    whole = _milliseconds(
        lambda pair: extract(pair[0], pair[1], options), list(zip(contents, digests, strict=True))
    )
    decoded = _milliseconds(lambda content: decode(content, options.limits), contents)
    embedder = load_embedder("efficientnet_lite0", threads=1)
    inputs = [
        extract(content, digest, options).network_inputs[embedder.spec.input_size]
        for content, digest in zip(contents[: 4 * BATCH], digests, strict=False)
    ]
    batches = [np.stack([inputs[at % len(inputs)] for at in range(BATCH)])] * 8
    parts = Parts(
        decode=decoded,
        describe=whole - decoded,
        network=_milliseconds(embedder.embed, batches) / BATCH,
        digest=_milliseconds(lambda content: sha256(content).digest(), contents),
    )
    print(json.dumps(asdict(parts)))


def _milliseconds(work: Callable[[Item], object], items: Sequence[Item]) -> float:
    """CPU time of the work on one item, once it is warm."""
    work(items[0])
    started = time.process_time()
    for item in items:
        work(item)
    return 1000.0 * (time.process_time() - started) / len(items)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]))
