"""Coordinates: the eight orientations of a picture, and homographies between pixel grids.

Pixel coordinates are (x, y) with the centre of the first pixel at (0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
F64 = NDArray[np.float64]
Pixel = TypeVar("Pixel", np.uint8, np.float32)

ORIENTATION_COUNT = 8


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height, pixels."""

    width: int
    height: int

    @property
    def area(self) -> int:
        """Pixels."""
        return self.width * self.height


def size_of(image: U8) -> Size:
    """The size of an image of shape (h, w, …)."""
    return Size(int(image.shape[1]), int(image.shape[0]))


def oriented(image: NDArray[Pixel], orientation: int) -> NDArray[Pixel]:
    """The image turned by `orientation` % 4 quarter turns (np.rot90), mirrored first from 4 on."""
    base = image[:, ::-1] if orientation >= 4 else image
    return np.rot90(base, orientation % 4)


def orientation_matrix(size: Size, orientation: int) -> F64:
    """Homography from the pixels of an image of `size` to those of `oriented(image, …)`."""
    width, height = size.width, size.height
    matrix = np.eye(3)
    if orientation >= 4:
        matrix = np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]]) @ matrix
    for _ in range(orientation % 4):
        # np.rot90 turns counter-clockwise: (x, y) goes to (y, width - 1 - x).
        matrix = np.array([[0.0, 1, 0], [-1, 0, width - 1], [0, 0, 1]]) @ matrix
        width, height = height, width
    return matrix


def scaling_matrix(source: Size, target: Size) -> F64:
    """Homography between the pixel grids of one picture at two sizes; edges fall on edges."""
    sx, sy = target.width / source.width, target.height / source.height
    return np.array([[sx, 0, 0.5 * sx - 0.5], [0, sy, 0.5 * sy - 0.5], [0, 0, 1]])


def inverse(homography: F64) -> F64:
    """The homography back, float64 (3, 3)."""
    return np.asarray(np.linalg.inv(homography), dtype=np.float64)


def project(homography: F64, points: NDArray[np.floating]) -> F64:
    """Points (n, 2) through a homography, float64 (n, 2)."""
    homogeneous = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ homography.T
    return np.asarray(homogeneous[:, :2] / homogeneous[:, 2:])


def corners(size: Size) -> F64:
    """The outer corners of the frame, clockwise from the top left, float64 (4, 2)."""
    right, bottom = size.width - 0.5, size.height - 0.5
    return np.array([[-0.5, -0.5], [right, -0.5], [right, bottom], [-0.5, bottom]])


def local_scale(homography: F64, at: tuple[float, float]) -> float:
    """How many pixels of the target a pixel of the source becomes there, as a length."""
    x, y = at
    step = np.array([[x, y], [x + 1, y], [x, y + 1]])
    origin, right, down = project(homography, step)
    dx, dy = right - origin, down - origin
    return float(np.sqrt(abs(dx[0] * dy[1] - dx[1] * dy[0])))
