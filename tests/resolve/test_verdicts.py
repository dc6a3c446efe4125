"""Verdicts are computed once, from the previews, the same whichever way they are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import pytest

from indexer.extract import ExtractOptions, extract
from resolve.verdicts import CachedVerdicts, decode_preview
from storage.blob import Blob
from storage.catalog import Catalog, CatalogBatch, IndexedBlob
from storage.errors import IndexStorageError
from storage.records import ImageFeatures
from verify.cascade import Verifier
from verify.matchers.registry import load_matcher
from verify.verdict import Relation


def _encoded(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], suffix: str) -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """Image 1 a photograph, 2 a crop of it, 3 another photograph."""
    folder = Path(str(files("skimage") / "data"))
    cat = cv2.imread(str(folder / "chelsea.png"))
    coffee = cv2.imread(str(folder / "coffee.png"))
    assert cat is not None
    assert coffee is not None
    contents = [
        _encoded(cat, ".png"),
        _encoded(cat[30:270, 60:400], ".jpg"),
        _encoded(coffee, ".jpg"),
    ]
    batch = CatalogBatch(images=[], indexed=[], unreadable=[], removed=[])
    for number, content in enumerate(contents):
        digest = hashlib.sha256(content).digest()
        extracted = extract(content, digest, ExtractOptions())
        batch.images.append(ImageFeatures(extracted.record, extracted.preview, {}))
        blob = Blob(f"/photos/{number}", len(content), "1", 0.0)
        batch.indexed.append(IndexedBlob(blob, "/photos", digest))
    with Catalog.open_writer(tmp_path / "catalog.lmdb") as opened:
        opened.commit(batch)
        yield opened


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    return Verifier((load_matcher("orb"),))


def _ids(catalog: Catalog) -> tuple[int, int, int]:
    by_uri = {entry.uri: entry.image_id for entry in catalog.blobs()}
    return by_uri["/photos/0"], by_uri["/photos/1"], by_uri["/photos/2"]


def test_a_verdict_asked_for_the_other_way_round_is_the_same_one_reversed(
    catalog: Catalog, verifier: Verifier
) -> None:
    whole, crop, _ = _ids(catalog)
    with CachedVerdicts(catalog, verifier, is_writable=True) as verdicts:
        forth, back = verdicts.verdict(whole, crop), verdicts.verdict(crop, whole)
    assert forth.relation is back.relation is Relation.CROPPED
    assert (forth.a_covers_b, forth.b_covers_a) == (True, False)
    assert (back.a_covers_b, back.b_covers_a) == (False, True)
    assert (verdicts.computed, verdicts.from_cache) == (1, 1)


def test_the_next_run_computes_nothing(catalog: Catalog, verifier: Verifier) -> None:
    whole, crop, other = _ids(catalog)
    with CachedVerdicts(catalog, verifier, is_writable=True) as first:
        told = [first.verdict(whole, crop), first.verdict(whole, other)]
    with CachedVerdicts(catalog, verifier, is_writable=True) as second:
        again = [second.verdict(whole, crop), second.verdict(whole, other)]
    assert (second.computed, second.from_cache) == (0, 2)
    assert [verdict.relation for verdict in again] == [verdict.relation for verdict in told]
    assert [verdict.score for verdict in again] == [verdict.score for verdict in told]


def test_another_version_of_the_verifier_computes_anew(
    catalog: Catalog, verifier: Verifier
) -> None:
    whole, crop, _ = _ids(catalog)
    with CachedVerdicts(catalog, verifier, is_writable=True) as first:
        first.verdict(whole, crop)
    other = Verifier((load_matcher("sift"),))
    with CachedVerdicts(catalog, other, is_writable=True) as second:
        second.verdict(whole, crop)
    assert second.computed == 1


def test_an_interrupted_run_keeps_its_verdicts(catalog: Catalog, verifier: Verifier) -> None:
    whole, crop, _ = _ids(catalog)
    with (
        pytest.raises(KeyboardInterrupt),
        CachedVerdicts(catalog, verifier, is_writable=True) as first,
    ):
        first.verdict(whole, crop)
        raise KeyboardInterrupt
    with CachedVerdicts(catalog, verifier, is_writable=True) as second:
        second.verdict(whole, crop)
    assert second.from_cache == 1


def test_a_catalog_opened_for_reading_is_left_as_it_is(
    catalog: Catalog, verifier: Verifier
) -> None:
    whole, crop, _ = _ids(catalog)
    for _ in range(2):
        with CachedVerdicts(catalog, verifier, is_writable=False) as verdicts:
            verdicts.verdict(whole, crop)
        assert verdicts.computed == 1


def test_previews_in_memory_are_bounded(catalog: Catalog, verifier: Verifier) -> None:
    verdicts = CachedVerdicts(catalog, verifier, is_writable=False, previews_in_memory=2)
    first = verdicts.image(1)
    assert verdicts.image(1) is first
    verdicts.image(2)
    verdicts.image(3)
    assert verdicts.image(1) is not first


def test_a_damaged_preview_is_named() -> None:
    with pytest.raises(IndexStorageError, match="preview"):
        decode_preview(b"not a picture")
