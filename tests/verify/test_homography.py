"""The alignment found between photographs and copies of them whose true map is known."""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
from skimage.io import imread

from verify.geometry import F64, Size, corners, project, scaling_matrix, size_of
from verify.homography import (
    MIN_INLIERS,
    Alignment,
    AlignmentModel,
    estimate_homography,
)
from verify.matchers.base import U8, Matches
from verify.matchers.registry import load_matcher

PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "motorcycle_left.png")
FRAME = Size(640, 480)


def photograph(name: str, longer_side: int = 640) -> U8:
    pixels = imread(Path(skimage.__file__).parent / "data" / name)
    pixels = np.stack([pixels] * 3, axis=-1) if pixels.ndim == 2 else pixels[..., :3]
    factor = longer_side / max(pixels.shape[:2])
    size = (round(pixels.shape[1] * factor), round(pixels.shape[0] * factor))
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(np.ascontiguousarray(pixels), size, interpolation=interpolation)


def shifted(x: float, y: float) -> F64:
    return np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]])


def warped(image: U8, homography: F64, size: Size) -> U8:
    return cv2.warpPerspective(image, homography, (size.width, size.height), flags=cv2.INTER_CUBIC)


def crop(image: U8) -> tuple[U8, F64]:
    width, height = size_of(image).width, size_of(image).height
    left, top = width // 5, height // 4
    part = image[top : top + height * 6 // 10, left : left + width * 6 // 10]
    enlarged = Size(round(part.shape[1] / 0.6), round(part.shape[0] / 0.6))
    homography = scaling_matrix(size_of(part), enlarged) @ shifted(-left, -top)
    return warped(image, homography, enlarged), homography


def rotated(image: U8, degrees: float) -> tuple[U8, F64]:
    size = size_of(image)
    centre = ((size.width - 1) / 2, (size.height - 1) / 2)
    turn = np.vstack([cv2.getRotationMatrix2D(centre, degrees, 1.0), [0, 0, 1]])
    outline = project(turn, corners(size))
    low, high = outline.min(axis=0), outline.max(axis=0)
    homography = shifted(-low[0] - 0.5, -low[1] - 0.5) @ turn
    return warped(image, homography, Size(*np.ceil(high - low).astype(int))), homography


def scaled(image: U8, factor: float) -> tuple[U8, F64]:
    size = size_of(image)
    target = Size(round(size.width * factor), round(size.height * factor))
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    copy = cv2.resize(image, (target.width, target.height), interpolation=interpolation)
    return copy, scaling_matrix(size, target)


def stretched(image: U8) -> tuple[U8, F64]:
    size = size_of(image)
    target = Size(size.width, round(size.height * 0.75))
    copy = cv2.resize(image, (target.width, target.height), interpolation=cv2.INTER_AREA)
    return copy, scaling_matrix(size, target)


def tilted(image: U8) -> tuple[U8, F64]:
    size = size_of(image)
    target = corners(size) + np.array([[40, 35], [-30, 10], [-50, -20], [15, -45]])
    homography = cv2.getPerspectiveTransform(
        corners(size).astype(np.float32), target.astype(np.float32)
    )
    return warped(image, homography, size), homography


def recompressed(image: U8) -> tuple[U8, F64]:
    _done, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 10])
    return cv2.imdecode(content, cv2.IMREAD_COLOR), np.eye(3)


def blurred(image: U8) -> tuple[U8, F64]:
    return cv2.GaussianBlur(image, (0, 0), 2.0), np.eye(3)


EDITS = {
    "cropped": (crop, 1.0),
    "turned by 5 degrees": (lambda image: rotated(image, 5), 1.0),
    "turned by 45 degrees": (lambda image: rotated(image, 45), 1.0),
    "turned by 90 degrees": (lambda image: rotated(image, 90), 1.0),
    "shrunk to a quarter": (lambda image: scaled(image, 0.25), 1.0),
    "enlarged to double": (lambda image: scaled(image, 2.0), 1.0),
    "stretched": (stretched, 1.0),
    "seen at an angle": (tilted, 1.0),
    "recompressed at quality 10": (recompressed, 1.0),
    "blurred": (blurred, 1.0),
}


