"""RAW files as a camera writes them, small: a DNG with an embedded preview."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping

import numpy as np
from PIL import Image

_SHORT, _LONG, _ASCII, _BYTE, _RATIONAL, _SRATIONAL = 3, 4, 2, 1, 5, 10
_FORMATS = {_SHORT: "H", _LONG: "I", _BYTE: "B", _RATIONAL: "II", _SRATIONAL: "ii"}
_CFA, _YCBCR = 32803, 6

Value = tuple[int, list[int] | bytes]


def make_dng(
    preview: Image.Image | None, *, orientation: int = 1, side: int = 64, seed: int = 1
) -> bytes:
    """A DNG of a Bayer sensor, uncompressed, 16 bits.

    Args:
        preview: embedded as a JPEG; None for a file without any.
        orientation: of the camera.
        side: pixels of the sensor's sides.
        seed: two seeds make two shots.
    """
    sensor = np.random.default_rng(seed).integers(200, 4000, (side, side)).astype("<u2").tobytes()
    main = _directory_of(side, side, len(sensor), orientation)
    parts = [sensor]
    directories = [main]
    if preview is not None:
        stream = io.BytesIO()
        preview.convert("RGB").save(stream, "JPEG", quality=92)
        parts.append(stream.getvalue())
        directories.append(_preview_of(preview, len(stream.getvalue())))
    return _laid_out(directories, parts)


def _directory_of(width: int, height: int, size: int, orientation: int) -> dict[int, Value]:
    identity = [1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1]
    return {
        254: (_LONG, [0]),
        256: (_LONG, [width]),
        257: (_LONG, [height]),
        258: (_SHORT, [16]),
        259: (_SHORT, [1]),
        262: (_SHORT, [_CFA]),
        271: (_ASCII, b"Acme\0"),
        272: (_ASCII, b"Acme One\0"),
        273: (_LONG, [0]),
        274: (_SHORT, [orientation]),
        277: (_SHORT, [1]),
        278: (_LONG, [height]),
        279: (_LONG, [size]),
        330: (_LONG, [0]),
        33421: (_SHORT, [2, 2]),
        33422: (_BYTE, [0, 1, 1, 2]),
        50706: (_BYTE, [1, 4, 0, 0]),
        50707: (_BYTE, [1, 1, 0, 0]),
        50708: (_ASCII, b"Acme One\0"),
        50714: (_SHORT, [0]),
        50717: (_LONG, [4095]),
        50721: (_SRATIONAL, identity),
        50728: (_RATIONAL, [1, 1, 1, 1, 1, 1]),
        50778: (_SHORT, [21]),
    }


def _preview_of(preview: Image.Image, size: int) -> dict[int, Value]:
    return {
        254: (_LONG, [1]),
        256: (_LONG, [preview.width]),
        257: (_LONG, [preview.height]),
        258: (_SHORT, [8, 8, 8]),
        259: (_SHORT, [7]),
        262: (_SHORT, [_YCBCR]),
        273: (_LONG, [0]),
        277: (_SHORT, [3]),
        278: (_LONG, [preview.height]),
        279: (_LONG, [size]),
    }


def _laid_out(directories: list[dict[int, Value]], parts: list[bytes]) -> bytes:
    """Head, directories with their longer values, pixels."""
    if len(directories) == 1:
        del directories[0][330]
    sizes = [_size(directory) for directory in directories]
    starts = [8 + sum(sizes[:number]) for number in range(len(sizes))]
    data_start = 8 + sum(sizes)
    offsets = [data_start + sum(map(len, parts[:number])) for number in range(len(parts))]
    content = struct.pack("<2sHI", b"II", 42, 8)
    for directory, start, offset in zip(directories, starts, offsets, strict=True):
        directory[273] = (_LONG, [offset])
        if 330 in directory:
            directory[330] = (_LONG, starts[1:])
        content += _encoded(directory, start)
    return content + b"".join(parts)


def _bytes(value: Value) -> bytes:
    kind, values = value
    if isinstance(values, bytes):
        return values
    if kind in (_RATIONAL, _SRATIONAL):
        return struct.pack(f"<{len(values)}{'i' if kind == _SRATIONAL else 'I'}", *values)
    return struct.pack(f"<{len(values)}{_FORMATS[kind]}", *values)


def _count(value: Value) -> int:
    kind, values = value
    return len(values) // 2 if kind in (_RATIONAL, _SRATIONAL) else len(values)


def _size(directory: Mapping[int, Value]) -> int:
    longer = sum(
        len(_bytes(v)) + len(_bytes(v)) % 2 for v in directory.values() if len(_bytes(v)) > 4
    )
    return 2 + 12 * len(directory) + 4 + longer


def _encoded(directory: Mapping[int, Value], start: int) -> bytes:
    at = start + 2 + 12 * len(directory) + 4
    entries, longer = struct.pack("<H", len(directory)), b""
    for tag in sorted(directory):
        value = _bytes(directory[tag])
        entries += struct.pack("<HHI", tag, directory[tag][0], _count(directory[tag]))
        if len(value) <= 4:
            entries += value.ljust(4, b"\0")
        else:
            entries += struct.pack("<I", at + len(longer))
            longer += value + bytes(len(value) % 2)
    return entries + struct.pack("<I", 0) + longer
