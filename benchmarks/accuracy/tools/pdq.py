"""PDQ, the hash that platforms exchange: 256 bits, 31 apart at most, of sufficient quality."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.accuracy.pairs import ScoredPairs, hamming_pairs
from benchmarks.accuracy.tools.base import missing

# Both from Meta's "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm":
# pictures with less than quality 50 have too little detail for their hash to be compared.
MAX_DISTANCE = 31
MIN_QUALITY = 50
_BITS = 256


class Pdq:
    """`pdqhash.compute(rgb)` and a Hamming distance."""

    name = "pdqhash"
    setting = f"distance ≤ {MAX_DISTANCE} of {_BITS}, quality ≥ {MIN_QUALITY}"

    def pairs(self, files: Sequence[Path]) -> ScoredPairs:
        """See `ComparedTool.pairs`."""
        try:
            import pdqhash
        except ImportError:
            raise missing("pdqhash") from None
        hashes = np.zeros((len(files), _BITS // 8), np.uint8)
        usable = np.zeros(len(files), bool)
        for place, path in enumerate(files):
            try:
                with Image.open(path) as image:
                    bits, quality = pdqhash.compute(np.asarray(image.convert("RGB")))
            except OSError:
                continue
            hashes[place] = np.packbits(np.asarray(bits, bool))
            usable[place] = quality >= MIN_QUALITY
        return hamming_pairs(hashes, usable, MAX_DISTANCE)
