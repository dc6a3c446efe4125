"""One made-up collection, searched and resolved, with what each stage took."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.scale.stages import Stage, Stages
from benchmarks.scale.verdicts import PlantedVerdicts
from benchmarks.scale.world import Kind, World
from resolve.earlier import NAME as RESOLVED
from resolve.earlier import key_of, read_earlier, write_earlier
from resolve.lists import write_lists
from resolve.resolution import ResolveOptions
from resolve.resolve import resolve
from search.candidates import CandidatePair
from search.index_set import IndexSet
from search.join_workers import JoinWorkers
from search.options import SearchOptions
from search.self_join import CandidateStatistics, candidate_pairs
from storage.catalog import Catalog
from storage.index_directory import IndexDirectory
from storage.resident import bounded_memory

FILL, JOIN, GROUP, LISTS = "fill", "join", "group", "lists"
STAGES = (FILL, JOIN, GROUP, LISTS)
# As of --memory.
_MEMORY = 4096 * 2**20
# Bounds of the cosines of planted copies that recall is told for.
_BINS = (0.0, 0.65, 0.7, 0.8, 0.9, 1.001)


@dataclass(frozen=True, slots=True)
class Added:
    """What a run took that added images to a collection that was resolved before.

    Attributes:
        images: added. stages: name to what it took.
        pairs: new candidates. verdicts: asked for.
        planted: added copies within reach of an original that was there, or was added too. recall:
            of those, with their originals among the candidates.
        deleted: rows of delete.csv, of all images.
        cpu_share: CPU time of all stages, of that of the full run.
    """

    images: int
    stages: dict[str, Stage]
    pairs: int
    verdicts: int
    planted: int
    recall: float
    deleted: int
    cpu_share: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run over one collection took and found.

    Attributes:
        images: in the collection. indexes: what searched it, as `dedup info` describes it.
        stages: name to what it took.
        pairs: candidates. verdicts: asked for. capped: images with more neighbours than the cap.
        planted: copies within reach. recall: of those, with their originals among the candidates.
        recall_by_cosine: the same by the cosine of the two, "0.65-0.70" and so on.
        deleted: rows of delete.csv. deletable: images with an original, or in a clique.
        wrongly_deleted: images deleted that are nobody's copy.
        catalog_bytes, index_bytes, vector_bytes: on disk for each image; of the catalog, of the
            search indexes with what a resolve leaves for the next, and what the float16 vectors
            alone are.
        added: a later run with more images; None when there was none.
    """

    images: int
    indexes: tuple[str, ...]
    stages: dict[str, Stage]
    pairs: int
    verdicts: int
    capped: int
    planted: int
    recall: float
    recall_by_cosine: dict[str, float]
    deleted: int
    deletable: int
    wrongly_deleted: int
    catalog_bytes: float
    index_bytes: float
    vector_bytes: int
    added: Added | None = None

    @property
    def bytes_beyond_vectors(self) -> float:
        """On disk for each image, beyond its vector."""
        return self.catalog_bytes + self.index_bytes - self.vector_bytes


def measure(world: World, path: Path, out: Path, options: SearchOptions) -> Outcome:
    """Search and resolve the index at `path`, which holds the first images of the world."""
    run = _resolved(world, path, out, options, is_anew=True)
    images = run.images
    reach = _within_reach(world, images, options)
    is_found = _are_found(world, images, run.keys)
    directory = IndexDirectory.open(path)
    return Outcome(
        images=images,
        indexes=run.indexes,
        stages=run.stages,
        pairs=run.statistics.pairs,
        verdicts=run.verdicts,
        capped=run.statistics.capped_images,
        planted=int(reach.sum()),
        recall=_share(is_found, reach),
        recall_by_cosine={
            f"{low:.2f}-{min(high, 1):.2f}": _share(
                is_found,
                reach & (world.cosine[:images] >= low) & (world.cosine[:images] < high),
            )
            for low, high in pairwise(_BINS)
        },
        deleted=run.deleted,
        deletable=int((world.kind[:images] >= Kind.EDITED).sum()),
        wrongly_deleted=int(((run.keepers > 0) & (world.family[:images] < 0)).sum()),
        catalog_bytes=_disk_use(directory.catalog_path) / images,
        index_bytes=(_disk_use(directory.faiss_path) + _disk_use(path / RESOLVED)) / images,
        vector_bytes=2 * world.dimension,
    )


