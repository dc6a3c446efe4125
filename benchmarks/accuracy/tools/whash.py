"""ImageHash's wavelet hash, as most people use it: 64 bits, Haar, ten bits apart at most."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.accuracy.pairs import ScoredPairs, hamming_pairs
from benchmarks.accuracy.tools.base import missing

HASH_SIZE = 8
MAX_DISTANCE = 10


class Whash:
    """`imagehash.whash(image)` and a Hamming distance."""

    name = "imagehash whash"
    setting = f"hash_size {HASH_SIZE}, distance ≤ {MAX_DISTANCE} of {HASH_SIZE**2}"

    def pairs(self, files: Sequence[Path]) -> ScoredPairs:
        """See `ComparedTool.pairs`."""
        try:
            import imagehash
        except ImportError:
            raise missing("imagehash") from None
        hashes = np.zeros((len(files), HASH_SIZE**2 // 8), np.uint8)
        usable = np.zeros(len(files), bool)
        for place, path in enumerate(files):
            try:
                with Image.open(path) as image:
                    value = imagehash.whash(image, hash_size=HASH_SIZE)
            except OSError:
                continue
            hashes[place] = np.packbits(value.hash.ravel())
            usable[place] = True
        return hamming_pairs(hashes, usable, MAX_DISTANCE)
