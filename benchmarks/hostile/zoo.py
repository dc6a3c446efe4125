"""Things with the names of pictures that are something else, or are named to do harm."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from benchmarks.hostile.variants import encode

# What is to become of each: a picture, unreadable, or not listed at all.
PICTURE, UNREADABLE, UNLISTED = "picture", "unreadable", "unlisted"

_LONG = "n" * 251 + ".png"
_NAMES = (
    "-rf.png",
    "--index=elsewhere.png",
    "=cmd|' C calc'!A0.png",
    "+1+1.png",
    "@SUM(A1).png",
    "a,b;c\"d'e.png",
    "line\nbreak.png",
    "carriage\rreturn.png",
    "tab\there.png",
    "<img src=x onerror=alert(1)>.png",
    "%s%n%00.png",
    "\u202egnp.exe.png",
    "e\u0301.png",
    " .png",
    "bell\a\x1b[31m.png",
    _LONG,
)


def make_zoo(folder: Path, picture: Image.Image) -> Mapping[bytes, str]:
    """Fill a folder, which is made; name, as bytes, to what is to become of it.

    Args:
        picture: shown by those that are pictures; each differs a little from the others.
    """
    folder.mkdir(parents=True)
    expected: dict[bytes, str] = {}
    content = encode(picture, "PNG")
    for name in _NAMES:
        _write(folder, os.fsencode(name), content)
        expected[os.fsencode(name)] = PICTURE
    for raw in (b"\xff\xfe.png", b"caf\xe9.png"):
        _write(folder, raw, content)
        expected[raw] = PICTURE
    for name, data, outcome in _contents(picture):
        _write(folder, name.encode(), data)
        expected[name.encode()] = outcome
    return expected | _things(folder, content)


def _contents(picture: Image.Image) -> list[tuple[str, bytes, str]]:
    jpeg, png = encode(picture, "JPEG"), encode(picture, "PNG")
    gif = encode(picture, "GIF")
    return [
        ("jpeg-named.png", jpeg, PICTURE),
        ("png-named.jpg", png, PICTURE),
        ("heic-named.gif", encode(picture, "HEIF"), PICTURE),
        ("bmp-named.webp", encode(picture, "BMP"), PICTURE),
        ("polyglot-jpeg-zip.jpg", jpeg + b"PK\x03\x04" + bytes(200) + b"PK\x05\x06", PICTURE),
        ("polyglot-gif-js.gif", gif + b"=1;alert(1)//", PICTURE),
        ("polyglot-png-html.png", png + b"<html><script>alert(1)</script></html>", PICTURE),
        ("script.svg.png", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", UNREADABLE),
        ("program.jpg", b"\x7fELF\x02\x01\x01" + bytes(500), UNREADABLE),
        ("postscript.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", UNREADABLE),
        ("page.jpg", b"%PDF-1.7\n" + bytes(300), UNREADABLE),
        ("archive.png", b"PK\x03\x04" + bytes(300), UNREADABLE),
        ("text.jpg", b"Dear diary\n" * 40, UNREADABLE),
        ("empty.jpg", b"", UNREADABLE),
        ("one-byte.png", b"\x89", UNREADABLE),
        ("zeros.tif", bytes(10_000), UNREADABLE),
        ("half.jpg", jpeg[: len(jpeg) // 2], UNREADABLE),
    ]


def _things(folder: Path, content: bytes) -> dict[bytes, str]:
    (folder / "folder.jpg").mkdir()
    (folder / "folder.jpg" / "inside.png").write_bytes(content)
    os.mkfifo(folder / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        # Bound by its short name: the path of a socket may have no more than some 100 bytes.
        here = os.open(folder, os.O_RDONLY)
        try:
            server.bind(f"/proc/self/fd/{here}/socket.jpg")
        finally:
            os.close(here)
    (folder / "device.jpg").symlink_to("/dev/zero")
    (folder / "nothing.jpg").symlink_to("missing")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "up.jpg").symlink_to("..")
    return {
        b"folder.jpg/inside.png": PICTURE,
        b"pipe.jpg": UNREADABLE,
        b"socket.jpg": UNREADABLE,
        b"device.jpg": UNREADABLE,
        b"nothing.jpg": UNREADABLE,
        b"loop.jpg": UNREADABLE,
        b"up.jpg": UNLISTED,
    }


def _write(folder: Path, name: bytes, content: bytes) -> None:
    # Names that are not UTF-8 have no str that `Path` would write as these bytes everywhere.
    descriptor = os.open(os.path.join(os.fsencode(folder), name), os.O_WRONLY | os.O_CREAT, 0o644)  # noqa: PTH118
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
