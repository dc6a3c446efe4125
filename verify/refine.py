"""Sub-pixel refinement of a homography on the pixels themselves.

Keypoints place a warp to a pixel or so, which on fine text is as large as the strokes. Dense
inverse search flow (Kroeger et al. 2016, OpenCV's DISOpticalFlow) between the warped images,
sampled where there is texture, gives many more and finer correspondences. Only a homography is
fitted to them: a free flow field would explain away the changes that verification looks for.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from verify.geometry import F64

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]

_GRID_STEP = 8
_MIN_SAMPLES = 40
_MAX_SHIFT = 12.0
_GOOD_ENOUGH = 0.06
# A map from few keypoints is right in their middle and bends away towards the corners: the first
# round has to gather those too.
_INLIER = (2.0, 0.7)


def contrast_normalised(grey: NDArray[np.floating] | U8, sigma: float = 8.0) -> U8:
    """The image with its local mean and contrast taken out, uint8 (h, w).

    Flow and correlation between copies must not see brightness, contrast or gamma.
    """
    image = np.asarray(grey, dtype=np.float32)
    height, width = image.shape
    quarter = (max(1, width // 4), max(1, height // 4))

    def surroundings(values: F32) -> F32:
        # A wide blur of a small copy: as good here, at a sixteenth of the cost.
        small = cv2.resize(values, quarter, interpolation=cv2.INTER_AREA)
        soft = cv2.GaussianBlur(small, (0, 0), sigma / 4)
        return np.asarray(
            cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32
        )

    deviation = np.asarray(cv2.subtract(image, surroundings(image)), dtype=np.float32)
    contrast = np.sqrt(surroundings(deviation * deviation)) + np.float32(4.0)
    normal = deviation * (np.float32(40.0) / contrast) + np.float32(128.0)
    return np.clip(normal, 0, 255).astype(np.uint8)


def refine_homography(
    reference: U8, other: U8, homography: F64, valid: U8, rounds: int = 1
) -> tuple[F64, float]:
    """Moves a homography so that the pixels of the two images meet.

    Args:
        reference: contrast-normalised grey, uint8 (h, w).
        other: contrast-normalised grey of the other image, uint8 (h2, w2).
        homography: reference pixels to pixels of `other`, float64 (3, 3).
        valid: uint8 (h, w), 255 where the reference is seen in `other`.
        rounds: how often to repeat.

    Returns:
        The homography, and the median shift in reference pixels by which the given one was wrong
        (infinite when nothing could be measured).
    """
    height, width = reference.shape
    flow_engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    shift = float("inf")
    ys, xs = np.mgrid[_GRID_STEP : height - _GRID_STEP : _GRID_STEP,
                      _GRID_STEP : width - _GRID_STEP : _GRID_STEP]  # fmt: skip
    points = np.stack([xs.ravel(), ys.ravel()], axis=1)
    texture = cv2.boxFilter(
        np.abs(cv2.Laplacian(cv2.GaussianBlur(reference, (0, 0), 1.0), cv2.CV_32F)), -1, (9, 9)
    )
    textured = texture[points[:, 1], points[:, 0]]
    for turn in range(rounds):
        warped = cv2.warpPerspective(
            other, homography, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        usable = (valid[points[:, 1], points[:, 0]] > 0) & (textured > 4.0)
        if int(usable.sum()) < _MIN_SAMPLES:
            return homography, shift
        flow = np.asarray(
            flow_engine.calc(
                reference, np.asarray(warped), np.zeros((height, width, 2), np.float32)
            )
        )
        samples = points[usable]
        moved = flow[samples[:, 1], samples[:, 0]]
        small = np.hypot(moved[:, 0], moved[:, 1]) < _MAX_SHIFT
        samples, moved = samples[small], moved[small]
        if len(samples) < _MIN_SAMPLES:
            return homography, shift
        moves = float(np.median(np.hypot(moved[:, 0], moved[:, 1])))
        shift = moves if np.isinf(shift) else shift
        if moves < _GOOD_ENOUGH:
            break
        cv2.setRNGSeed(1)
        # Fitted in the reference's own pixels: OpenCV's robust fits reject maps that mirror.
        fitted, _inliers = cv2.findHomography(
            samples.astype(np.float64),
            samples + moved.astype(np.float64),
            cv2.USAC_FAST,
            _INLIER[min(turn, len(_INLIER) - 1)],
        )
        matrix = np.asarray(fitted, dtype=np.float64)
        if matrix.shape != (3, 3):
            # OpenCV gives None where no four points agree.
            break
        homography = homography @ matrix
        homography = homography / homography[2, 2]
    return homography, shift
