"""The candidate pairs of an evaluation set with what verification measured of them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation_set.truth import Picture, Role, read_truth
from resolve.verdicts import verify_image
from search.index_set import IndexSet
from search.options import SearchOptions
from search.self_join import candidate_pairs
from storage.catalog import Catalog
from storage.index_directory import IndexDirectory
from verify.cascade import Verifier
from verify.evidence import VerifyImage
from verify.matchers.registry import load_matcher
from verify.score import features

_PAIRS_PER_TASK = 24
# What `dedup resolve` uses unless told otherwise.
_MATCHER = "orb"


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A candidate pair that some map brings together.

    Attributes:
        features: float64 (12,), of `verify.score.features`.
        is_true: the two are copies of one picture.
        is_copy: the verdict says so.
        groups: the pictures they come from, by set; two for two different ones.
        kinds: the edits and families of look-alikes that made the two.
    """

    features: NDArray[np.float64]
    is_true: bool
    is_copy: bool
    groups: frozenset[str]
    kinds: frozenset[str]


@dataclass(frozen=True, slots=True)
class Examples:
    """The pairs of some sets.

    Attributes:
        aligned: those that a map brings together.
        unaligned, unaligned_true: number of the others, and how many of those are copies.
    """

    aligned: tuple[Example, ...]
    unaligned: int
    unaligned_true: int


def read_examples(folder: Path, index: Path, workers: int, most: int) -> Examples:
    """Verifies the candidate pairs of a set.

    Args:
        folder: of the set, with truth.csv.
        index: where `dedup index` put its images.
        workers: processes that verify.
        most: of more pairs so many are taken, by chance but the same each time.

    Raises:
        DedupError: the set or the index cannot be read.
    """
    truth = {Path(picture.path).name: picture for picture in read_truth(folder)}
    directory = IndexDirectory.open(index)
    catalog = Catalog.open_reader(directory.catalog_path)
    pictures = {
        entry.image_id: truth[Path(entry.uri).name]
        for entry in catalog.blobs()
        if entry.image_id is not None and Path(entry.uri).name in truth
    }
    options = SearchOptions()
    indexes = IndexSet.open(directory, catalog, options)
    pairs = [(pair.low_id, pair.high_id) for pair in candidate_pairs(catalog, indexes, options)]
    if len(pairs) > most:
        chosen = np.random.default_rng(1).permutation(len(pairs))[:most]
        pairs = [pairs[number] for number in sorted(chosen.tolist())]
    aligned: list[Example] = []
    unaligned = unaligned_true = 0
    for low, high, found, is_copy in _verified(directory.catalog_path, pairs, workers):
        a, b = pictures[low], pictures[high]
        is_true = a.group == b.group
        if found is None:
            unaligned += 1
            unaligned_true += is_true
            continue
        groups = frozenset(f"{folder}:{picture.group}" for picture in (a, b))
        aligned.append(Example(found, is_true, is_copy, groups, _kinds(a, b)))
    return Examples(tuple(aligned), unaligned, unaligned_true)


def _kinds(a: Picture, b: Picture) -> frozenset[str]:
    return frozenset(
        picture.family or picture.edit
        for picture in (a, b)
        if picture.role in (Role.COPY, Role.LOOKALIKE)
    )


Verified = tuple[int, int, NDArray[np.float64] | None, bool]


def _verified(catalog: Path, pairs: list[tuple[int, int]], workers: int) -> Iterator[Verified]:
    with ProcessPoolExecutor(
        workers, get_context("forkserver"), initializer=_start, initargs=(catalog,)
    ) as pool:
        for part in pool.map(_verify, _parts(pairs)):
            yield from part


def _parts(pairs: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    return [pairs[n : n + _PAIRS_PER_TASK] for n in range(0, len(pairs), _PAIRS_PER_TASK)]


class _Worker:
    catalog: Catalog
    verifier: Verifier
    images: dict[int, VerifyImage]


def _start(catalog: Path) -> None:
    cv2.setNumThreads(1)
    faiss.omp_set_num_threads(1)
    _Worker.catalog = Catalog.open_reader(catalog)
    _Worker.verifier = Verifier((load_matcher(_MATCHER),))
    _Worker.images = {}


def _image(image_id: int) -> VerifyImage:
    if image_id not in _Worker.images:
        if len(_Worker.images) > 64:
            _Worker.images.clear()
        _Worker.images[image_id] = verify_image(
            _Worker.catalog.preview(image_id), _Worker.catalog.record(image_id)
        )
    return _Worker.images[image_id]


def _verify(pairs: list[tuple[int, int]]) -> list[Verified]:
    found: list[Verified] = []
    for low, high in pairs:
        verdict = _Worker.verifier.verify(_image(low), _image(high))
        measured = verdict.measurements
        vector = features(measured, is_copy=verdict.is_copy) if measured else None
        found.append((low, high, vector, verdict.is_copy))
    return found
