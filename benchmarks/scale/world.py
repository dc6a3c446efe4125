"""A made-up collection: vectors and hashes as photographs have them, with copies planted in it.

Embeddings follow what GeM-pooled EfficientNet-Lite0 features of 1,855 photographs were measured to
do: unrelated images have a cosine of 0.30 ± 0.09, the spectrum of what they differ by falls as in
`_SPECTRUM`, and pictures of one scene are more alike. Hashes are thresholds of random fields whose
amplitude falls with frequency as that of photographs does, so unrelated images have near hashes
about as often as real ones (3 in 1,000 pairs within 10 of 64 bits), which independent bits never
would.

Everything about image n follows from the size, the seed and n, however it is cut into blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from search.orientations import ORIENTATIONS, oriented_hashes
from storage.records import F16, F32, U8

I64 = NDArray[np.int64]

BLOCK = 8192
_COPIES = 0.15
_BLANK = 0.01
_MOST_COPIES = 5
_SCENE = 12
_SMALL_CLIQUE = 60
# Shares of the squared length: what all images have in common, those of a scene, and none.
_COMMON, _OF_SCENE, _OWN = 0.30, 0.33, 0.37
# What a copy differs from its original by: share of its squared length that points to another
# photograph. The rest lies in all dimensions alike, where photographs hardly differ. So 0.45 of it
# is in the first 192 principal dimensions; of 4,735 copies (25 kinds of edit) it was 0.34 to 0.50.
_TOWARDS_ANOTHER = 0.45
# Eigenvalues of the features of photographs, by their number.
_SPECTRUM = (
    (1, 2, 4, 8, 16, 32, 64, 128, 256, 1280),
    (0.0476, 0.0136, 0.00975, 0.00801, 0.00636, 0.00454, 0.00293, 0.00143, 0.00047, 0.00003),
)
# Share of copies, of 25 kinds of edit alike, up to a cosine with their original; the first are
# beyond any radius.
_EDITS = (
    (0.0, 0.01, 0.02, 0.05, 0.10, 0.20, 0.30, 0.50, 0.70, 0.90, 1.0),
    (0.5, 0.565, 0.622, 0.703, 0.762, 0.836, 0.882, 0.931, 0.965, 0.990, 0.9995),
)
# Amplitude of the field that is hashed, at spatial frequency f: (f + ½)^-1.3.
_FIELD_OFFSET, _FIELD_POWER = 0.5, 1.3


class Kind(IntEnum):
    """What an image is."""

    SINGLE = 0
    ORIGINAL = 1
    EDITED = 2
    TURNED = 3
    BLANK = 4


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """The plan of the collection, and what draws it.

    Attributes:
        size: images. dimension: of the embeddings.
        kind: uint8 (n,), `Kind`.
        family: int64 (n,): number of the family of copies or of the clique of blank frames an image
            is in; -1 for none. Families come first.
        cosine: float32 (n,): of a copy with its original; 1 otherwise.
        flips: uint8 (n,): bits of the 64-bit hash in which a copy differs from its original.
    """

    size: int
    dimension: int
    seed: int
    families: int
    kind: U8
    family: I64
    cosine: F32
    flips: U8
    _originals: F16
    _centres: F16
    _scales: F32

    @classmethod
    def planned(cls, size: int, dimension: int = 1280, seed: int = 1) -> World:
        """The plan of a collection of this size; holds the originals of all copies as float16."""
        random = np.random.default_rng([seed, size])
        kind = np.zeros(size, np.uint8)
        family = np.full(size, -1, np.int64)
        # Families of 1, 2 … copies, as often as these occur: most have one.
        share = 0.5 ** np.arange(1, _MOST_COPIES + 1)
        families = max(1, int(size * _COPIES / (share @ np.arange(1, 1 + _MOST_COPIES))))
        members = 1 + 1 + random.choice(_MOST_COPIES, families, p=share / share.sum())
        of_families = np.repeat(np.arange(families), members)
        is_first = np.r_[True, of_families[1:] != of_families[:-1]]
        cliques = _clique_sizes(int(size * _BLANK))
        of_cliques = families + np.repeat(np.arange(len(cliques)), cliques)
        places = random.permutation(size)
        in_families = places[: len(of_families)]
        in_cliques = places[len(of_families) : len(of_families) + len(of_cliques)]
        family[in_families], family[in_cliques] = of_families, of_cliques
        is_turned = random.random(len(of_families)) < 0.2
        kind[in_families] = np.where(
            is_first, Kind.ORIGINAL, np.where(is_turned, Kind.TURNED, Kind.EDITED)
        )
        kind[in_cliques] = Kind.BLANK
        cosine = np.ones(size, np.float32)
        flips = np.zeros(size, np.uint8)
        is_edited, is_turned_copy = kind == Kind.EDITED, kind == Kind.TURNED
        cosine[is_edited] = np.interp(random.random(int(is_edited.sum())), *_EDITS)
        flips[is_edited] = random.integers(0, 12, int(is_edited.sum()))
        cosine[is_turned_copy] = random.uniform(0.4, 0.95, int(is_turned_copy.sum()))
        flips[is_turned_copy] = random.integers(0, 3, int(is_turned_copy.sum()))
        scales = _scales(dimension)
        centres = _drawn(random, max(size // _SCENE, 1), dimension, scales).astype(np.float16)
        made = cls(
            size, dimension, seed, families, kind, family, cosine, flips,
            np.empty((0, dimension), np.float16), centres, scales,
        )  # fmt: skip
        originals = np.empty((families + len(cliques), dimension), np.float16)
        for start in range(0, len(originals), BLOCK):
            stop = min(start + BLOCK, len(originals))
            draw = np.random.default_rng([seed, size, 1, start])
            originals[start:stop] = made._photographs(draw, stop - start)
        object.__setattr__(made, "_originals", originals)
        return made

    def without_vectors(self) -> World:
        """The same plan, which holds no vectors and can draw none."""
        nothing = np.empty((0, self.dimension), np.float16)
        return replace(self, _originals=nothing, _centres=nothing)

    def vectors(self, first: int = 0) -> Iterator[tuple[int, F16]]:
        """Embeddings, L2-normalised, block by block: number of the first image, (b, dimension).

        Args:
            first: the first block is the one with this image.
        """
        for start in range(first - first % BLOCK, self.size, BLOCK):
            part = slice(start, min(start + BLOCK, self.size))
            draw = np.random.default_rng([self.seed, self.size, 2, start])
            vectors = self._photographs(draw, part.stop - start)
            kind, family = self.kind[part], self.family[part]
            is_original = kind == Kind.ORIGINAL
            vectors[is_original] = self._originals[family[is_original]]
            is_copy = (kind == Kind.EDITED) | (kind == Kind.TURNED)
            originals = self._originals[family[is_copy]].astype(np.float32)
            others = _blended(draw, vectors[is_copy])
            vectors[is_copy] = _at(originals, others, self.cosine[part][is_copy])
            is_blank = kind == Kind.BLANK
            originals = self._originals[family[is_blank]].astype(np.float32)
            alike = np.full(int(is_blank.sum()), 0.9995, np.float32)
            vectors[is_blank] = _at(originals, vectors[is_blank], alike)
            yield start, vectors.astype(np.float16)

    def hashes(self, first: int = 0) -> Iterator[tuple[int, U8, U8]]:
        """Hashes, block by block: number of the first image, hash64 (b, 8), hash256 (b, 32).

        Args:
            first: as of `vectors`.
        """
        for start in range(first - first % BLOCK, self.size, BLOCK):
            part = slice(start, min(start + BLOCK, self.size))
            draw = np.random.default_rng([self.seed, self.size, 3, start])
            small, large = _hashes(draw, part.stop - start)
            rows = np.flatnonzero(self.family[part] >= 0)
            family, kind = self.family[part][rows], self.kind[part][rows]
            small[rows], large[rows] = self._family_hashes(family)
            flips = self.flips[part][rows]
            small[rows] = _flipped(draw, small[rows], flips)
            large[rows] = _flipped(draw, large[rows], 3 * flips.astype(np.int64))
            for turn in range(1, ORIENTATIONS):
                chosen = rows[(kind == Kind.TURNED) & (draw.integers(1, 8, len(rows)) == turn)]
                small[chosen] = oriented_hashes(small[chosen], 8)[turn]
                large[chosen] = oriented_hashes(large[chosen], 16)[turn]
            yield start, small, large

    def is_within_reach(
        self, similarity: float, hamming_alone: int, hamming256_radius: int
    ) -> NDArray[np.bool_]:
        """bool (n,): copies that search promises to find, by their distance to the original."""
        is_copy = (self.kind == Kind.EDITED) | (self.kind == Kind.TURNED)
        by_hash = (self.flips <= hamming_alone) & (3 * self.flips <= hamming256_radius)
        # A float16 vector is not quite where it was put.
        within: NDArray[np.bool_] = is_copy & ((self.cosine >= similarity + 1e-3) | by_hash)
        return within

    def originals(self) -> I64:
        """int64 (n,): number of the original of each copy; -1 for other images."""
        first = np.full(self.families, -1, np.int64)
        numbers = np.flatnonzero(self.kind == Kind.ORIGINAL)
        first[self.family[numbers]] = numbers
        found = np.full(self.size, -1, np.int64)
        copies = np.flatnonzero((self.kind == Kind.EDITED) | (self.kind == Kind.TURNED))
        found[copies] = first[self.family[copies]]
        return found

    def _photographs(self, draw: np.random.Generator, count: int) -> F32:
        """Unrelated photographs, some of one scene, L2-normalised."""
        vectors = _drawn(draw, count, self.dimension, self._scales)
        vectors *= np.float32(np.sqrt(_OWN))
        scene = draw.integers(len(self._centres), size=count)
        vectors += np.float32(np.sqrt(_OF_SCENE)) * self._centres[scene]
        vectors[:, 0] = np.sqrt(_COMMON)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def _family_hashes(self, families: I64) -> tuple[U8, U8]:
        small = np.empty((len(families), 8), np.uint8)
        large = np.empty((len(families), 32), np.uint8)
        blocks = families // BLOCK
        # Drawn per block of families, of which the copies of any stretch of images need a few rows.
        for block in np.unique(blocks).tolist():
            both = self._hashes_of_block(block)
            rows = blocks == block
            small[rows], large[rows] = (hashes[families[rows] % BLOCK] for hashes in both)
        return small, large

    def _hashes_of_block(self, block: int) -> tuple[U8, U8]:
        known = _FAMILY_HASHES.get((self.seed, self.size, block))
        if known is None:
            draw = np.random.default_rng([self.seed, self.size, 4, block])
            known = _FAMILY_HASHES[self.seed, self.size, block] = _hashes(draw, BLOCK)
        return known


# 40 bytes a family.
_FAMILY_HASHES: dict[tuple[int, int, int], tuple[U8, U8]] = {}


def _clique_sizes(images: int) -> I64:
    """Blank frames: a third of them all alike, the others in small cliques."""
    if images < 2:
        return np.zeros(0, np.int64)
    large = max(images // 3, 2)
    rest = images - large
    sizes: I64 = np.r_[large, np.full(rest // _SMALL_CLIQUE, _SMALL_CLIQUE)].astype(np.int64)
    return sizes


def _scales(dimension: int) -> F32:
    """Standard deviations by dimension; the first is for what all images have in common."""
    at = np.linspace(1, _SPECTRUM[0][-1], dimension - 1)
    values = np.exp(np.interp(np.log(at), np.log(_SPECTRUM[0]), np.log(_SPECTRUM[1])))
    scales: F32 = np.r_[0.0, np.sqrt(values / values.sum())].astype(np.float32)
    return scales


def _drawn(draw: np.random.Generator, count: int, dimension: int, scales: F32) -> F32:
    vectors: F32 = draw.standard_normal((count, dimension), np.float32)
    vectors *= scales
    return vectors


def _blended(draw: np.random.Generator, photographs: F32) -> F32:
    """Directions as those that an edit moves a photograph in; see `_TOWARDS_ANOTHER`."""
    noise = draw.standard_normal(photographs.shape, np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    blended: F32 = np.sqrt(np.float32(_TOWARDS_ANOTHER)) * photographs
    blended += np.sqrt(np.float32(1 - _TOWARDS_ANOTHER)) * noise
    return blended


def _at(originals: F32, others: F32, cosine: F32) -> F32:
    """Unit vectors at this cosine from the originals, on the way to the others."""
    others = others - (others * originals).sum(axis=1, keepdims=True) * originals
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    originals = originals / np.linalg.norm(originals, axis=1, keepdims=True)
    aside = np.sqrt(1 - cosine[:, None] ** 2)
    return (cosine[:, None] * originals + aside * others).astype(np.float32)


def _hashes(draw: np.random.Generator, count: int) -> tuple[U8, U8]:
    """Bits above the median of random fields of 16×16 and of their means over 2×2."""
    field: F32 = draw.standard_normal((count, 256), np.float32) @ _FIELD
    halves = field.reshape(count, 8, 2, 8, 2).mean(axis=(2, 4)).reshape(count, 64)
    return _above_median(halves), _above_median(field)


def _above_median(grid: F32) -> U8:
    return np.packbits(grid > np.median(grid, axis=1, keepdims=True), axis=1)


def _field_matrix() -> F32:
    """White noise to a field: amplitudes of the cosine transform, and the transform back."""
    side = np.arange(16)
    basis = np.cos(np.pi * (side[:, None] + 0.5) * side[None] / 16) * np.sqrt(2 / 16)
    basis[:, 0] /= np.sqrt(2)
    amplitude = (np.hypot(*np.meshgrid(side, side)) + _FIELD_OFFSET) ** -_FIELD_POWER
    amplitude[0, 0] = 0.0
    matrix: F32 = (amplitude.ravel()[:, None] * np.kron(basis, basis).T).astype(np.float32)
    return matrix


_FIELD = _field_matrix()


def _flipped(draw: np.random.Generator, hashes: U8, flips: NDArray[np.integer]) -> U8:
    """The hashes with so many of their bits changed."""
    bits = np.unpackbits(hashes, axis=1)
    rank = np.argsort(draw.random(bits.shape, np.float32), axis=1)
    bits ^= (rank < flips[:, None]).astype(np.uint8)
    return np.packbits(bits, axis=1)
