"""What a pass may be given in place of `extract`: decoders that count, crash, hang or are slow.

Decoding processes import these by name. `functools.partial` binds what comes before the content.
What to do is written behind the end of a picture's data, where decoders do not look.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path

from indexer import raw
from indexer.errors import UndecodableImage
from indexer.extract import ExtractedImage, ExtractOptions, extract

CRASH = b"<crash>"
SEGFAULT = b"<segfault>"
CRASH_ONCE = b"<crash once>"
HANG = b"<hang>"
FAIL = b"<fail>"
HOARD = b"<hoard>"
HUNGRY = b"<hungry>"
KILLED = b"<killed>"


def counting(log: Path, content: bytes, digest: bytes, options: ExtractOptions) -> ExtractedImage:
    """Notes each call in a file."""
    with log.open("a") as file:
        file.write(digest.hex() + "\n")
    return extract(content, digest, options)


def without_rawpy(content: bytes, digest: bytes, options: ExtractOptions) -> ExtractedImage:
    """As where rawpy is not installed."""
    raw.can_read_raw = lambda: False
    return extract(content, digest, options)


def slow(seconds: float, content: bytes, digest: bytes, options: ExtractOptions) -> ExtractedImage:
    time.sleep(seconds)
    return extract(content, digest, options)


def noting(
    log: Path, seconds: float, content: bytes, digest: bytes, options: ExtractOptions
) -> ExtractedImage:
    """Notes its beginning and its end in a file."""
    with log.open("a") as file:
        file.write("begin ")
        file.flush()
        time.sleep(seconds)
        image = extract(content, digest, options)
        file.write("end ")
    return image


def naming(content: bytes, digest: bytes, options: ExtractOptions) -> ExtractedImage:
    """Tells which process it runs in."""
    raise UndecodableImage(str(os.getpid()))


def hostile(notes: Path, content: bytes, digest: bytes, options: ExtractOptions) -> ExtractedImage:
    """Does what the content says. `notes` is a folder for what must outlive the process."""
    if content.endswith(CRASH):
        os._exit(3)
    if content.endswith(SEGFAULT):
        ctypes.string_at(0)
    if content.endswith(CRASH_ONCE) and not (notes / "crashed").exists():
        (notes / "crashed").touch()
        os._exit(3)
    if content.endswith(HANG):
        (notes / "hanging").write_text(str(os.getpid()))
        time.sleep(600)
    if content.endswith(FAIL):
        raise ZeroDivisionError("by the file")
    if content.endswith(HOARD):
        bytearray(2**40)
    if content.endswith(HUNGRY):
        # Never written to, so never in memory.
        bytearray(2**31)
    if content.endswith(KILLED):
        os.kill(os.getpid(), signal.SIGKILL)
    return extract(content, digest, options)
