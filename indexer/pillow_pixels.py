"""The pixels of a Pillow image as an array, by one pass over them.

Pillow packs them for `np.asarray` in Python, 64 KiB at a time, and joins the pieces. What it has in
memory it also lends by the Arrow C data interface: four bytes a pixel, of which OpenCV takes three.
"""

from __future__ import annotations

import ctypes

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

U8 = NDArray[np.uint8]

_CHANNELS = 4


class _ArrowArray(ctypes.Structure):
    """`struct ArrowArray` of https://arrow.apache.org/docs/format/CDataInterface.html."""


_ArrowArray._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_ArrowArray))),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.c_void_p),
    ("private_data", ctypes.c_void_p),
]

_pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype = ctypes.c_void_p
_pointer_of.argtypes = [ctypes.py_object, ctypes.c_char_p]


def rgb_pixels(image: Image.Image) -> U8:
    """The pixels of a loaded image.

    Args:
        image: of mode RGB.

    Returns:
        uint8 (h, w, 3), contiguous and of its own.
    """
    try:
        _, capsule = image.__arrow_c_array__()
    except ValueError:
        # So large that Pillow has it in several blocks.
        return np.array(image, dtype=np.uint8)
    array = _ArrowArray.from_address(_pointer_of(capsule, b"arrow_array"))
    count = image.width * image.height
    if array.length != count or array.n_children != 1:
        return np.array(image, dtype=np.uint8)
    values = array.children[0].contents
    lent = (ctypes.c_uint8 * (count * _CHANNELS)).from_address(values.buffers[1])
    padded = np.ctypeslib.as_array(lent).reshape(image.height, image.width, _CHANNELS)
    # The copy is made while the capsule holds what is lent.
    return np.asarray(cv2.cvtColor(padded, cv2.COLOR_RGBA2RGB), dtype=np.uint8)
