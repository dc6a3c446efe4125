"""Copies are told from look-alikes, and which of the two may stand for the other."""

from __future__ import annotations

from functools import cache
from itertools import combinations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.evaluation_set.edits import (
    CHAINS,
    EDITS,
    OVERLAYS,
    Edit,
    chain,
    crop,
    jpeg,
    resize,
    text,
)
from benchmarks.evaluation_set.lookalikes import FAMILIES, labels_with_one_changed_digit
from benchmarks.evaluation_set.overlays import phone_screenshot
from benchmarks.evaluation_set.photographs import photograph
from tests.verify.gallery import PHOTOGRAPHS, indexed
from verify.calibration import Strictness
from verify.cascade import Verifier
from verify.evidence import VerifyImage
from verify.geometry import corners, project, size_of
from verify.matchers.registry import load_matcher
from verify.verdict import Relation, Verdict

U8 = NDArray[np.uint8]

# Grading bends saturated colours in ways that a curve of the luminance cannot follow, and heavy
# compression eats the detail of a dark picture: there one of the five may be kept.
# What leaves out something of the original, so that the copy must never stand for it.
LOSSY = (
    "resize 0.25",
    "resize 0.5",
    "crop 0.9",
    "crop 0.5",
    "crop 0.25",
    "grey",
    "rotate 5",
    "rotate 15",
    "rotate 45",
    "text",
    "watermark",
    "sticker",
    "screenshot",
    *CHAINS,
)
ALL_EDITS = {**EDITS, **OVERLAYS, **CHAINS}


@pytest.fixture(scope="module")
def verdicts(
    verifier: Verifier, originals: dict[str, VerifyImage]
) -> dict[tuple[str, str], Verdict]:
    """What is said of each photograph and its copy, by photograph and edit."""
    told = {}
    for number, name in enumerate(PHOTOGRAPHS):
        for edit_name, edit in ALL_EDITS.items():
            copy = edit(photograph(name), np.random.default_rng(number))
            told[name, edit_name] = verifier.verify(originals[name], indexed(copy, quality=90))
    return told


def copies(verdicts: dict[tuple[str, str], Verdict], edit: str) -> list[str]:
    return [name for name in PHOTOGRAPHS if verdicts[name, edit].is_copy]


@pytest.mark.parametrize("edit", EDITS)
def test_a_copy_is_found_in_every_photograph(
    verdicts: dict[tuple[str, str], Verdict], edit: str
) -> None:
    assert copies(verdicts, edit) == list(PHOTOGRAPHS)


@pytest.mark.parametrize(
    ("edit", "least"),
    [
        ("text", 3),
        ("watermark", 4),
        ("crop, mirror, jpeg", 5),
        ("resize, gamma, jpeg", 5),
        ("turn, crop, sharpen", 5),
        ("crop, warm, resize, jpeg", 5),
    ],
)
def test_overlays_and_chains_of_edits_are_found_in_most_photographs(
    verdicts: dict[tuple[str, str], Verdict], edit: str, least: int
) -> None:
    assert len(copies(verdicts, edit)) >= least


@pytest.mark.parametrize("edit", [name for name in ALL_EDITS if name != "resize 2"])
def test_a_copy_is_covered_by_its_original(
    verdicts: dict[tuple[str, str], Verdict], edit: str
) -> None:
    for name in copies(verdicts, edit):
        assert verdicts[name, edit].a_covers_b, name


@pytest.mark.parametrize("edit", LOSSY)
def test_a_copy_that_lost_something_never_covers_its_original(
    verdicts: dict[tuple[str, str], Verdict], edit: str
) -> None:
    assert not any(verdicts[name, edit].b_covers_a for name in PHOTOGRAPHS)


@pytest.mark.parametrize("name", ["chelsea.png", "coffee.png"])
def test_a_small_clean_picture_stays_beside_a_screenshot_that_shows_it_larger(
    verifier: Verifier, name: str
) -> None:
    """The screen has more pixels, but also black bars and buttons."""
    picture = photograph(name)
    clean = cv2.resize(picture, (360, 240), interpolation=cv2.INTER_AREA)
    screen = indexed(phone_screenshot(clean, np.random.default_rng(3)))
    verdict = verifier.verify(screen, indexed(clean))
    assert verdict.measurements["border_on_a"] > 0.2
    assert not verdict.a_covers_b, verdict.reason


