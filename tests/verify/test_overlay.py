"""Something laid over the picture is told from another picture."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.evaluation_set.edits import OVERLAYS
from benchmarks.evaluation_set.lookalike_prints import seven_segment_displays
from benchmarks.evaluation_set.lookalikes import (
    charts_with_another_line,
    flat_object_moved,
    forms_filled_differently,
    labels_with_one_changed_digit,
    pages_with_one_changed_line,
    photographs_of_a_label_with_another_number,
)
from benchmarks.evaluation_set.photographs import photograph
from tests.verify.gallery import indexed
from verify.calibration import THRESHOLDS, Strictness
from verify.cascade import Verifier
from verify.doubts import doubt_in_overlay
from verify.overlay import Changes, find_changes
from verify.paint import Paint
from verify.residual import measure_residual
from verify.warp import align_pixels

U8 = NDArray[np.uint8]
LIMITS = THRESHOLDS[Strictness.SAFE]
# A line of letters, of which nothing but the surprise tells that they are.
LETTERS = Changes(
    agreement_elsewhere=1.0,
    worst_elsewhere=1.0,
    places=4,
    changed_share=0.02,
    region_share=0.05,
    extent=0.5,
    line_extent=0.5,
    opposed=0.05,
    worst_place=0.1,
    detail_kept=1.0,
    detail_added=3.0,
    paper=0.3,
    paper_around=0.2,
    paint=Paint(unexplained=0.02, worst=10.0, away=0.02, covered=0.3),
)


def random(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def changes(a: U8, b: U8) -> Changes:
    pair = align_pixels(a, b, np.eye(3))
    assert pair is not None
    return find_changes(pair, measure_residual(pair))


def test_equal_pictures_have_no_changed_place() -> None:
    picture = photograph("coffee.png")
    found = changes(picture, picture)
    assert (found.places, found.changed_share, found.region_share, found.extent) == (0, 0, 0, 0)
    assert found.opposed == 0
    assert found.agreement_elsewhere == 1


@pytest.mark.parametrize("mark", ["text", "watermark"])
@pytest.mark.parametrize("name", ["astronaut.png", "coffee.png", "china.jpg"])
def test_an_overlay_surprises_on_the_side_that_has_it(name: str, mark: str) -> None:
    clean = photograph(name)
    marked = OVERLAYS[mark](clean, random())
    forth, back = changes(clean, marked), changes(marked, clean)
    assert forth.overlay_is_on_b
    assert not back.overlay_is_on_b
    for found in (forth, back):
        assert doubt_in_overlay(found, LIMITS) == ""
        assert found.extent > LIMITS.min_overlay_extent
        assert found.agreement_elsewhere > 0.95


def test_the_picture_shows_through_a_watermark_and_not_through_text() -> None:
    clean = photograph("china.jpg")
    assert changes(clean, OVERLAYS["watermark"](clean, random())).translucency > 0.6
    assert changes(clean, OVERLAYS["text"](clean, random())).translucency < 0.5


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "family",
    [
        labels_with_one_changed_digit,
        photographs_of_a_label_with_another_number,
        charts_with_another_line,
        pages_with_one_changed_line,
        forms_filled_differently,
    ],
)
def test_changed_content_is_no_overlay(family, seed: int) -> None:
    photographs = [photograph("coffee.png"), photograph("china.jpg")]
    first, second = family(random(seed), 2, photographs)
    found = changes(first, second)
    assert found.places >= 1
    assert doubt_in_overlay(found, LIMITS)


def test_a_moved_object_goes_in_one_place_and_comes_in_another() -> None:
    first, second = flat_object_moved(random(), 2, [photograph("china.jpg")])
    found = changes(first, second)
    assert found.opposed > LIMITS.max_opposed or found.worst_place > LIMITS.max_worst_place


def test_letters_have_strokes_and_an_object_is_solid() -> None:
    scene = photograph("china.jpg")
    covered = scene.copy()
    covered[150:260, 150:300] = photograph("coffee.png")[100:210, 200:350]
    assert changes(scene, covered).solid_share > 0.3
    assert changes(scene, OVERLAYS["text"](scene, random())).solid_share < LIMITS.max_solid_share


def test_a_flat_colour_is_drawn_and_a_photographed_one_is_not() -> None:
    scene = photograph("china.jpg")
    drawn, photographed = scene.copy(), scene.copy()
    drawn[150:260, 150:300] = (60, 90, 200)
    photographed[150:260, 150:300] = photograph("coffee.png")[100:210, 200:350]
    assert changes(scene, drawn).textured_solid_share < 0.05
    found = changes(scene, photographed)
    assert found.textured_solid_share > 0.5 * found.solid_share


def test_a_page_is_like_paper_and_a_photograph_is_not() -> None:
    first, second = pages_with_one_changed_line(random(), 2, [])
    assert changes(first, second).paper > LIMITS.max_paper
    photo = photograph("coffee.png")
    marked = OVERLAYS["text"](photo, random())
    assert changes(photo, marked).paper < LIMITS.max_paper


def test_a_word_missing_on_a_page_is_surrounded_by_paper() -> None:
    page = pages_with_one_changed_line(random(), 1, [])[0]
    emptied = page.copy()
    emptied[300:330, 80:400] = 255
    found = changes(emptied, page)
    assert found.overlay_is_on_b
    assert found.paper_around > LIMITS.max_paper_around


def test_strokes_have_outlines_on_one_side_and_what_moved_on_both() -> None:
    scene = photograph("china.jpg")
    found = changes(scene, OVERLAYS["text"](scene, random()))
    assert found.sharply_outlined > LIMITS.min_sharply_outlined
    first, second = scene.copy(), scene.copy()
    thing = photograph("astronaut.png")[200:260, 100:160]
    first[150:210, 150:210], second[150:210, 180:240] = thing, thing
    found = changes(first, second)
    assert abs(found.outlined) < LIMITS.min_veil_outlined
    assert abs(found.sharply_outlined) < LIMITS.min_sharply_outlined


def test_specks_are_spots_and_letters_are_strokes() -> None:
    scene = photograph("china.jpg")
    strewn = scene.copy()
    for x, y in random().integers(20, 380, (20, 2)).tolist():
        cv2.circle(strewn, (x, y), 3, (30, 30, 30), -1, cv2.LINE_AA)
    assert changes(scene, strewn).spotted > LIMITS.max_spotted
    assert changes(scene, OVERLAYS["text"](scene, random())).spotted < 0.6


@pytest.mark.parametrize("grain", [8.0, 25.0])
def test_grain_makes_no_photograph_of_a_display(verifier: Verifier, grain: float) -> None:
    """Where one number has all the segments of the other and more, they are laid over nothing."""
    for seed in (4, 6):
        displays = seven_segment_displays(random(seed), 3, [])
        for a, b in permutations(displays, 2):
            noisy = np.clip(b + random(2).normal(0, grain, b.shape), 0, 255).astype(np.uint8)
            verdict = verifier.verify(indexed(a, quality=90), indexed(noisy, quality=90))
            assert not verdict.is_copy, verdict.measurements


def test_another_picture_agrees_nowhere() -> None:
    scene, other = photograph("china.jpg"), photograph("flower.jpg")
    assert changes(scene, other).agreement_elsewhere < LIMITS.min_agreement


@pytest.mark.parametrize(
    ("changed", "doubt"),
    [
        ({}, ""),
        ({"opposed": 0.3}, "something changed in the picture"),
        ({"worst_place": 0.35}, "something changed in the picture"),
        ({"detail_added": 1.6}, ""),
        ({"detail_added": 1.6, "worst_place": 0.2}, "something changed in the picture"),
        ({"detail_added": 1.6, "opposed": 0.2}, "something changed in the picture"),
        ({"detail_kept": 0.2, "detail_added": 3.0}, "something changed in the picture"),
        ({"detail_kept": 3.0, "detail_added": 9.0}, "something changed in the picture"),
        ({"detail_added": 1.2}, "something changed in the picture"),
        # Strokes on busy ground, told by their outlines.
        ({"detail_added": 1.4, "worst_place": 0.3, "sharply_outlined": 0.6}, ""),
        (
            {"detail_added": 1.2, "worst_place": 0.3, "sharply_outlined": 0.6},
            "something changed in the picture",
        ),
        # A light has soft ones.
        (
            {"detail_added": 1.4, "worst_place": 0.2, "outlined": 0.6, "sharply_outlined": 0.3},
            "something changed in the picture",
        ),
        (
            {"detail_added": 1.4, "worst_place": 0.4, "sharply_outlined": 0.6},
            "something changed in the picture",
        ),
        ({"opposed": 0.32, "sharply_outlined": 0.6}, "something changed in the picture"),
        ({"line_extent": 0.2, "sharply_outlined": 0.9}, "something changed in the picture"),
        ({"beside": 0.4, "sharply_outlined": 0.9}, "something changed in the picture"),
        ({"solid_share": 0.2, "sharply_outlined": 0.9}, "something changed in the picture"),
        # Birds on a wire.
        ({"spotted": 0.95}, "something changed in the picture"),
        ({"solid_share": 0.2}, "something changed in the picture"),
        ({"paper": 0.6}, "something changed on a page, a screen or a drawing"),
        ({"paper_around": 0.6}, "something changed on a page, a screen or a drawing"),
        ({"region_share": 0.6}, "too much of the picture changed"),
        ({"changed_share": 0.003}, "a small detail changed"),
        # Small letters that are all on one side.
        ({"changed_share": 0.003, "sharply_outlined": 0.9}, "a small detail changed"),
        (
            {"changed_share": 0.003, "opposed": 0.01, "worst_place": 0.02, "sharply_outlined": 0.9},
            "",
        ),
        (
            {"changed_share": 0.002, "opposed": 0.01, "worst_place": 0.02, "sharply_outlined": 0.9},
            "a small detail changed",
        ),
        ({"extent": 0.2}, "a small detail changed"),
        ({"line_extent": 0.2}, "something changed in the picture"),
        ({"beside": 0.4}, "something changed in the picture"),
        # Under the letters is another picture.
        ({"paint": Paint(0.02, 30.0, 0.02, 0.3)}, "something changed in the picture"),
    ],
)
def test_each_sign_of_content_alone_is_a_doubt(changed: dict[str, float], doubt: str) -> None:
    assert doubt_in_overlay(replace(LETTERS, **changed), LIMITS) == doubt


@pytest.mark.parametrize(
    ("changed", "is_laid_over"),
    [
        ({}, True),
        # Two colours do not explain it.
        ({"paint": Paint(0.02, 5.0, 0.01, 0.3)}, False),
        ({"paint": Paint(0.001, 20.0, 0.01, 0.3)}, False),
        ({"paint": Paint(0.001, 5.0, 0.05, 0.3)}, False),
        # Nothing has them that had not before.
        ({"paint": Paint(0.001, 5.0, 0.01, 0.05)}, False),
        # No line of letters.
        ({"line_extent": 0.2}, False),
        ({"beside": 0.2}, False),
        ({"strewn": True}, False),
        # A thing that was bent.
        ({"opposed": 0.45}, False),
        # A part that was coloured, and is as plain as before.
        ({"solid_share": 0.12}, False),
        ({"solid_share": 0.2, "opposed": 0.03, "worst_place": 0.03}, True),
        ({"detail_added": 0.5}, False),
        # On a drawing it may be content.
        ({"paper": 0.5}, False),
        ({"paper_around": 0.4}, False),
    ],
)
def test_letters_in_two_colours_may_cover_what_is_as_busy_as_they_are(
    changed: dict[str, float], is_laid_over: bool
) -> None:
    letters = replace(
        LETTERS,
        changed_share=0.01,
        opposed=0.4,
        worst_place=0.45,
        sharply_outlined=0.1,
        detail_kept=1.5,
        detail_added=1.7,
        spotted=0.9,
        paper=0.1,
        paper_around=0.05,
        paint=Paint(unexplained=0.001, worst=5.0, away=0.01, covered=0.3),
    )
    doubt = doubt_in_overlay(replace(letters, **changed), LIMITS)
    assert (doubt == "") is is_laid_over, doubt


@pytest.mark.parametrize(
    ("changed", "is_veil"),
    [
        ({}, True),
        ({"worst_place": 0.9}, False),
        # A ring on each of the two, around different things.
        ({"places": 2}, False),
        ({"line_extent": 0.2, "beside": 1.0}, False),
        # All over the picture, in no lines.
        ({"line_extent": 0.2, "beside": 1.0, "extent": 0.9, "places": 15}, True),
        ({"line_extent": 0.2, "beside": 1.0, "extent": 0.9, "places": 3}, False),
        ({"line_extent": 0.2, "beside": 1.0, "extent": 0.4, "places": 15}, False),
        # Specks that were painted over are strewn all over the picture too, and cover little of it.
        (
            {
                "line_extent": 0.2,
                "beside": 1.0,
                "extent": 0.9,
                "places": 15,
                "changed_share": 0.006,
            },
            False,
        ),
        # Nearly all of the picture shows through many words.
        ({"translucency": 0.97, "worst_place": 0.95, "places": 8}, True),
        ({"translucency": 0.97, "worst_place": 0.95, "places": 2}, False),
        ({"translucency": 0.97, "worst_place": 0.95, "places": 8, "opposed": 0.3}, False),
        # A light or a shadow.
        ({"outlined": 0.2}, False),
        ({"outlined": 0.2, "opposed": 0.04}, True),
        ({"outlined": 0.33, "line_extent": 0.2, "beside": 1.0, "extent": 0.9, "places": 15}, False),
        ({"solid_share": 0.6}, False),
        ({"solid_share": 0.35}, False),
        ({"solid_share": 0.35, "line_extent": 0.6}, True),
        # No veil, but letters.
        ({"translucency": 0.6, "detail_added": 2.5, "worst_place": 0.25, "outlined": 0.2}, True),
        # Hardly to be seen through, and then it has to be on one side.
        ({"translucency": 0.6}, False),
        ({"translucency": 0.6, "worst_place": 0.2}, True),
    ],
)
def test_letters_that_the_picture_shows_through_are_a_veil_and_a_light_is_none(
    changed: dict[str, float], is_veil: bool
) -> None:
    letters = replace(
        LETTERS,
        places=8,
        extent=0.45,
        line_extent=0.45,
        opposed=0.15,
        worst_place=0.5,
        outlined=0.6,
        translucency=0.9,
        detail_added=1.2,
    )
    assert (doubt_in_overlay(replace(letters, **changed), LIMITS) == "") is is_veil
