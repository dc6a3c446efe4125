"""Which image of a pool stays, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from resolve.contest import Contest
from resolve.keeper import KeeperRules, elect, explain
from resolve.keeper_candidates import Candidate, CandidateFiles
from resolve.keeper_rules import KEEPER_RULES
from resolve.pixel_rules import ADDED_GRAIN
from resolve.preferences import parse_preferences
from storage.records import ImageRecord, Metadata
from tests.resolve.invented import DAY, copy, record
from verify.verdict import Verdict

Pairs = Mapping[tuple[int, int], Verdict]


def _contest(
    records: list[ImageRecord],
    pairs: Pairs | None = None,
    modified: list[float] | None = None,
    *,
    are_others_compared: bool = True,
) -> Contest:
    """All eligible; pairs that are not given are plain copies, or were not compared."""
    count = len(records)
    dates = modified or [0.0] * count
    candidates = [
        Candidate(n, records[n], lambda n: CandidateFiles(f"/p/{chr(ord('a') + n)}.jpg", dates[n]))
        for n in range(count)
    ]
    everyone = range(count) if are_others_compared else ()
    verdicts = {(a, b): copy() for a in everyone for b in everyone if a != b}
    for (a, b), verdict in (pairs or {}).items():
        verdicts |= {(a, b): verdict, (b, a): verdict.reversed()}
    return Contest(candidates, range(count), verdicts)


def _mapped(transform: NDArray[np.float64]) -> Verdict:
    """Of a picture and a copy of it under this map."""
    return replace(copy(), transform=np.asarray(transform, dtype=np.float64))


def _stays(contest: Contest) -> tuple[int, tuple[str, ...]]:
    winner, deciding = elect(contest, KEEPER_RULES)
    return winner, explain(contest, winner, deciding, KEEPER_RULES)


def _alike(count: int, **changes: object) -> list[ImageRecord]:
    return [record(f"{n}", **changes) for n in range(count)]  # type: ignore[arg-type]


def test_the_largest_stays_and_the_reason_gives_the_sizes() -> None:
    contest = _contest([record("a", width=1200, height=900), record("b", width=4000, height=3000)])
    assert _stays(contest) == (1, ("largest: 4000×3000, the other 1200×900",))


def test_an_enlarged_copy_does_not_win() -> None:
    large, small = {"width": 2400, "height": 1800}, {"width": 1200, "height": 900}
    contest = _contest(
        [record("a", **large, bandwidth=0.5), record("b", **small, bandwidth=1.0)]  # type: ignore[arg-type]
    )
    assert _stays(contest) == (1, ("not enlarged: 1200×900; 2400×1800 shows no more",))


def test_a_copy_that_is_smoother_by_far_loses_to_the_smaller_one_it_was_made_from() -> None:
    large = record("large", width=2000, height=1600, bandwidth=0.54, noise=0.5, sharpness=60.0)
    small = record("small", width=1000, height=800, bandwidth=1.0, noise=3.9, sharpness=900.0)
    contest = _contest([large, small], {(0, 1): copy(scale=0.5)})
    assert contest.made_from == {0: {1: pytest.approx(2.0)}}
    assert _stays(contest)[0] == 1


def test_a_screenshot_of_the_original_does_not_make_an_enlarged_copy_finer() -> None:
    """It has more pixels than the original, most of them of the screen around it."""
    soft = {"bandwidth": 0.54, "noise": 0.5, "sharpness": 60.0}
    sharp = {"bandwidth": 1.0, "noise": 3.9, "sharpness": 900.0}
    contest = _contest(
        [
            record("enlarged", width=2000, height=1600, **soft),  # type: ignore[arg-type]
            record("original", width=1000, height=800, **sharp),  # type: ignore[arg-type]
            record("screen", width=1250, height=1200, **sharp),  # type: ignore[arg-type]
        ],
        {
            (0, 1): copy(scale=0.5),
            (0, 2): copy(b_covers_a=False, scale=0.5, border_on_b=0.4),
        },
        are_others_compared=False,
    )
    assert contest.made_from[0].keys() == {1, 2}
    assert _stays(contest)[0] == 1


def test_a_picture_made_wider_loses_to_the_proportions_that_most_have() -> None:
    wider = _mapped(np.diag([1.25, 1.0, 1.0]))
    crop = _mapped(np.array([[1.0, 0, -40], [0, 1, -30], [0, 0, 1]]))
    contest = _contest(
        [
            record("original", width=1000, height=800),
            record("wider", width=1250, height=800),
            record("crop", width=900, height=750),
        ],
        {(0, 1): wider, (0, 2): crop},
        are_others_compared=False,
    )
    assert contest.same_proportions == [2, 1, 2]
    winner, reasons = _stays(contest)
    assert winner == 0
    assert "the proportions that most have; one of the others stretched" in reasons


def test_what_the_crops_were_cut_from_was_not_enlarged() -> None:
    # As soft as an enlarged copy; but two crops show things as large as it does.
    large, small = {"width": 2400, "height": 1800}, {"width": 1200, "height": 900}
    crop = {"width": 1000, "height": 1000}
    contest = _contest(
        [
            record("small", **small, bandwidth=1.0),  # type: ignore[arg-type]
            record("soft", **large, bandwidth=0.5),  # type: ignore[arg-type]
            record("left", **crop, bandwidth=0.5),  # type: ignore[arg-type]
            record("right", **crop, bandwidth=0.5),  # type: ignore[arg-type]
        ],
        {
            (1, 0): copy(scale=0.5),
            (1, 2): copy(b_covers_a=False, scale=1.0),
            (1, 3): copy(b_covers_a=False, scale=1.0),
        },
        are_others_compared=False,
    )
    assert contest.at_its_scale == [1, 3, 3, 3]
    assert _stays(contest)[0] == 1


def test_a_soft_original_wins_over_its_reduced_copy() -> None:
    large, small = {"width": 2400, "height": 1800}, {"width": 1200, "height": 900}
    contest = _contest(
        [record("a", **large, bandwidth=0.3), record("b", **small, bandwidth=0.6)]  # type: ignore[arg-type]
    )
    assert _stays(contest) == (0, ("largest: 2400×1800, the other 1200×900",))


def test_a_blurred_copy_of_the_same_size_loses() -> None:
    winner, reasons = _stays(_contest([record("a", bandwidth=0.6), record("b", bandwidth=0.9)]))
    assert winner == 1
    assert reasons == ("most detail: 1000×800; 1000×800 is softer",)


def test_added_noise_is_not_taken_for_detail() -> None:
    records = [*_alike(2, bandwidth=0.6), record("noisy", bandwidth=1.0, noise=12.0)]
    assert _stays(_contest(records))[0] != 2


def test_the_whole_frame_stays_and_not_one_turned_by_a_few_degrees() -> None:
    turned = copy(frame_share_a=0.95, frame_share_b=0.95, border_on_b=0.05)
    contest = _contest(_alike(2), {(0, 1): turned})
    winner, reasons = _stays(contest)
    assert winner == 0
    assert "clean; the other has a border" in reasons


@pytest.mark.parametrize("name", ["overlay_on_a", "border_on_a"])
def test_a_clean_picture_stays_for_one_with_something_added(name: str) -> None:
    contest = _contest(_alike(2), {(0, 1): copy(**{name: 0.02})})
    winner, reasons = _stays(contest)
    assert winner == 1
    assert reasons[0].startswith("clean; the other has")


def test_colour_stays_for_grey() -> None:
    records = [record("grey", colourfulness=0.0), record("colour", colourfulness=40.0)]
    assert _stays(_contest(records)) == (1, ("in colour; the other is grey",))


def test_the_way_round_that_most_are_is_kept() -> None:
    mirrored = copy(is_mirrored=1.0)
    contest = _contest(_alike(3), {(1, 0): mirrored, (2, 0): mirrored})
    winner, reasons = _stays(contest)
    assert winner in (1, 2)
    assert reasons == ("the way round that most are; one of the others turned or mirrored",)


def test_orientations_are_followed_through_pairs_that_nobody_compared() -> None:
    # 1 is 0 turned by a quarter, 2 is 1 turned back: 0 and 2 lie the same way.
    size = 100.0
    turn = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, size], [0.0, 0.0, 1.0]])
    back = np.linalg.inv(turn)
    records = _alike(3, width=100, height=100)
    candidates = [
        Candidate(n, records[n], lambda n: CandidateFiles(f"/p/{n}.jpg", 0.0)) for n in range(3)
    ]
    forth = Verdict(copy().relation, 0.9, True, True, turn, {}, "")
    told = {(0, 1): forth, (1, 2): Verdict(copy().relation, 0.9, True, True, back, {}, "")}
    verdicts = told | {(b, a): verdict.reversed() for (a, b), verdict in told.items()}
    contest = Contest(candidates, range(3), verdicts)
    assert contest.same_orientation == [2.0, 1.0, 2.0]


def _graded(brightness: float = 0.0, contrast: float = 0.0, colour: float = 1.0) -> Verdict:
    """Of a picture and a copy of it in other tones."""
    return copy(
        brightness_a=120.0, contrast_a=50.0, red_a=2.0, blue_a=-3.0, colour_a=20.0,
        brightness_b=120.0 + brightness, contrast_b=50.0 + contrast, red_b=2.0, blue_b=-3.0,
        colour_b=20.0 * colour,
    )  # fmt: skip


def test_the_picture_that_all_edits_lie_around_is_the_original() -> None:
    # One brighter, one darker, one more saturated; each is nearest to what it was made from.
    pairs = {
        (0, 1): _graded(brightness=12.0),
        (0, 2): _graded(brightness=-10.0, contrast=-6.0),
        (0, 3): _graded(colour=1.5),
    }
    winner, reasons = _stays(_contest(_alike(4), pairs))
    assert winner == 0
    assert reasons == ("brightness and colour nearest to all the others",)


def test_tones_are_followed_through_whoever_was_compared() -> None:
    # All were compared with the brighter copy only: it is as far from the original as they tell.
    pairs = {
        (1, 0): _graded(brightness=-12.0),
        (1, 2): _graded(brightness=-22.0, contrast=-6.0),
        (1, 3): _graded(brightness=-12.0, colour=1.5),
    }
    assert _stays(_contest(_alike(4), pairs, are_others_compared=False))[0] == 0


def test_colour_that_saving_takes_is_no_difference_in_tone() -> None:
    pairs = {(0, 1): _graded(colour=0.97), (0, 2): _graded(), (0, 3): _graded(colour=0.96)}
    distances = _contest(_alike(4), pairs).tone_distance
    assert np.ptp(distances) < 0.01


def test_two_pictures_differ_equally_from_each_other() -> None:
    assert np.isnan(_contest(_alike(2), {(0, 1): _graded(30.0)}).tone_distance).all()


def test_less_compression_stays() -> None:
    contest = _contest([record("a", jpeg_quality=60), record("b", jpeg_quality=95)])
    assert _stays(contest) == (1, ("least compressed: JPEG quality 95, the other 60",))


def test_a_format_that_does_not_say_what_it_lost_loses_to_one_that_loses_nothing() -> None:
    contest = _contest(
        [
            record("heif", image_format="HEIF", noise=3.5),
            record("png", image_format="PNG", noise=3.6),
        ]
    )
    assert _stays(contest)[0] == 1


def test_a_png_made_from_a_jpeg_loses_to_it() -> None:
    contest = _contest(
        [
            record("png", image_format="PNG", blockiness=0.3, noise=2.4),
            record("jpeg", jpeg_quality=85, blockiness=0.3, noise=2.0),
        ]
    )
    winner, reasons = _stays(contest)
    assert winner == 1
    assert reasons[0] == "first generation; the other (PNG) saved again from a JPEG"


def test_a_jpeg_whose_pixels_a_png_has_is_what_the_png_was_made_from() -> None:
    # Turned, so that there is no grid left to tell.
    measured = {"noise": 2.314, "sharpness": 701.2}
    contest = _contest(
        [
            record("png", image_format="PNG", blockiness=0.01, **measured),
            record("jpeg", jpeg_quality=85, blockiness=0.2, **measured),
            record("webp", image_format="WEBP", noise=2.29, sharpness=698.0),
        ]
    )
    winner, reasons = _stays(contest)
    assert winner == 1
    assert reasons[0] == "one of the others (PNG) made from it without loss"


def test_a_jpeg_of_the_finest_quality_may_well_be_made_from_the_png() -> None:
    measured = {"noise": 2.314, "sharpness": 701.2}
    contest = _contest(
        [
            record("jpeg", jpeg_quality=98, **measured),
            record("png", image_format="PNG", **measured),
        ]
    )
    assert not any(contest.lossless_twins)


def test_pictures_without_noise_are_no_twins_for_measuring_the_same() -> None:
    measured = {"noise": 0.1, "sharpness": 0.0}
    contest = _contest([record("jpeg", **measured), record("png", image_format="PNG", **measured)])
    assert not any(contest.lossless_twins)


def test_grain_that_a_lossless_copy_shares_was_not_added() -> None:
    # All the others were smoothed by compression.
    contest = _contest(
        [
            record("original", noise=3.2, sharpness=901.0, blockiness=0.02, jpeg_quality=95),
            record("turned", image_format="PNG", noise=3.2, sharpness=901.0, blockiness=0.02),
            record("small", noise=1.2, sharpness=702.0, blockiness=0.02, jpeg_quality=80),
            record("smaller", noise=1.2, sharpness=703.0, blockiness=0.02, jpeg_quality=80),
        ]
    )
    assert ADDED_GRAIN.scores(contest, range(4))[0] == 0.0


def test_a_corner_that_a_turned_copy_lost_is_no_margin_of_the_original() -> None:
    turned = copy(b_covers_a=False, border_on_a=0.02, border_on_b=0.04)
    framed = copy(b_covers_a=False, border_on_b=0.2)
    contest = _contest(_alike(3), {(0, 1): turned, (0, 2): framed})
    assert contest.added == pytest.approx([0.0, 0.02, 0.2])


def test_a_jpeg_saved_again_at_a_higher_quality_loses_to_the_one_it_was_made_of() -> None:
    contest = _contest(
        [
            record("again", jpeg_quality=90, blockiness=0.176, sharpness=691.0),
            record("first", jpeg_quality=70, blockiness=0.173, sharpness=693.0),
        ]
    )
    winner, reasons = _stays(contest)
    assert winner == 1
    assert reasons[0] == "first generation; the other (JPEG) saved again from a JPEG"


def test_the_blocks_of_a_coarse_jpeg_are_not_taken_for_detail() -> None:
    soft, sharp = {"bandwidth": 0.5}, {"bandwidth": 1.0}
    records = [
        record("original", jpeg_quality=85, blockiness=0.1, **soft),
        record("half", jpeg_quality=95, blockiness=0.05, **soft),
        record("coarse", jpeg_quality=10, blockiness=1.3, **sharp),
    ]
    assert _stays(_contest(records))[0] != 2


def test_the_one_with_camera_data_stays_however_high_the_quality_of_the_other() -> None:
    camera = Metadata(taken_at="2008-03-09T12:22:39", camera="Panasonic DMC-FZ3", has_exif=True)
    contest = _contest(
        [record("a", jpeg_quality=98), record("b", jpeg_quality=80, metadata=camera)]
    )
    assert _stays(contest) == (1, ("camera data intact (Panasonic DMC-FZ3, 2008-03-09T12:22:39)",))


def test_a_png_without_traces_of_a_jpeg_wins_over_one() -> None:
    contest = _contest(
        [
            record("jpeg", jpeg_quality=85, blockiness=0.3, noise=1.9),
            record("png", image_format="PNG"),
        ]
    )
    assert _stays(contest)[0] == 1


def test_stretched_contrast_loses() -> None:
    contest = _contest([record("a", histogram_gaps=0.2), record("b", histogram_gaps=0.0)])
    assert _stays(contest)[0] == 1


def test_camera_data_is_named_in_the_reason_without_control_characters() -> None:
    camera = Metadata(taken_at="2014:05:01 10:00:00", camera="=EVIL\x07()", has_exif=True)
    contest = _contest([record("a"), record("b", metadata=camera)])
    assert _stays(contest) == (1, ("camera data intact (=EVIL(), 2014:05:01 10:00:00)",))


def test_noise_loses() -> None:
    assert _stays(_contest([record("a", noise=6.0), record("b", noise=2.0)]))[0] == 1


def test_of_equals_the_oldest_stays() -> None:
    contest = _contest(_alike(2), modified=[5 * DAY, 0.0])
    assert _stays(contest) == (1, ("oldest file: 1970-01-01",))


def test_of_equals_of_one_age_the_first_by_name_stays() -> None:
    contest = _contest(_alike(3), modified=[500.0, 0.0, 100.0])
    assert _stays(contest) == (0, ("as good as the others; first by name",))


def test_only_the_eligible_win_and_the_others_still_explain_why() -> None:
    records = [record("crop", width=700, height=600), record("whole"), record("other crop")]
    cropped = copy(b_covers_a=False, frame_share_a=0.6)
    candidates = [
        Candidate(n, records[n], lambda n: CandidateFiles(f"/p/{n}.jpg", 0.0)) for n in range(3)
    ]
    told = {(1, 0): cropped, (1, 2): cropped}
    verdicts = told | {(b, a): verdict.reversed() for (a, b), verdict in told.items()}
    contest = Contest(candidates, [1], verdicts)
    winner, deciding = elect(contest, KEEPER_RULES)
    assert (winner, deciding) == (1, ())
    reasons = explain(contest, winner, deciding, KEEPER_RULES)
    assert reasons[0] == "shows the whole frame; the others up to 40 % less"


def test_preferences_come_first_in_their_order() -> None:
    rules = KeeperRules(_NoSource(), parse_preferences(("format:png", "largest")))
    contest = _contest(
        [
            record("jpeg", width=4000, height=3000),
            record("small png", image_format="PNG", width=400, height=300),
            record("png", image_format="PNG", width=800, height=600),
        ]
    )
    winner, deciding = elect(contest, rules.rules)
    assert winner == 2
    assert [rule.name for rule in deciding] == ["format:PNG", "largest"]


class _NoSource:
    def candidate(self, image_id: int) -> Candidate:
        raise KeyError(image_id)