def corner_error(alignment: Alignment, truth: F64, image: U8, copy: U8) -> float:
    """How far the copy's corners, as far as the image shows them, are off in the copy."""
    size = size_of(image)
    seen = project(np.linalg.inv(truth), corners(size_of(copy)))
    seen = seen.clip([-0.5, -0.5], [size.width - 0.5, size.height - 0.5])
    return float(np.abs(project(alignment.homography, seen) - project(truth, seen)).max())


@pytest.fixture(scope="module")
def sift():
    return load_matcher("sift")


@pytest.fixture(scope="module")
def photographs(sift):
    images = {name: photograph(name) for name in PHOTOGRAPHS}
    return {name: (image, sift.detect(image)) for name, image in images.items()}


def matches_through(
    homography: F64, count: int, outliers: int = 0, noise: float = 0.0, seed: int = 0
) -> Matches:
    """Points all over a frame, the first `count` of them mapped, the others anywhere."""
    generator = np.random.default_rng(seed)
    points = generator.uniform([0, 0], [FRAME.width, FRAME.height], (count + outliers, 2))
    images = project(homography, points) + generator.normal(0, noise, points.shape)
    images[count:] = generator.uniform([0, 0], [FRAME.width, FRAME.height], (outliers, 2))
    return Matches(
        points_a=points.astype(np.float32),
        points_b=images.astype(np.float32),
        confidence=np.ones(len(points), np.float32),
        frame_a=FRAME,
        frame_b=FRAME,
    )


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_copy_is_aligned_within_a_pixel_at_its_corners(edit, sift, photographs):
    make, tolerance = EDITS[edit]
    for name, (image, keypoints) in photographs.items():
        copy, truth = make(image)
        alignment = estimate_homography(sift.match(keypoints, sift.detect(copy)))
        assert alignment is not None, name
        assert corner_error(alignment, truth, image, copy) < tolerance, name
        assert alignment.inliers >= 50
        assert alignment.inlier_share > 0.7


def test_unrelated_photographs_are_not_aligned(sift, photographs):
    others = [sift.detect(photograph(name)) for name in ("coffee.png", "ihc.png", "coins.png")]
    keypoints = [points for _image, points in photographs.values()] + others
    for a, b in itertools.combinations(keypoints, 2):
        assert estimate_homography(sift.match(a, b)) is None


def test_the_same_matches_always_give_the_same_map():
    matches = matches_through(shifted(10, 20), 60, outliers=120, noise=0.7)
    first = estimate_homography(matches)
    cv2.setRNGSeed(12345)
    second = estimate_homography(matches)
    assert first is not None
    assert second is not None
    assert np.array_equal(first.homography, second.homography)
    assert first.inliers == second.inliers


def test_a_mirrored_picture_is_not_aligned():
    mirror = np.array([[-1.0, 0, FRAME.width - 1], [0, 1, 0], [0, 0, 1]])
    assert estimate_homography(matches_through(mirror, 200)) is None


@pytest.mark.parametrize(
    "homography",
    [
        np.diag([0.1, 0.1, 1.0]),
        np.diag([1.0, 0.4, 1.0]),
        np.array([[1.0, 0, 0], [0, 1, 0], [0.006, 0, 1]]),
        np.array([[1.0, 0, 0], [0, 1, 0], [-0.003, 0, 1]]),
    ],
    ids=["shrunk tenfold", "squeezed", "tilted beyond reason", "folded"],
)
def test_a_map_that_no_copy_has_is_refused(homography):
    assert estimate_homography(matches_through(homography, 200)) is None


def test_a_map_that_folds_the_frame_where_no_match_lies_is_refused():
    folding = np.array([[1.0, 0, 0], [0, 1, 0], [-0.0025, 0, 1]])
    everywhere = matches_through(folding, 800)
    left = everywhere.points_a[:, 0] < 160
    matches = Matches(
        everywhere.points_a[left],
        everywhere.points_b[left],
        everywhere.confidence[left],
        FRAME,
        FRAME,
    )
    assert estimate_homography(matches) is None


