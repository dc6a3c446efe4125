"""From correspondences to the one plane-to-plane map that explains them, or none.

The robust fit is MAGSAC++ (Barath et al. 2020) as OpenCV implements it. A fit is believed only if
it has enough inliers, they are spread over the picture, and the map is one that a crop, a turn, a
resize or a photograph of a print would make.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from verify.geometry import F64, Size, corners, project
from verify.matchers.base import Matches

# Fits and limits are in this frame, so that they mean the same for a thumbnail and for a preview.
_CANONICAL_SIDE = 640.0
_THRESHOLD = 3.0
_CONFIDENCE = 0.9999
_MAX_ITERATIONS = 5000
_SEED = 1

# Unrelated photographs reach 11 inliers with ORB and 7 with RootSIFT.
MIN_INLIERS = 12
# Eight free parameters bend to the noise of a few points; six or four do not. Between the two
# numbers a homography has to earn its parameters by inliers that the affine map does not have.
_MIN_INLIERS_FOR_HOMOGRAPHY = 30
_SURE_OF_HOMOGRAPHY = 100
_AFFINE_KEEPS = 0.95
_MIN_INLIERS_FOR_AFFINE = 20
_SIMILARITY_KEEPS = 0.8

_MIN_SCALE, _MAX_SCALE = 0.15, 6.0
_MAX_ASPECT_DISTORTION = 2.0
_MAX_DEPTH_RATIO = 2.5
_MIN_HULL_SHARE = 0.004
_MIN_HULL_WIDTH = 12.0
# One direction measures the error in the zoomed-in picture, where a pixel of noise is many.
_ZOOM_TO_REVERSE = 1.3


class AlignmentModel(StrEnum):
    """How many degrees of freedom the inliers could carry."""

    HOMOGRAPHY = "homography"
    AFFINE = "affine"
    SIMILARITY = "similarity"


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """The map between the images a and b.

    Attributes:
        homography: float64 (3, 3), pixels of a to pixels of b.
        inliers: distinct correspondences that agree with it.
        inlier_share: inliers / distinct correspondences.
        rms: root mean square distance of the inliers in b, pixels of b.
        hull_share_a: area of the inliers' convex hull in a / area of a.
        hull_share_b: the same in b.
        model: the kind of map that was fitted.
    """

    homography: F64
    inliers: int
    inlier_share: float
    rms: float
    hull_share_a: float
    hull_share_b: float
    model: AlignmentModel

    def reversed(self) -> Alignment:
        """The same alignment with a and b exchanged."""
        inverse = np.linalg.inv(self.homography)
        return Alignment(
            homography=inverse / inverse[2, 2],
            inliers=self.inliers,
            inlier_share=self.inlier_share,
            rms=self.rms / max(1e-9, float(np.sqrt(abs(np.linalg.det(self.homography[:2, :2]))))),
            hull_share_a=self.hull_share_b,
            hull_share_b=self.hull_share_a,
            model=self.model,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    matrix: F64
    inliers: NDArray[np.bool_]
    model: AlignmentModel

    @property
    def count(self) -> int:
        return int(self.inliers.sum())


def estimate_homography(matches: Matches, min_inliers: int = MIN_INLIERS) -> Alignment | None:
    """The map from a to b that most of the matches agree on; the same matches, the same map.

    With fewer than 30 inliers the map is affine, with fewer than 20 a similarity unless the picture
    was stretched.

    Returns:
        None when fewer than `min_inliers` agree, when they lie on a spot or a line, or when the map
        mirrors (the caller tries the mirrored image), folds, scales or distorts beyond what copies
        show.
    """
    to_a, to_b = _canonical(matches.frame_a), _canonical(matches.frame_b)
    points_a = project(to_a, matches.points_a)
    points_b = project(to_b, matches.points_b)
    distinct = _distinct(points_a, points_b)
    points_a, points_b = points_a[distinct], points_b[distinct]
    if len(points_a) < min_inliers:
        return None
    fit = _fit(points_a, points_b, min_inliers)
    if fit is None:
        return None
    inliers_a, inliers_b = points_a[fit.inliers], points_b[fit.inliers]
    side_a, side_b = _canonical_size(matches.frame_a), _canonical_size(matches.frame_b)
    if not _is_plausible(fit.matrix, inliers_a, side_a):
        return None
    hull_a, width_a = _hull(inliers_a)
    hull_b, width_b = _hull(inliers_b)
    share_a, share_b = hull_a / side_a.prod(), hull_b / side_b.prod()
    if max(share_a, share_b) < _MIN_HULL_SHARE or max(width_a, width_b) < _MIN_HULL_WIDTH:
        return None
    homography = np.linalg.inv(to_b) @ fit.matrix @ to_a
    residual = project(fit.matrix, inliers_a) - inliers_b
    return Alignment(
        homography=homography / homography[2, 2],
        inliers=fit.count,
        inlier_share=fit.count / len(points_a),
        rms=float(np.sqrt((residual**2).sum(axis=1).mean()) / to_b[0, 0]),
        hull_share_a=float(share_a),
        hull_share_b=float(share_b),
        model=fit.model,
    )


def _canonical(frame: Size) -> F64:
    factor = _CANONICAL_SIDE / max(frame.width, frame.height)
    offset = 0.5 * factor - 0.5
    return np.array([[factor, 0, offset], [0, factor, offset], [0, 0, 1]])


def _canonical_size(frame: Size) -> F64:
    factor = _CANONICAL_SIDE / max(frame.width, frame.height)
    return np.array([frame.width * factor, frame.height * factor])


def _distinct(points_a: F64, points_b: F64) -> NDArray[np.intp]:
    """One match for each pair of pixels: a corner found at five scales is one witness, not five."""
    cells = np.round(np.concatenate([points_a, points_b], axis=1) / 2.0).astype(np.int64)
    _cells, first = np.unique(cells, axis=0, return_index=True)
    return np.sort(first)


def _fit(points_a: F64, points_b: F64, min_inliers: int) -> _Fit | None:
    fit = _fit_one_way(points_a, points_b, min_inliers)
    if fit is None:
        return None
    if np.linalg.det(fit.matrix[:2, :2]) > _ZOOM_TO_REVERSE**2:
        back = _fit_one_way(points_b, points_a, min_inliers)
        if back is not None and back.count >= fit.count:
            inverse = np.linalg.inv(back.matrix)
            return _Fit(inverse / inverse[2, 2], back.inliers, back.model)
    return fit


def _fit_one_way(points_a: F64, points_b: F64, min_inliers: int) -> _Fit | None:
    cv2.setRNGSeed(_SEED)
    matrix, mask = cv2.findHomography(
        points_a,
        points_b,
        cv2.USAC_MAGSAC,
        _THRESHOLD,
        maxIters=_MAX_ITERATIONS,
        confidence=_CONFIDENCE,
    )
    fit = _checked(matrix, mask, AlignmentModel.HOMOGRAPHY, min_inliers)
    if fit is None or fit.count >= _SURE_OF_HOMOGRAPHY:
        return fit
    affine_matrix, affine_mask = cv2.estimateAffine2D(
        points_a,
        points_b,
        method=cv2.USAC_MAGSAC,
        ransacReprojThreshold=_THRESHOLD,
        maxIters=_MAX_ITERATIONS,
        confidence=_CONFIDENCE,
    )
    affine = _checked(affine_matrix, affine_mask, AlignmentModel.AFFINE, min_inliers)
    if fit.count >= _MIN_INLIERS_FOR_HOMOGRAPHY:
        return fit if affine is None or affine.count < _AFFINE_KEEPS * fit.count else affine
    if affine is None or affine.count >= _MIN_INLIERS_FOR_AFFINE:
        return affine
    # OpenCV has no MAGSAC for four degrees of freedom.
    rigid_matrix, rigid_mask = cv2.estimateAffinePartial2D(
        points_a,
        points_b,
        method=cv2.RANSAC,
        ransacReprojThreshold=_THRESHOLD,
        maxIters=_MAX_ITERATIONS,
        confidence=_CONFIDENCE,
    )
    rigid = _checked(rigid_matrix, rigid_mask, AlignmentModel.SIMILARITY, min_inliers)
    return affine if rigid is None or rigid.count < _SIMILARITY_KEEPS * affine.count else rigid


def _checked(matrix: object, mask: object, model: AlignmentModel, min_inliers: int) -> _Fit | None:
    if matrix is None or mask is None:
        return None
    full = np.eye(3)
    given = np.asarray(matrix, dtype=np.float64)
    full[: len(given)] = given
    inliers = np.asarray(mask).ravel().astype(bool)
    if not np.isfinite(full).all() or abs(full[2, 2]) < 1e-9 or inliers.sum() < min_inliers:
        return None
    return _Fit(full / full[2, 2], inliers, model)


def _is_plausible(matrix: F64, inliers_a: F64, side_a: F64) -> bool:
    frame = corners(Size(round(side_a[0]), round(side_a[1])))
    depths = _depths(matrix, frame)
    # Depths of one sign at the corners: the frame's image is a convex quadrilateral, not folded.
    if depths.min() <= 0.0:
        return False
    low, high = inliers_a.min(axis=0), inliers_a.max(axis=0)
    seen = _depths(matrix, np.array([low, high, [low[0], high[1]], [high[0], low[1]]]))
    if seen.max() / seen.min() > _MAX_DEPTH_RATIO:
        return False
    jacobian = _jacobian(matrix, inliers_a.mean(axis=0))
    if np.linalg.det(jacobian) <= 0.0:
        return False
    long, short = np.linalg.svd(jacobian, compute_uv=False)
    if long > _MAX_ASPECT_DISTORTION * short:
        return False
    return bool(_MIN_SCALE <= np.sqrt(long * short) <= _MAX_SCALE)


def _depths(matrix: F64, points: F64) -> F64:
    return np.asarray(points @ matrix[2, :2] + matrix[2, 2])


def _jacobian(matrix: F64, point: F64) -> F64:
    depth = float(_depths(matrix, point))
    image = project(matrix, point[None])[0]
    return np.asarray((matrix[:2, :2] - np.outer(image, matrix[2, :2])) / depth)


def _hull(points: F64) -> tuple[float, float]:
    """Area of the convex hull and the shorter side of the rectangle around it."""
    hull = cv2.convexHull(points.astype(np.float32))
    (_centre, sides, _angle) = cv2.minAreaRect(hull)
    return float(cv2.contourArea(hull)), float(min(sides))