def measure_added(
    world: World, path: Path, out: Path, options: SearchOptions, before: Outcome
) -> Added:
    """Resolve once more, after images were added to the index that `measure` has measured."""
    run = _resolved(world, path, out, options, is_anew=False)
    images = run.images
    reach = _within_reach(world, images, options)
    numbers = np.arange(images)
    reach &= (numbers >= before.images) | (world.originals()[:images] >= before.images)
    spent, whole = _cpu_seconds(run.stages), _cpu_seconds(before.stages)
    return Added(
        images=images - before.images,
        stages=run.stages,
        pairs=run.statistics.pairs,
        verdicts=run.verdicts,
        planted=int(reach.sum()),
        recall=_share(_are_found(world, images, run.keys), reach),
        deleted=run.deleted,
        cpu_share=round(spent / whole, 4),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """What one resolve took and found; `keys` as of `_Found`, `keepers` int64 (images,)."""

    images: int
    indexes: tuple[str, ...]
    stages: dict[str, Stage]
    statistics: CandidateStatistics
    verdicts: int
    keys: NDArray[np.int64]
    keepers: NDArray[np.int64]
    deleted: int


def _resolved(
    world: World, path: Path, out: Path, options: SearchOptions, *, is_anew: bool
) -> _Run:
    """As `dedup resolve` does it.

    Args:
        is_anew: without what is derived from the catalog.
    """
    stages, statistics = Stages(), CandidateStatistics()
    directory = IndexDirectory.open(path)
    if is_anew:
        shutil.rmtree(directory.faiss_path, ignore_errors=True)
        (path / RESOLVED).unlink(missing_ok=True)
    resolving = ResolveOptions()
    share = _MEMORY // (1 + (os.cpu_count() or 1))
    with (
        bounded_memory(share),
        directory.write_lock(),
        Catalog.open_writer(directory.catalog_path) as catalog,
    ):
        with stages.stage(FILL):
            indexes = IndexSet.open(directory, catalog, options)
        with stages.stage(JOIN), JoinWorkers(path, options, memory=share) as workers:
            key = key_of(catalog, resolving, options)
            earlier = read_earlier(directory, key, indexes.image_ids)
            searched = None if earlier is None else earlier.searched
            pairs = candidate_pairs(
                catalog, indexes, options, statistics, workers=workers, earlier=searched
            )
            # The join is done when the first pair comes.
            first = next(pairs, None)
        found = _Found(_plus(first, pairs))
        verdicts = PlantedVerdicts(world)
        with stages.stage(GROUP):
            resolution = resolve(catalog, found, verdicts, resolving, earlier=earlier)
        with stages.stage(LISTS):
            written: dict[str, str] = {}
            summary = write_lists(resolution, catalog, out, written=written)
            assert statistics.searched is not None
            write_earlier(directory, key, resolution.for_later(statistics.searched, written))
        images = catalog.image_count
        return _Run(
            images=images,
            indexes=tuple(str(description) for description in indexes.describe()),
            stages=stages.measured,
            statistics=statistics,
            verdicts=verdicts.asked,
            keys=found.keys(),
            keepers=resolution.keeper_of[1 : images + 1],
            deleted=summary.delete,
        )


def _cpu_seconds(stages: dict[str, Stage]) -> float:
    return sum(stage.cpu_seconds for stage in stages.values())


def _within_reach(world: World, images: int, options: SearchOptions) -> NDArray[np.bool_]:
    """bool (images,): copies that search promises to find, whose originals are there."""
    reach = world.is_within_reach(
        options.similarity, options.hamming_alone, options.hamming256_radius
    )[:images]
    return reach & (world.originals()[:images] < images)


class _Found:
    """Passes pairs on and remembers their ids, 16 bytes each."""

    def __init__(self, pairs: Iterable[CandidatePair]) -> None:
        self._pairs = pairs
        self._keys: list[NDArray[np.int64]] = []

    def __iter__(self) -> Iterator[CandidatePair]:
        block: list[int] = []
        for pair in self._pairs:
            block.append(pair.low_id << 32 | pair.high_id)
            if len(block) == 1 << 16:
                self._keys.append(np.array(block, np.int64))
                block = []
            yield pair
        self._keys.append(np.array(block, np.int64))

    def keys(self) -> NDArray[np.int64]:
        """int64 (m,): lower id × 2³² + higher id."""
        return np.concatenate([np.empty(0, np.int64), *self._keys])


def _plus(first: CandidatePair | None, rest: Iterator[CandidatePair]) -> Iterator[CandidatePair]:
    if first is not None:
        yield first
        yield from rest


def _are_found(world: World, images: int, keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """bool (n,): copies that are candidates together with their originals."""
    copies, originals = np.arange(images) + 1, world.originals()[:images] + 1
    wanted = np.minimum(copies, originals) << 32 | np.maximum(copies, originals)
    return np.isin(wanted, keys)


def _share(found: NDArray[np.bool_], of: NDArray[np.bool_]) -> float:
    return round(float(found[of].mean()), 4) if of.any() else 1.0


def _disk_use(folder: Path) -> int:
    if folder.is_file():
        return folder.stat().st_blocks * 512
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
