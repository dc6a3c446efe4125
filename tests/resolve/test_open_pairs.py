"""Pairs left open get one second look, in batches, and its verdict is the one that counts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.evaluation_set.photographs import photograph
from indexer.extract import ExtractOptions, extract
from resolve.open_pairs import OpenPairs
from resolve.verdicts import CachedVerdicts
from search.candidates import CandidatePair
from storage.blob import Blob
from storage.catalog import Catalog, CatalogBatch, IndexedBlob
from storage.records import ImageFeatures
from tests.verify.gallery import saved
from verify.cascade import NO_MAP, Verifier
from verify.matchers.base import Keypoints, Matches
from verify.matchers.orb import OrbMatcher
from verify.second_look import LOOKED_TWICE, SecondLook


class OrbInBatches(OrbMatcher):
    """ORB as if it were a network on a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def match_batch(self, pairs: Sequence[tuple[Keypoints, Keypoints]]) -> list[Matches]:
        self.batches.append(len(pairs))
        return [self.match(a, b) for a, b in pairs]


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """A photograph, a crop of it, a mirrored crop of it, and another photograph."""
    temple, cup = photograph("china.jpg"), photograph("coffee.png")
    pictures = [temple, temple[60:300, 80:480], temple[30:280, 400:60:-1], cup]
    batch = CatalogBatch(images=[], indexed=[], unreadable=[], removed=[])
    for number, picture in enumerate(pictures):
        content = saved(np.ascontiguousarray(picture), quality=92)
        digest = hashlib.sha256(content).digest()
        extracted = extract(content, digest, ExtractOptions(network_inputs=()))
        batch.images.append(ImageFeatures(extracted.record, extracted.preview, {}))
        blob = Blob(f"/photos/{number}", len(content), "1", 0.0)
        batch.indexed.append(IndexedBlob(blob, "/photos", digest))
    with Catalog.open_writer(tmp_path / "catalog.lmdb") as opened:
        opened.commit(batch)
        yield opened


def ids(catalog: Catalog) -> list[int]:
    found = {entry.uri: entry.image_id for entry in catalog.blobs()}
    return [number for uri in sorted(found) if (number := found[uri]) is not None]


def candidates(catalog: Catalog, similarity: float = 0.9) -> list[CandidatePair]:
    whole, *others = ids(catalog)
    return [
        CandidatePair(min(whole, other), max(whole, other), 64, {"lite0": similarity})
        for other in others
    ]


def run(
    catalog: Catalog, matcher: OrbInBatches, pairs: Iterable[CandidatePair]
) -> tuple[CachedVerdicts, OpenPairs, list[CandidatePair]]:
    verifier = Verifier((), second_look="orb-in-batches")
    verdicts = CachedVerdicts(catalog, verifier, is_writable=True)
    open_pairs = OpenPairs(verdicts, SecondLook(matcher, verifier))
    given = list(open_pairs.after(iter)(pairs))
    verdicts.flush()
    return verdicts, open_pairs, given


def test_what_was_left_open_is_found_and_what_is_different_stays(catalog: Catalog) -> None:
    matcher = OrbInBatches()
    pairs = candidates(catalog)
    verdicts, open_pairs, given = run(catalog, matcher, pairs)
    assert given == pairs
    whole, crop, mirrored, cup = ids(catalog)
    assert verdicts.verdict(whole, crop).a_covers_b
    assert verdicts.verdict(whole, mirrored).a_covers_b
    assert verdicts.verdict(whole, cup).reason == NO_MAP
    assert (open_pairs.looked_at, open_pairs.found) == (3, 2)
    # Upright, then what is left mirrored.
    assert matcher.batches == [3, 2]


def test_the_next_run_looks_at_nothing_again(catalog: Catalog) -> None:
    run(catalog, OrbInBatches(), candidates(catalog))
    matcher = OrbInBatches()
    verdicts, open_pairs, _ = run(catalog, matcher, candidates(catalog))
    assert (open_pairs.looked_at, matcher.batches) == (0, [])
    whole, crop, _mirrored, cup = ids(catalog)
    assert verdicts.verdict(whole, crop).is_copy
    assert verdicts.verdict(whole, cup).measurements[LOOKED_TWICE] == 1.0


def test_a_run_killed_before_the_second_look_is_followed_by_one_that_looks(
    catalog: Catalog,
) -> None:
    verifier = Verifier((), second_look="orb-in-batches")
    verdicts = CachedVerdicts(catalog, verifier, is_writable=True)
    whole, crop, *_ = ids(catalog)
    assert verdicts.verdict(whole, crop).reason == NO_MAP
    verdicts.flush()
    _, open_pairs, _ = run(catalog, OrbInBatches(), candidates(catalog))
    assert open_pairs.looked_at == 3


def test_pairs_that_are_hardly_alike_are_not_worth_it(catalog: Catalog) -> None:
    _, open_pairs, given = run(catalog, OrbInBatches(), candidates(catalog, similarity=0.6))
    assert open_pairs.looked_at == 0
    assert len(given) == 3


def test_verdicts_with_and_without_a_second_look_are_kept_apart() -> None:
    assert Verifier(()).version != Verifier((), second_look="loftr-2").version
