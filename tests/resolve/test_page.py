"""What the pages are told: where a copy lies on its keeper, and what the indexes know of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolve.page.groups_file import open_groups
from resolve.page.images import IndexedImages, smaller
from resolve.page.placing import onto_keeper
from resolve.page.plots import bars
from resolve.page.tally import unreadable_kinds
from storage.catalog import Catalog
from storage.errors import UsageError
from tests.resolve.invented import image, preview, record
from verify.geometry import Size, orientation_matrix, scaling_matrix

Make = Callable[..., Catalog]
SIZES = st.tuples(st.integers(1, 9000), st.integers(1, 9000))


@given(SIZES, SIZES)
def test_a_resized_copy_lies_on_the_whole_keeper(
    keeper: tuple[int, int], copy: tuple[int, int]
) -> None:
    scaled = scaling_matrix(Size(*keeper), Size(*copy)).tolist()
    assert onto_keeper(scaled, keeper, copy) == pytest.approx(np.eye(3).ravel(), abs=1e-5)


@given(st.integers(0, 7), SIZES)
def test_a_turned_or_mirrored_copy_has_its_corners_on_those_of_the_keeper(
    orientation: int, keeper: tuple[int, int]
) -> None:
    turned = keeper[::-1] if orientation % 2 else keeper
    transform = orientation_matrix(Size(*keeper), orientation).tolist()
    placed = onto_keeper(transform, keeper, turned)
    assert placed is not None
    corners = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]) @ np.reshape(placed, (3, 3)).T
    found = {tuple(corner) for corner in np.round(corners[:, :2] / corners[:, 2:], 3) + 0.0}
    assert found == {(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)}


@pytest.mark.parametrize(
    "transform", [None, [[0.0] * 3] * 3, [[float("nan")] * 3] * 3, [[1.0]], [[1, 0, 0]] * 3]
)
def test_a_transform_that_places_nothing_is_none(transform: list[list[float]] | None) -> None:
    assert onto_keeper(transform, (4, 3), (4, 3)) is None


def test_what_only_the_reference_index_has_is_found_there(invented: Make) -> None:
    images = IndexedImages(invented(image("/new/a.jpg")), invented(image("/archive/b.jpg")))
    for name in ("/new/a.jpg", "/archive/b.jpg"):
        digest = record(name).digest
        assert images.record(digest) is not None
        assert images.preview(digest) == preview()
        assert images.modified(digest, name) == 0.0
        assert images.modified(digest, "/elsewhere.jpg") is None
    gone = record("gone").digest
    assert (images.record(gone), images.preview(gone)) == (None, None)


def test_a_damaged_preview_is_none() -> None:
    assert smaller(preview()[:100], 160, 75) is None
    assert smaller(b"", 160, 75) is None


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"id": 1, "keeper": {}, "members": [3]}'])
def test_a_line_that_is_no_group_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "groups.jsonl").write_text(line + "\n")
    with pytest.raises(UsageError, match="line 1"), open_groups(tmp_path):
        pass


def test_no_groups_are_no_fault(tmp_path: Path) -> None:
    (tmp_path / "groups.jsonl").write_text("")
    with open_groups(tmp_path) as groups:
        assert len(groups) == 0
        assert groups.ordered().tolist() == []


def test_unreadable_files_are_counted_by_what_is_wrong_with_them(tmp_path: Path) -> None:
    (tmp_path / "unreadable.csv").write_text(
        "path,reason\n/a,The file is empty.\n/b,The file is empty.\n"
        '/c,"The picture has 40000×30000 pixels (1200 megapixels); the limit is 200."\n'
        '/d,"The picture has 9×9 pixels (0 megapixels)."\n'
    )
    assert unreadable_kinds(tmp_path) == {
        "The file is empty": 2,
        "The picture has … pixels": 2,
    }


def test_a_plot_says_its_numbers_and_takes_no_markup(tmp_path: Path) -> None:
    plot = bars("A & B", {"<b>": 3, "x" * 99: 0})
    assert 'aria-label="A &amp; B. &lt;b&gt;: 3; ' in plot
    assert "<b>" not in plot
    assert bars("nothing", {}) == ""
