"""RAW files stay, whatever is like their previews, unless one of a shot was asked to go."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from resolve.decisions import Decisions
from resolve.lists import write_lists
from resolve.raw_pairs import RawPairs
from resolve.resolution import Resolution, ResolveOptions
from resolve.resolve import resolve
from storage.catalog import Catalog
from tests.resolve.invented import ToldVerdicts, candidates, copy, fill, image, record
from verify.verdict import Verdict

Told = dict[tuple[int, int], Verdict]
Make = Callable[..., Catalog]
JPEG, RAW = RawPairs.JPEG, RawPairs.RAW


def raw(*uris: str):
    return image(*uris, record_=record(uris[0], image_format="RAW"))


def resolved(catalog: Catalog, told: Told, **options: object) -> Resolution:
    wanted = ResolveOptions(**options)  # type: ignore[arg-type]
    return resolve(catalog, candidates(told), ToldVerdicts(told), wanted)


def deleted(catalog: Catalog, told: Told, out: Path, **options: object) -> dict[str, str]:
    """Path to the path kept in its place."""
    write_lists(resolved(catalog, told, **options), catalog, out)
    with (out / "delete.csv").open(newline="") as file:
        return {row["path"]: row["keep"] for row in csv.DictReader(file)}


def reasons(out: Path) -> dict[str, str]:
    with (out / "keep.csv").open(newline="") as file:
        return {row["path"]: row["reason"] for row in csv.DictReader(file)}


def test_both_of_a_shot_stay_and_the_raw_file_says_what_it_belongs_to(
    invented: Make, tmp_path: Path
) -> None:
    catalog = invented(raw("/p/IMG_1.CR2"), image("/p/IMG_1.JPG"), image("/p/IMG_2.JPG"))
    told = {(1, 2): copy(), (1, 3): copy()}
    assert deleted(catalog, told, tmp_path) == {}
    assert reasons(tmp_path)["/p/IMG_1.CR2"] == "a RAW file; one shot with IMG_1.JPG"
    found = resolved(catalog, told)
    assert (found.shots, found.shots_halved, found.raw_pairs_passed_over) == (1, 0, 2)


@pytest.mark.parametrize("which", list(RawPairs))
def test_nothing_elsewhere_goes_for_a_raw_file_nor_it_for_anything_elsewhere(
    invented: Make, tmp_path: Path, which: RawPairs
) -> None:
    catalog = invented(
        raw("/p/IMG_1.CR2"), image("/web/IMG_1.JPG"), raw("/p/IMG_1.DNG"), image("/p/IMG_2.JPG")
    )
    told = {(a, b): copy() for a, b in ((1, 2), (1, 3), (1, 4), (2, 3), (3, 4))}
    assert deleted(catalog, told, tmp_path, raw_pairs=which) == {}
    why = reasons(tmp_path)["/p/IMG_1.DNG"]
    assert why == "a RAW file: only one with the same bytes stands for it"


def test_copies_of_the_jpeg_go_as_always(invented: Make, tmp_path: Path) -> None:
    catalog = invented(raw("/p/a.nef"), image("/p/a.jpg"), image("/web/small.jpg"))
    told = {(1, 2): copy(), (1, 3): copy(), (2, 3): copy(b_covers_a=False)}
    assert deleted(catalog, told, tmp_path) == {"/web/small.jpg": "/p/a.jpg"}


def test_raw_files_with_the_same_bytes_leave_one(invented: Make, tmp_path: Path) -> None:
    catalog = invented(raw("/p/a.dng", "/backup of p/a.dng"))
    assert deleted(catalog, {}, tmp_path) == {"/backup of p/a.dng": "/p/a.dng"}


@pytest.mark.parametrize(
    ("which", "goes"), [(JPEG, {"/p/a.orf": "/p/a.jpg"}), (RAW, {"/p/a.jpg": "/p/a.orf"})]
)
def test_one_of_a_shot_goes_when_it_was_asked_for(
    invented: Make, tmp_path: Path, which: RawPairs, goes: dict[str, str]
) -> None:
    catalog = invented(raw("/p/a.orf"), image("/p/a.jpg"))
    assert deleted(catalog, {(1, 2): copy()}, tmp_path, raw_pairs=which) == goes


@pytest.mark.parametrize("which", [JPEG, RAW])
@pytest.mark.parametrize("told", [{}, {(1, 2): copy(a_covers_b=False, b_covers_a=False)}])
def test_both_stay_where_they_do_not_show_the_same(
    invented: Make, tmp_path: Path, which: RawPairs, told: Told
) -> None:
    catalog = invented(raw("/p/a.orf"), image("/p/a.jpg"))
    assert deleted(catalog, told, tmp_path, raw_pairs=which) == {}


def test_a_raw_file_joins_the_group_of_its_jpeg(invented: Make, tmp_path: Path) -> None:
    catalog = invented(raw("/p/a.raf"), image("/p/a.jpg"), image("/web/a.jpg"))
    told = {(1, 2): copy(), (2, 3): copy(b_covers_a=False)}
    outcome = deleted(catalog, told, tmp_path, raw_pairs=JPEG)
    assert outcome == {"/p/a.raf": "/p/a.jpg", "/web/a.jpg": "/p/a.jpg"}


def test_a_raw_file_whose_jpeg_goes_stays(invented: Make, tmp_path: Path) -> None:
    catalog = invented(raw("/p/a.raf"), image("/p/a.jpg"), image("/best/a.jpg"))
    told = {(1, 2): copy(), (2, 3): copy(a_covers_b=False)}
    assert deleted(catalog, told, tmp_path, raw_pairs=JPEG) == {"/p/a.jpg": "/best/a.jpg"}


def test_a_jpeg_that_others_go_for_stays(invented: Make, tmp_path: Path) -> None:
    catalog = invented(raw("/p/a.raf"), image("/p/a.jpg"), image("/web/a.jpg"))
    told = {(1, 2): copy(), (2, 3): copy(b_covers_a=False)}
    assert deleted(catalog, told, tmp_path, raw_pairs=RAW) == {"/web/a.jpg": "/p/a.jpg"}


@pytest.mark.parametrize("which", [JPEG, RAW])
def test_a_content_that_also_lies_elsewhere_without_the_other_stays(
    invented: Make, tmp_path: Path, which: RawPairs
) -> None:
    images = [raw("/p/a.rw2"), image("/p/a.jpg")]
    lonely = 0 if which is JPEG else 1
    images[lonely] = (raw if lonely == 0 else image)(images[lonely].blobs[0].uri, "/q/b.jpg")
    catalog = invented(*images)
    outcome = deleted(catalog, {(1, 2): copy()}, tmp_path, raw_pairs=which)
    assert set(outcome) == {"/q/b.jpg"}


@pytest.mark.parametrize("how", ["protected", "decided", "not the same"])
def test_what_people_said_holds(invented: Make, tmp_path: Path, how: str) -> None:
    catalog = invented(raw("/p/a.pef"), image("/q/a.jpg", "/p/a.jpg"))
    digests = [catalog.record(number).digest for number in (1, 2)]
    options: dict[str, object] = {
        "protected": {"protect": ("/p",)},
        "decided": {"decisions": Decisions(keep=frozenset(digests[:1]))},
        "not the same": {
            "decisions": Decisions(not_same=frozenset([(min(digests), max(digests))]))
        },
    }[how]
    outcome = deleted(catalog, {(1, 2): copy()}, tmp_path, raw_pairs=JPEG, **options)
    assert "/p/a.pef" not in outcome


def test_many_shots_give_the_same_lists_whatever_order_they_were_indexed_in(
    tmp_path: Path,
) -> None:
    seen = []
    for order in (1, -1):
        images = [each for n in range(5) for each in (raw(f"/p/{n}.cr3"), image(f"/p/{n}.jpg"))]
        with Catalog.open_writer(tmp_path / f"catalog{order}") as catalog:
            fill(catalog, images[::order])
            told = {(a, a + 1): copy() for a in range(1, 10, 2)}
            seen.append(deleted(catalog, told, tmp_path / f"lists{order}", raw_pairs=JPEG))
    assert len(seen[0]) == 5
    assert seen[0] == seen[1]
