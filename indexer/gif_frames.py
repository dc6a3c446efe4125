"""How many pictures a GIF holds, without decoding any of them.

Pillow counts them by seeking, which for a file of millions of empty frames takes minutes.
"""

from __future__ import annotations

# GIF89a specification, sections 17 to 27.
_HEADER_BYTES = 13
_PICTURE = 0x2C
_EXTENSION = 0x21
_DESCRIPTOR_BYTES = 10


def count_gif_frames(content: bytes, most: int) -> int:
    """The number of image descriptors before the trailer, an end or damage; at most `most`."""
    if len(content) < _HEADER_BYTES:
        return 0
    at = _HEADER_BYTES + _table_bytes(content[10])
    frames = 0
    while at < len(content) and frames < most:
        if content[at] == _PICTURE and at + _DESCRIPTOR_BYTES <= len(content):
            frames += 1
            # After the descriptor a table of colours, then the size of the codes.
            at += _DESCRIPTOR_BYTES + _table_bytes(content[at + 9]) + 1
        elif content[at] == _EXTENSION:
            at += 2
        else:
            break
        while at < len(content) and content[at]:
            at += content[at] + 1
        at += 1
    return frames


def _table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
