"""ICC profiles made by hand (ICC.1:2001-04): a wide gamut one, and the pieces of others."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

D50 = (0.9642, 1.0, 0.82491)
# The primaries adapted to D50.
DISPLAY_P3 = (
    (0.51512, 0.24120, -0.00105),
    (0.29198, 0.69225, 0.04189),
    (0.15710, 0.06657, 0.78407),
)
_ADOBE_RGB = (
    (0.60974, 0.31111, 0.01947),
    (0.20528, 0.62567, 0.06087),
    (0.14919, 0.06322, 0.74457),
)
# Of Romm RGB (ProPhoto), which photo editors work in.
PROPHOTO = ((0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03134, 0.00009, 0.82491))


def wide_gamut_profile() -> bytes:
    """A version 2 matrix profile with the primaries of Display P3 and a gamma of 2.2."""
    return rgb_profile(DISPLAY_P3, 2.2)


def adobe_rgb_profile() -> bytes:
    """The same with the primaries of Adobe RGB (1998), what photographers' cameras offer."""
    return rgb_profile(_ADOBE_RGB, 2.2)


def rgb_profile(primaries: Sequence[Sequence[float]], gamma: float) -> bytes:
    """A version 2 matrix profile.

    Args:
        primaries: what red, green and blue are in XYZ, adapted to D50.
    """
    xyz = zip((b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt"), (*primaries, D50), strict=True)
    tags = {name: xyz_tag(*values) for name, values in xyz}
    return icc_file(b"RGB ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma_tag(gamma)))


def icc_file(space: bytes, tags: Mapping[bytes, bytes]) -> bytes:
    """A display profile of this colour space with these tags, each of a multiple of 4 bytes."""
    table, data = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        table += name + struct.pack(">II", start + len(data), len(value))
        data += value
    size = start + len(data)
    header = struct.pack(">I4sI4s4s4s", size, b"\0" * 4, 0x02400000, b"mntr", space, b"XYZ ")
    header += b"\0" * 12 + b"acsp" + b"\0" * 28 + _fixed(*D50)
    return header.ljust(128, b"\0") + table + data


def xyz_tag(*xyz: float) -> bytes:
    """A tag of three s15Fixed16 numbers."""
    return b"XYZ \0\0\0\0" + _fixed(*xyz)


def gamma_tag(gamma: float) -> bytes:
    """A tone curve that is a power."""
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"


def _fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)
