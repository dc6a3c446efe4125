"""Where a copy lies on its keeper, as a page needs it: in shares of the two frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def onto_keeper(
    transform: Sequence[Sequence[float]] | None, keeper: tuple[int, int], copy: tuple[int, int]
) -> list[float] | None:
    """The map from the copy's unit square to that of the keeper, row by row.

    Args:
        transform: homography from pixels of the keeper to pixels of the copy, as in groups.jsonl.
        keeper, copy: width and height, pixels.

    Returns:
        Nine numbers, the last of them 1; None when there is no usable transform.
    """
    if transform is None:
        return None
    matrix = np.array(transform, np.float64)
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
        return None
    try:
        # Pixel centres are at whole numbers (see `verify.geometry`), so edges are half a pixel off.
        mapped = _to_unit(keeper) @ np.linalg.inv(matrix) @ np.linalg.inv(_to_unit(copy))
    except np.linalg.LinAlgError:
        return None
    with np.errstate(all="ignore"):
        mapped /= mapped[2, 2]
    if not np.isfinite(mapped).all():
        return None
    return [round(value, 6) for value in mapped.ravel().tolist()]


def _to_unit(size: tuple[int, int]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    width, height = size
    return np.array([[1 / width, 0, 0.5 / width], [0, 1 / height, 0.5 / height], [0, 0, 1]])
