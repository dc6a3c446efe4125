"""imagededup's perceptual hash: 64 bits, ten apart at most."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.accuracy.pairs import ScoredPairs, hamming_pairs
from benchmarks.accuracy.tools.base import missing

MAX_DISTANCE = 10
_BITS = 64


class ImagededupPhash:
    """`PHash().encode_image(file)`; `find_duplicates` compares these by their Hamming distance."""

    name = "imagededup PHash"
    setting = f"max_distance_threshold {MAX_DISTANCE} of {_BITS}"

    def pairs(self, files: Sequence[Path]) -> ScoredPairs:
        """See `ComparedTool.pairs`."""
        try:
            from imagededup.methods import PHash
        except ImportError:
            raise missing("imagededup") from None
        encoder = PHash(verbose=False)
        hashes = np.zeros((len(files), _BITS // 8), np.uint8)
        usable = np.zeros(len(files), bool)
        for place, path in enumerate(files):
            encoded = encoder.encode_image(image_file=path)
            if encoded:
                hashes[place] = np.frombuffer(bytes.fromhex(encoded), np.uint8)
                usable[place] = True
        return hamming_pairs(hashes, usable, MAX_DISTANCE)
