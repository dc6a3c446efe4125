"""dedup on an evaluation set: its lists, its candidates and its verdicts, as places in the set."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path

from benchmarks.accuracy.child import Usage, run_measured
from benchmarks.accuracy.pairs import ScoredPairs
from benchmarks.accuracy.sets import TruthSet
from cli.config import load_settings
from cli.loading import load_verifier
from resolve.verdicts import CachedVerdicts
from search.index_set import IndexSet
from search.options import SearchOptions
from search.self_join import candidate_pairs
from storage.catalog import Catalog
from storage.index_directory import IndexDirectory

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class DedupRun:
    """What dedup made of one set.

    Attributes:
        keep: pictures on the keep list.
        delete: each deleted picture and the one kept for it; -1 for one outside the set.
        candidates: pairs of pictures that are proposed to verification, the lower place first,
            and pictures of the same bytes.
        pairs: all verdicts, with their scores.
        index, resolve: what the two commands took.
        verifier: name and version of what gave the verdicts.
    """

    keep: set[int]
    delete: dict[int, int]
    candidates: set[Pair]
    pairs: ScoredPairs
    index: Usage
    resolve: Usage
    verifier: str


def run_dedup(truth: TruthSet, work: Path) -> DedupRun:
    """Runs `dedup index` and `dedup resolve` as people do, and looks at what they left.

    Settings come from the environment, as for any other run.

    Args:
        work: a folder for the index, the lists and the logs.

    Raises:
        CommandFailed: one of the commands ended with an error.
    """
    work = work.resolve()
    index, lists = work / "index", work / "lists"
    dedup = [sys.executable, "-m", "cli"]
    indexed = run_measured(
        [*dedup, "index", str(truth.folder.resolve()), "--index", str(index)], work / "index.log"
    )
    resolved = run_measured(
        [*dedup, "resolve", "--index", str(index), "--out", str(lists)], work / "resolve.log"
    )
    places = _Places(truth)
    settings = load_settings({"index": index}, os.environ, Path.cwd())
    verifier = load_verifier(settings)
    directory = IndexDirectory.open(index)
    with Catalog.open_reader(directory.catalog_path) as catalog:
        images = _Images(catalog, places)
        indexes = IndexSet.open(directory, catalog, SearchOptions())
        proposed = [
            (pair.low_id, pair.high_id)
            for pair in candidate_pairs(catalog, indexes, SearchOptions())
        ]
        with CachedVerdicts(catalog, verifier, is_writable=False) as verdicts:
            pairs = ScoredPairs.of(_scored(images, proposed, verdicts))
    return DedupRun(
        keep=places.of(row["path"] for row in _rows(lists / "keep.csv")),
        delete={
            places[row["path"]]: places.get(row["keep"])
            for row in _rows(lists / "delete.csv")
            if row["path"] in places
        },
        candidates=set(images.pairs(proposed)) | set(images.same_bytes()),
        pairs=pairs,
        index=indexed,
        resolve=resolved,
        verifier=verifier.version,
    )


class _Places:
    """Places in the set by the URIs under which dedup knows the files."""

    def __init__(self, truth: TruthSet) -> None:
        folder = truth.folder.resolve()
        self._places = {
            str(folder / picture.path): place for place, picture in enumerate(truth.pictures)
        }

    def __contains__(self, uri: str) -> bool:
        return uri in self._places

    def __getitem__(self, uri: str) -> int:
        return self._places[uri]

    def get(self, uri: str) -> int:
        """-1 for a file outside the set."""
        return self._places.get(uri, -1)

    def of(self, uris: Iterable[str]) -> set[int]:
        return {self._places[uri] for uri in uris if uri in self._places}


class _Images:
    """Image ids of a catalog and the pictures that have their bytes."""

    def __init__(self, catalog: Catalog, places: _Places) -> None:
        self.pictures: dict[int, list[int]] = {}
        for blob in catalog.blobs():
            if blob.uri in places and blob.image_id:
                self.pictures.setdefault(blob.image_id, []).append(places[blob.uri])

    def pairs(self, ids: Iterable[Pair]) -> Iterator[Pair]:
        """The pairs of pictures that pairs of images stand for, the lower place first."""
        for low, high in ids:
            for a, b in product(self.pictures.get(low, ()), self.pictures.get(high, ())):
                yield (a, b) if a < b else (b, a)

    def same_bytes(self) -> Iterator[Pair]:
        for places in self.pictures.values():
            yield from combinations(sorted(places), 2)


def _scored(
    images: _Images, proposed: list[Pair], verdicts: CachedVerdicts
) -> dict[Pair, tuple[float, bool]]:
    """Each pair that resolve has a verdict on, with its score and whether it is a copy."""
    scored = dict.fromkeys(images.same_bytes(), (1.0, True))
    linked: dict[int, set[int]] = {}
    known = set()
    for low, high in proposed:
        verdict = verdicts.verdict(low, high)
        known.add((low, high))
        for pair in images.pairs([(low, high)]):
            scored[pair] = (verdict.score, verdict.is_copy)
        if verdict.is_copy:
            both = linked.get(low, {low}) | linked.get(high, {high})
            linked.update(dict.fromkeys(both, both))
    # Choosing keepers asks for further pairs of images that verdicts have linked.
    for pool in {id(pool): pool for pool in linked.values()}.values():
        for low, high in combinations(sorted(pool), 2):
            if (low, high) not in known and verdicts.is_known(low, high):
                verdict = verdicts.verdict(low, high)
                for pair in images.pairs([(low, high)]):
                    scored[pair] = (verdict.score, verdict.is_copy)
    return scored


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))
