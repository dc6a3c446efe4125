"""Damage, drawn by a seed: what disks, networks, broken programs and ill will do to a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

Mutation = Callable[[bytes, bytes, Random], bytes]

_MOST_FLIPS = 24
_LONGEST_STRETCH = 0.2


def flip_bits(content: bytes, other: bytes, random: Random) -> bytes:
    """Some bits are others, anywhere."""
    return _flipped(content, random, len(content))


def flip_bits_of_the_header(content: bytes, other: bytes, random: Random) -> bytes:
    """Some bits of the first 256 bytes are others: sizes, counts, offsets."""
    return _flipped(content, random, min(256, len(content)))


def truncate(content: bytes, other: bytes, random: Random) -> bytes:
    """The end is missing."""
    return content[: random.randrange(1, len(content))]


def splice(content: bytes, other: bytes, random: Random) -> bytes:
    """Begins as one file and goes on as another, of any format."""
    return content[: random.randrange(1, len(content))] + other[random.randrange(len(other)) :]


def wipe(content: bytes, other: bytes, random: Random) -> bytes:
    """A stretch is zeros, as a disk gives back what it has lost."""
    start, end = _stretch(content, random)
    return content[:start] + bytes(end - start) + content[end:]


def repeat(content: bytes, other: bytes, random: Random) -> bytes:
    """A stretch comes twice."""
    start, end = _stretch(content, random)
    return content[:end] + content[start:]


def drop(content: bytes, other: bytes, random: Random) -> bytes:
    """A stretch is missing."""
    start, end = _stretch(content, random)
    return content[:start] + content[end:]


def enlarge_a_number(content: bytes, other: bytes, random: Random) -> bytes:
    """Two or four bytes of the header are the largest number, or the largest with a sign."""
    size = random.choice((2, 4))
    at = random.randrange(max(1, min(512, len(content)) - size))
    value = random.choice((b"\xff" * size, b"\x7f" + b"\xff" * (size - 1), bytes(size)))
    return content[:at] + value + content[at + size :]


MUTATIONS: Mapping[str, Mutation] = {
    "bits": flip_bits,
    "header-bits": flip_bits_of_the_header,
    "truncated": truncate,
    "spliced": splice,
    "wiped": wipe,
    "repeated": repeat,
    "dropped": drop,
    "enlarged": enlarge_a_number,
}


def _flipped(content: bytes, random: Random, end: int) -> bytes:
    damaged = bytearray(content)
    for _ in range(random.randint(1, _MOST_FLIPS)):
        damaged[random.randrange(end)] ^= 1 << random.randrange(8)
    return bytes(damaged)


def _stretch(content: bytes, random: Random) -> tuple[int, int]:
    start = random.randrange(len(content))
    return start, start + random.randint(1, max(1, int(len(content) * _LONGEST_STRETCH)))