def test_the_score_is_high_for_a_copy_and_low_for_another_picture(
    verifier: Verifier,
    originals: dict[str, VerifyImage],
    verdicts: dict[tuple[str, str], Verdict],
) -> None:
    # What stays for being unsure may well be a copy: only the verdicts of "copy" have to be sure.
    for verdict in verdicts.values():
        assert 0 <= verdict.score <= 1
        assert not verdict.is_copy or verdict.score > 0.8
    unrelated = verifier.verify(originals["coffee.png"], originals["china.jpg"])
    assert (unrelated.relation, unrelated.score) == (Relation.DIFFERENT, 0)


def test_the_transform_leads_from_the_full_original_to_the_full_copy(verifier: Verifier) -> None:
    large = photograph("china.jpg", 1600)
    height, width = large.shape[:2]
    part = large[height // 5 : height // 5 * 4, width // 4 : width // 4 * 3]
    verdict = verifier.verify(indexed(large, quality=92), indexed(part, quality=92))
    assert verdict.a_covers_b
    assert verdict.transform is not None
    shift = np.array([width // 4, height // 5])
    found = project(np.linalg.inv(verdict.transform), corners(size_of(part)))
    # Half a pixel of the preview's middle, a few at the corners: 0.5 % of the frame.
    assert np.abs(found - shift - corners(size_of(part))).max() < 0.005 * width


@cache
def family(name: str) -> list[U8]:
    photographs = [photograph(one) for one in PHOTOGRAPHS]
    seed = sorted(FAMILIES).index(name)
    return FAMILIES[name](np.random.default_rng(seed), 3, photographs)


@cache
def family_indexed(name: str) -> list[VerifyImage]:
    return [indexed(picture) for picture in family(name)]


REWORKED: dict[str, Edit | None] = {
    "as they are": None,
    "one saved as a JPEG": jpeg(75),
    "one shrunk": chain(resize(0.6), jpeg(85)),
}


@pytest.mark.parametrize("reworked", REWORKED)
@pytest.mark.parametrize("name", FAMILIES)
def test_pictures_that_look_alike_are_different(
    verifier: Verifier, name: str, reworked: str
) -> None:
    edit = REWORKED[reworked]
    random = np.random.default_rng(0)
    first = family_indexed(name)
    second = first if edit is None else [indexed(edit(one, random)) for one in family(name)]
    every_two = list(combinations(range(len(first)), 2))
    # All pairs once; reworked, each picture with its neighbour.
    for i, j in every_two if edit is None else [(i, i + 1) for i in range(len(first) - 1)]:
        verdict = verifier.verify(first[i], second[j])
        assert verdict.relation is Relation.DIFFERENT, (i, j, verdict)
        assert not verdict.a_covers_b
        assert not verdict.b_covers_a
        assert verdict.reason


@pytest.mark.parametrize("seed", [5, 21, 29])
def test_a_digit_of_ten_pixels_is_seen_to_be_another(verifier: Verifier, seed: int) -> None:
    labels = labels_with_one_changed_digit(np.random.default_rng(seed), 3, [])
    small = chain(resize(0.6), jpeg(75))
    for first, second in combinations(labels, 2):
        a, b = indexed(first, quality=92), indexed(small(second, np.random.default_rng(0)))
        assert not verifier.verify(a, b).is_copy


@pytest.mark.parametrize("strictness", [Strictness.BALANCED, Strictness.LOOSE])
@pytest.mark.parametrize(
    "name",
    [
        "labels with one changed digit",
        "pages with one changed line",
        "burst frames with a moved object",
        "photographs of a label with another number",
        "stereo pair",
    ],
)
def test_two_labels_pages_or_frames_are_different_at_any_strictness(
    name: str, strictness: Strictness
) -> None:
    verifier = Verifier((load_matcher("orb"),), strictness)
    for a, b in combinations(family_indexed(name), 2):
        assert not verifier.verify(a, b).is_copy


@pytest.mark.parametrize(
    "edit", ["crop 0.5", "resize 0.5", "mirror", "gamma 1.6", "text", "border"]
)
def test_the_verdict_is_the_same_the_other_way_round(
    verifier: Verifier, originals: dict[str, VerifyImage], edit: str
) -> None:
    for name in ("astronaut.png", "china.jpg"):
        copy = indexed(ALL_EDITS[edit](photograph(name), np.random.default_rng(1)), quality=90)
        forth = verifier.verify(originals[name], copy)
        back = verifier.verify(copy, originals[name]).reversed()
        assert forth.is_copy
        assert forth.is_copy == back.is_copy
        assert (forth.a_covers_b, forth.b_covers_a) == (back.a_covers_b, back.b_covers_a)


def test_look_alikes_are_different_the_other_way_round_too(verifier: Verifier) -> None:
    for name in ("labels with one changed digit", "burst frames with a moved object"):
        for a, b in combinations(family_indexed(name), 2):
            assert not verifier.verify(b, a).is_copy


def test_the_same_verdict_comes_out_whatever_was_verified_before(
    originals: dict[str, VerifyImage],
) -> None:
    copy = indexed(crop(0.5)(photograph("coffee.png"), np.random.default_rng(3)), quality=80)
    fresh = Verifier((load_matcher("orb"), load_matcher("sift")))
    first = fresh.verify(originals["coffee.png"], copy)
    fresh.verify(originals["china.jpg"], originals["rocket.jpg"])
    cv2.setRNGSeed(99)
    again = fresh.verify(originals["coffee.png"], copy)
    assert first.measurements == again.measurements
    assert np.array_equal(first.transform, again.transform)  # type: ignore[arg-type]


def test_the_same_bytes_are_exact_both_ways(
    verifier: Verifier, originals: dict[str, VerifyImage]
) -> None:
    verdict = verifier.verify(originals["rocket.jpg"], originals["rocket.jpg"])
    assert (verdict.relation, verdict.score) == (Relation.EXACT, 1.0)
    assert verdict.a_covers_b
    assert verdict.b_covers_a


def test_a_crop_with_text_on_the_full_picture_covers_neither(verifier: Verifier) -> None:
    picture = photograph("coffee.png")
    marked = indexed(text(picture, np.random.default_rng(2)), quality=92)
    part = indexed(np.ascontiguousarray(picture[20:300, 20:440]), quality=92)
    verdict = verifier.verify(marked, part)
    assert not verdict.a_covers_b
    assert not verdict.b_covers_a
    assert not verdict.is_copy


@pytest.mark.parametrize("mark", ["text", "watermark"])
def test_the_overlay_is_on_the_marked_picture_and_the_clean_one_covers_it(
    verifier: Verifier, mark: str
) -> None:
    clean = indexed(photograph("astronaut.png"), quality=92)
    marked = indexed(
        OVERLAYS[mark](photograph("astronaut.png"), np.random.default_rng(0)), quality=92
    )
    forth, back = verifier.verify(clean, marked), verifier.verify(marked, clean)
    assert (forth.a_covers_b, forth.b_covers_a) == (True, False)
    assert (back.a_covers_b, back.b_covers_a) == (False, True)
    assert forth.measurements["overlay_on_b"] > 0 == forth.measurements["overlay_on_a"]
    assert back.measurements["overlay_on_a"] > 0 == back.measurements["overlay_on_b"]


@pytest.mark.parametrize(("width", "is_believed"), [(400, True), (120, True), (64, False)])
def test_a_line_of_text_on_a_thumbnail_is_believed_down_to_eighty_pixels(
    verifier: Verifier, width: int, is_believed: bool
) -> None:
    marked = text(photograph("astronaut.png"), np.random.default_rng(0))
    clean, small = (thumbnail(rgb, width) for rgb in (photograph("astronaut.png"), marked))
    assert verifier.verify(clean, small).is_copy is is_believed


@pytest.mark.parametrize("place", [(150, 330), (60, 60), (300, 120)])
def test_a_patch_that_was_painted_over_on_a_thumbnail_is_content(
    verifier: Verifier, place: tuple[int, int]
) -> None:
    """Some fifty pixels of it, which look like two letters at this size."""
    scene = photograph("astronaut.png")
    painted = scene.copy()
    top, left = place
    painted[top : top + 30, left : left + 40] = (235, 235, 225)
    clean, small = (thumbnail(rgb, 120) for rgb in (scene, painted))
    assert not verifier.verify(clean, small).is_copy


def thumbnail(rgb: U8, side: int) -> VerifyImage:
    reduced = cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA)
    return indexed(np.asarray(reduced), quality=95)


def test_an_enlarged_copy_does_not_make_a_small_original_worthless(verifier: Verifier) -> None:
    small = photograph("china.jpg")
    enlarged = resize(2.0)(small, np.random.default_rng(0))
    verdict = verifier.verify(indexed(small), indexed(enlarged, quality=90))
    assert verdict.relation is Relation.RESIZED
    assert verdict.b_covers_a


def test_a_thumbnail_does_not_cover_the_full_picture(verifier: Verifier) -> None:
    full = indexed(photograph("china.jpg"), quality=92)
    small = indexed(resize(0.25)(photograph("china.jpg"), np.random.default_rng(0)), quality=85)
    verdict = verifier.verify(small, full)
    assert (verdict.a_covers_b, verdict.b_covers_a) == (False, True)


def test_a_grey_copy_does_not_cover_its_coloured_original(verifier: Verifier) -> None:
    coloured = indexed(photograph("coffee.png"), quality=92)
    grey = indexed(EDITS["grey"](photograph("coffee.png"), np.random.default_rng(0)), quality=92)
    verdict = verifier.verify(grey, coloured)
    assert (verdict.a_covers_b, verdict.b_covers_a) == (False, True)


def test_two_photographs_taken_at_different_times_are_different(verifier: Verifier) -> None:
    picture = photograph("coffee.png")
    first = indexed(picture, quality=92, taken_at="2024-05-01T10:00:00")
    second = indexed(picture, quality=80, taken_at="2024-05-01T10:00:01")
    undated = indexed(picture, quality=80)
    assert not verifier.verify(first, second).is_copy
    assert verifier.verify(first, undated).is_copy


def test_animations_are_different_unless_they_are_the_same_bytes(verifier: Verifier) -> None:
    picture = photograph("coffee.png")
    moving, still = indexed(picture, quality=92, frames=12), indexed(picture, quality=80)
    assert not verifier.verify(moving, still).is_copy
    assert not verifier.verify(still, moving).is_copy
    assert verifier.verify(moving, moving).relation is Relation.EXACT


def plain(colour: tuple[int, int, int]) -> U8:
    return np.full((320, 480, 3), colour, np.uint8)


def gradient(top: tuple[int, int, int], bottom: tuple[int, int, int]) -> U8:
    share = np.linspace(0, 1, 320)[:, None, None]
    rows = np.array(top) * (1 - share) + np.array(bottom) * share
    return np.repeat(rows, 480, axis=1).astype(np.uint8)


@pytest.mark.parametrize("colour", [(250, 249, 244), (0, 0, 0), (90, 120, 250)])
def test_blank_pictures_of_one_colour_are_copies(
    verifier: Verifier, colour: tuple[int, int, int]
) -> None:
    verdict = verifier.verify(indexed(plain(colour)), indexed(plain(colour), quality=80))
    assert verdict.is_copy
    assert verdict.a_covers_b


def test_blank_pictures_of_another_shape_are_different(verifier: Verifier) -> None:
    page = plain((250, 250, 250))
    turned = np.ascontiguousarray(np.rot90(page))
    assert not verifier.verify(indexed(page), indexed(turned, quality=80)).is_copy


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (plain((250, 250, 250)), plain((235, 235, 235))),
        (plain((200, 60, 60)), plain((60, 114, 60))),
        (
            gradient((90, 140, 220), (220, 230, 240)),
            gradient((220, 140, 90), (240, 230, 220)),
        ),
        (
            gradient((90, 140, 220), (220, 230, 240)),
            gradient((60, 110, 190), (220, 230, 240)),
        ),
    ],
    ids=["greys", "colours", "hues", "darker at the top"],
)
def test_near_blank_pictures_that_differ_are_different(
    verifier: Verifier, first: U8, second: U8
) -> None:
    a, b = indexed(first, quality=92), indexed(second, quality=92)
    assert not verifier.verify(a, b).is_copy
    assert not verifier.verify(b, a).is_copy


def test_a_blank_page_and_one_with_a_single_word_are_different(verifier: Verifier) -> None:
    page = plain((252, 252, 252))
    written = page.copy()
    cv2.putText(written, "No", (200, 170), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (30, 30, 30), 1)
    assert not verifier.verify(indexed(page), indexed(written)).is_copy


def test_the_version_names_the_strictness_and_the_matchers() -> None:
    orb, sift = load_matcher("orb"), load_matcher("sift")
    versions = {
        Verifier((orb,)).version,
        Verifier((orb, sift)).version,
        Verifier((orb,), Strictness.LOOSE).version,
    }
    assert len(versions) == 3
