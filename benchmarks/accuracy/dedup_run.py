"""dedup on an evaluation set: its lists, its candidates and its verdicts, as places in the set."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path

from benchmarks.accuracy.child import Usage, run_measured
from benchmarks.accuracy.pairs import ScoredPairs
from benchmarks.accuracy.sets import TruthSet
from search.index_set import IndexSet
from search.options import SearchOptions
from search.self_join import candidate_pairs
from storage.catalog import Catalog
from storage.index_directory import IndexDirectory
from verify.codec import decode_verdict
from verify.verdict import Verdict

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
        reasons: what verification said of each pair that it was asked about.
        index, resolve: what the two commands took.
        verifier: name and version of what gave the verdicts.
    """

    keep: set[int]
    delete: dict[int, int]
    candidates: set[Pair]
    pairs: ScoredPairs
    reasons: dict[Pair, str]
    index: Usage
    resolve: Usage
    verifier: str


def run_dedup(truth: TruthSet, work: Path) -> DedupRun:
    """Runs `dedup index` and `dedup resolve` as people do, and looks at what they left.

    Settings come from the environment and `dedup.toml`, as for any other run.

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
    # Verdicts are stored under the version of what gave them.
    summary = json.loads((lists / "summary.json").read_text())
    version = str(summary["versions"]["verifier"])
    directory = IndexDirectory.open(index)
    with Catalog.open_reader(directory.catalog_path) as catalog:
        images = _Images(catalog, places)
        indexes = IndexSet.open(directory, catalog, SearchOptions())
        proposed = [
            (pair.low_id, pair.high_id)
            for pair in candidate_pairs(catalog, indexes, SearchOptions())
        ]
        verdicts = _stored_verdicts(catalog, version, proposed)
    same_bytes = dict.fromkeys(images.same_bytes(), (1.0, True))
    scores = {
        pair: (verdict.score, verdict.is_copy)
        for ids, verdict in verdicts.items()
        for pair in images.pairs([ids])
    }
    reasons = {pair: v.reason for ids, v in verdicts.items() for pair in images.pairs([ids])}
    return DedupRun(
        keep=places.of(row["path"] for row in _rows(lists / "keep.csv")),
        delete={
            places[row["path"]]: places.get(row["keep"])
            for row in _rows(lists / "delete.csv")
            if row["path"] in places
        },
        candidates=set(images.pairs(proposed)) | same_bytes.keys(),
        pairs=ScoredPairs.of(scores | same_bytes),
        reasons=reasons,
        index=indexed,
        resolve=resolved,
        verifier=version,
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


def _stored_verdicts(
    catalog: Catalog, version: str, proposed: Iterable[Pair]
) -> dict[Pair, Verdict]:
    """The verdicts that resolve has left in the catalog, by image ids."""
    digests = {image_id: record.digest for image_id, record in catalog.records()}

    def verdict(a: int, b: int) -> Verdict | None:
        low, high = sorted((digests[a], digests[b]))
        stored = catalog.verdict(low, high, version)
        return None if stored is None else decode_verdict(stored)

    found: dict[Pair, Verdict] = {}
    linked: dict[int, set[int]] = {}
    for pair in proposed:
        told = verdict(*pair)
        if told is None:
            continue
        found[pair] = told
        if told.is_copy:
            pool = set().union(*(linked.get(image_id, {image_id}) for image_id in pair))
            linked.update(dict.fromkeys(pool, pool))
    # Choosing keepers asks for further pairs of images that verdicts have linked.
    for pool in {id(pool): pool for pool in linked.values()}.values():
        for pair in combinations(sorted(pool), 2):
            told = None if pair in found else verdict(*pair)
            if told is not None:
                found[pair] = told
    return found


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))