def test_fewer_agreeing_matches_than_the_minimum_are_no_evidence():
    assert estimate_homography(matches_through(np.eye(3), MIN_INLIERS - 1)) is None
    assert estimate_homography(matches_through(np.eye(3), MIN_INLIERS)) is not None


def test_one_corner_matched_many_times_counts_once():
    few = matches_through(np.eye(3), 8)
    repeated = Matches(
        points_a=np.repeat(few.points_a, 10, axis=0),
        points_b=np.repeat(few.points_b, 10, axis=0),
        confidence=np.ones(80, np.float32),
        frame_a=FRAME,
        frame_b=FRAME,
    )
    assert estimate_homography(repeated) is None


@pytest.mark.parametrize("extent", [(18.0, 18.0), (400.0, 3.0)], ids=["a spot", "a line"])
def test_matches_on_a_spot_or_a_line_do_not_place_a_picture(extent):
    generator = np.random.default_rng(3)
    points = generator.uniform([100, 100], np.add(100, extent), (400, 2)).astype(np.float32)
    matches = Matches(points, points, np.ones(400, np.float32), FRAME, FRAME)
    assert estimate_homography(matches) is None


def test_the_share_of_the_frame_that_inliers_span_is_reported_for_both_sides():
    half = np.array([[0.5, 0, 0], [0, 0.5, 0], [0, 0, 1]])
    alignment = estimate_homography(matches_through(half, 300))
    assert alignment is not None
    assert alignment.hull_share_a == pytest.approx(0.95, abs=0.05)
    assert alignment.hull_share_b == pytest.approx(alignment.hull_share_a / 4, rel=0.02)


@pytest.mark.parametrize(
    ("count", "model"),
    [
        (15, AlignmentModel.SIMILARITY),
        (25, AlignmentModel.AFFINE),
        (200, AlignmentModel.HOMOGRAPHY),
    ],
)
def test_few_inliers_get_a_map_with_few_free_parameters(count, model):
    turn = rotated(np.zeros((480, 640, 3), np.uint8), 10)[1]
    alignment = estimate_homography(matches_through(turn, count, outliers=10, noise=0.5))
    assert alignment is not None
    assert alignment.model is model
    if count < 100:
        assert np.allclose(alignment.homography[2], [0, 0, 1])


def test_a_strong_tilt_keeps_its_homography_with_a_modest_number_of_inliers():
    _copy, truth = tilted(np.zeros((480, 640, 3), np.uint8))
    alignment = estimate_homography(matches_through(truth, 60, outliers=20, noise=0.3))
    assert alignment is not None
    assert alignment.model is AlignmentModel.HOMOGRAPHY


def test_a_reversed_alignment_maps_back():
    alignment = estimate_homography(matches_through(np.diag([0.5, 0.5, 1.0]), 200, noise=0.2))
    assert alignment is not None
    back = alignment.reversed()
    assert np.allclose(
        project(back.homography, project(alignment.homography, corners(FRAME))), corners(FRAME)
    )
    assert back.hull_share_a == alignment.hull_share_b
    assert back.rms == pytest.approx(2 * alignment.rms, rel=0.05)


def test_an_enlarged_crop_is_aligned_as_well_as_its_reverse(photographs):
    # ORB places points to a pixel or so, which in the enlarged picture is more than the threshold.
    image, _keypoints = photographs["astronaut.png"]
    copy, truth = crop(image)
    orb = load_matcher("orb")
    of_image, of_copy = orb.detect(image), orb.detect(copy)
    there = estimate_homography(orb.match(of_image, of_copy))
    back = estimate_homography(orb.match(of_copy, of_image))
    assert there is not None
    assert back is not None
    assert corner_error(back.reversed(), truth, image, copy) < 3.0
    assert abs(there.inliers - back.inliers) <= 0.02 * there.inliers
