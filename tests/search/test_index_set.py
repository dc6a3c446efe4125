"""Opening the indexes of a catalog, whatever state their files are in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from search.index_set import IndexSet, SearchOptions
from search.options import Reach
from storage.catalog import Catalog
from storage.index_directory import IndexDirectory
from tests.search.gallery import MODEL, Gallery, clustered, near

DIMENSION = 32
COUNT = 2600
IVFPQ = SearchOptions(exact_below=0)
REACH = Reach(0.9, 0, 0.0, 64)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "index"
    gallery = Gallery(path)
    with gallery.catalog:
        gallery.set_models(**{MODEL: DIMENSION})
        gallery.add({MODEL: clustered(COUNT, DIMENSION, seed=1)})
        assert _state(gallery) == "built anew: there was none"
    return path


@pytest.fixture
def indexed(template: Path, tmp_path: Path) -> Iterator[Gallery]:
    """A catalog whose IVF-PQ index has been written."""
    gallery = Gallery.copy_of(template, tmp_path / "indexed")
    with gallery.catalog:
        yield gallery


def _open(gallery: Gallery, options: SearchOptions = IVFPQ) -> IndexSet:
    return IndexSet.open(gallery.directory, gallery.catalog, options)


def _state(gallery: Gallery) -> str:
    return _open(gallery).describe()[1].state


def _files(gallery: Gallery) -> tuple[Path, Path]:
    index = gallery.directory.faiss_path / f"{MODEL}.ivfpq"
    return index, index.with_name(index.name + ".json")


def _found(indexes: IndexSet, gallery: Gallery, image_id: int, reach: Reach = REACH) -> list[int]:
    query = gallery.vectors([image_id])
    return indexes.embeddings[MODEL].search(query, reach, np.array([image_id])).ids.tolist()


def test_a_small_catalog_is_searched_exactly_and_leaves_no_files(gallery: Gallery) -> None:
    gallery.set_models(**{MODEL: DIMENSION})
    gallery.add({MODEL: clustered(100, DIMENSION, seed=1)})
    descriptions = _open(gallery, SearchOptions()).describe()
    assert [(d.name, d.kind, d.images, d.watermark) for d in descriptions] == [
        ("wavelet hashes", "exact", 100, 100),
        (MODEL, "exact", 100, 100),
    ]
    assert not gallery.directory.faiss_path.exists()


def test_an_empty_catalog_has_empty_indexes(gallery: Gallery) -> None:
    assert [str(d) for d in _open(gallery).describe()] == [
        "wavelet hashes: exact, 0 images, in memory"
    ]
    gallery.set_models(**{MODEL: DIMENSION})
    assert [d.images for d in _open(gallery).describe()] == [0, 0]


def test_a_second_opening_reads_the_file_and_writes_nothing(indexed: Gallery) -> None:
    before = [path.stat().st_mtime_ns for path in _files(indexed)]
    assert _state(indexed) == "up to date"
    assert [path.stat().st_mtime_ns for path in _files(indexed)] == before


def test_new_images_are_added_to_the_file_and_found_as_in_a_fresh_index(indexed: Gallery) -> None:
    originals = indexed.vectors(list(range(1, 301)))
    late = indexed.add({MODEL: near(originals, 0.2, seed=2)})
    grown = _open(indexed)
    assert grown.describe()[1].state == "300 images added"
    assert grown.embeddings[MODEL].watermark == late[-1]
    assert _state(indexed) == "up to date"
    for path in _files(indexed):
        path.unlink()
    fresh = _open(indexed)
    assert "built anew" in fresh.describe()[1].state
    answers = [[_found(index, indexed, i) for i in late] for index in (grown, fresh)]
    assert answers[0] == answers[1]
    assert all(row + 1 in found for row, found in enumerate(answers[0]))


def test_a_few_removed_images_stay_in_the_file_but_are_not_found(indexed: Gallery) -> None:
    (copy,) = indexed.add({MODEL: near(indexed.vectors([7]), 0.1, seed=3)})
    assert 7 in _found(_open(indexed), indexed, copy)
    indexed.remove([7])
    indexes = _open(indexed)
    assert indexes.describe()[1].state == "up to date"
    assert 7 not in _found(indexes, indexed, copy, Reach(0.0, 50, -1.0, 64))


def test_many_removed_images_have_it_built_anew(indexed: Gallery) -> None:
    indexed.remove(list(range(1, 301)))
    assert _state(indexed) == f"built anew: 300 of its {COUNT} images were gone"
    assert _state(indexed) == "up to date"


def test_a_catalog_that_outgrew_its_lists_has_it_built_anew(indexed: Gallery) -> None:
    indexed.add({MODEL: clustered(3 * COUNT + 1, DIMENSION, seed=4)})
    assert _state(indexed).startswith(f"built anew: the catalog had grown from {COUNT} images")


@pytest.mark.parametrize(
    ("which", "content", "reason"),
    [
        (0, b"", "its file was damaged"),
        (0, b"IwPQ" + bytes(500), "its file was damaged"),
        (1, b'{"layout": 1', "its description was damaged"),
        (1, b'{"layout": 1, "anchors": []}', "its description was damaged"),
        (1, b"\xff\xfe", "its description was damaged"),
        (1, b"[]", "its description was damaged"),
    ],
)
def test_a_damaged_file_has_it_built_anew(
    indexed: Gallery, which: int, content: bytes, reason: str
) -> None:
    _files(indexed)[which].write_bytes(content)
    assert _state(indexed) == f"built anew: {reason}"
    assert _state(indexed) == "up to date"


@pytest.mark.parametrize("which", [0, 1])
def test_a_missing_file_has_it_built_anew(indexed: Gallery, which: int) -> None:
    _files(indexed)[which].unlink()
    assert _state(indexed) == "built anew: there was none"


def test_a_description_of_a_newer_layout_has_it_built_anew(indexed: Gallery) -> None:
    card = json.loads(_files(indexed)[1].read_text())
    _files(indexed)[1].write_text(json.dumps({**card, "layout": 99}))
    assert _state(indexed) == "built anew: it was of another version"


def test_other_weights_have_it_built_anew(indexed: Gallery) -> None:
    indexed.set_fingerprint("other weights")
    assert _state(indexed) == "built anew: it was of another model"


def test_the_file_of_another_catalog_is_not_trusted(indexed: Gallery, tmp_path: Path) -> None:
    other = Gallery(tmp_path / "other")
    with other.catalog:
        other.set_models(**{MODEL: DIMENSION})
        other.add({MODEL: clustered(COUNT, DIMENSION, seed=9)})
        other.directory.faiss_path.mkdir()
        for path in _files(indexed):
            (other.directory.faiss_path / path.name).write_bytes(path.read_bytes())
        assert _state(other) == "built anew: it was of another catalog"


def test_where_nothing_can_be_written_the_index_works_from_memory(gallery: Gallery) -> None:
    gallery.set_models(**{MODEL: DIMENSION})
    vectors = clustered(COUNT, DIMENSION, seed=5)
    ids = gallery.add({MODEL: np.concatenate([vectors, near(vectors[:1], 0.1, seed=6)])})
    # A file where the folder should be refuses every user, root too.
    gallery.directory.faiss_path.write_text("")
    indexes = _open(gallery)
    assert "kept in memory" in indexes.describe()[1].state
    assert ids[-1] in _found(indexes, gallery, ids[0])


def test_a_reader_opens_the_same_indexes(indexed: Gallery) -> None:
    path = indexed.directory.path
    indexed.catalog.close()
    directory = IndexDirectory.open(path)
    with Catalog.open_reader(directory.catalog_path) as reader:
        description = IndexSet.open(directory, reader, IVFPQ).describe()[1]
    assert (description.state, description.images) == ("up to date", COUNT)


def test_models_whose_names_read_alike_have_files_of_their_own(gallery: Gallery) -> None:
    gallery.set_models(**{"clip:A/b": DIMENSION, "clip-A/b": DIMENSION})
    gallery.add({n: clustered(COUNT, DIMENSION, seed=7) for n in ("clip:A/b", "clip-A/b")})
    _open(gallery)
    assert len(list(gallery.directory.faiss_path.glob("*.ivfpq"))) == 2
    assert [d.state for d in _open(gallery).describe()[1:]] == ["up to date"] * 2
