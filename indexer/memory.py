"""What a pass may hold, derived from one setting: the memory of all its processes.

The resident set is the main process with its models, the decoders, and what waits between them.
Each image is decoded within a share of what is left; one that needs more is decoded alone, with all
of it. So the sum stays below the setting whatever the images are, and whatever their number.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from storage.errors import UsageError

MIB = 2**20
_BATCH = 8
_MOST_BATCHES = 16
_FEWEST_IMAGES, _USUAL_IMAGES = 8, 32
# Of a decoder with its libraries that it does not share with the others.
_DECODER = 96 * MIB
# Below this even a photograph of 24 megapixels that is no baseline JPEG would be decoded alone.
_LEAST_SHARE = 256 * MIB
_MOST_IN_FLIGHT = 256 * MIB
# Blobs and previews of one transaction, pages of a listing, buffers of the allocator.
_COMMITTED = 192 * MIB
# An image that waits to be embedded or committed: a square of 224 pixels and a preview.
_DESCRIBED = 320 * 1024
# Described images that wait, for each of a batch (`Pipe` of results, the batch and its copy).
_WAITING = 6


@dataclass(frozen=True, slots=True)
class PassMemory:
    """How much of everything a pass has.

    Attributes:
        workers: decoding processes.
        share: bytes that one image may take while others are decoded.
        alone: bytes that one image may take at all.
        bytes_in_flight: contents of files between reading and decoding.
        batch_size: images embedded at once.
    """

    workers: int
    share: int
    alone: int
    bytes_in_flight: int
    batch_size: int


def pass_memory(memory: int, base: int, workers: int, image_memory: int) -> PassMemory:
    """The sizes of a pass.

    Args:
        memory: bytes that all processes may have resident.
        base: bytes of this process with its models loaded, without what it is not for.
        workers: decoding processes asked for.
        image_memory: bytes that one image may take at the most.

    Raises:
        UsageError: it is not enough for one decoder; with what would be.
    """
    batch = max(_USUAL_IMAGES, _BATCH * min(workers, _MOST_BATCHES))
    left = memory - base - _COMMITTED
    while batch > _FEWEST_IMAGES and batch * _WAITING * _DESCRIBED > left // 8:
        batch //= 2
    left -= batch * _WAITING * _DESCRIBED
    in_flight = min(_MOST_IN_FLIGHT, max(0, left) // 8)
    left -= in_flight
    fitting = min(workers, left // (_DECODER + _LEAST_SHARE))
    if fitting < 1:
        raise UsageError(
            f"{memory // MIB} MiB of memory are not enough: this process with its models takes "
            f"{base // MIB}.",
            f"Give at least --memory {enough_memory(base, 1) // MIB}.",
        )
    images = left - fitting * _DECODER
    return PassMemory(
        workers=fitting,
        share=min(image_memory, images // fitting),
        alone=min(image_memory, images),
        bytes_in_flight=in_flight,
        batch_size=batch,
    )


def enough_memory(base: int, workers: int) -> int:
    """Bytes with which a pass has so many decoders, in whole MiB."""
    batch = max(_USUAL_IMAGES, _BATCH * min(workers, _MOST_BATCHES))
    described = batch * _WAITING * _DESCRIBED
    decoders = workers * (_DECODER + _LEAST_SHARE)
    needed = base + _COMMITTED + described + decoders
    # The eighth that contents in flight get of what is left, at most.
    needed += min(_MOST_IN_FLIGHT, decoders // 7 + MIB)
    # Where few are asked for the batch is made smaller, which takes less.
    return -(-needed // MIB) * MIB


def resident_memory() -> int:
    """Bytes that this process has resident now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
