"""Verdicts on pairs of images: from the catalog's cache, else computed from the previews."""

from __future__ import annotations

import time
from collections import OrderedDict
from types import TracebackType
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from storage.catalog_view import CatalogView
from storage.errors import IndexStorageError
from storage.preview_profile import profile_in
from storage.records import ImageRecord
from verify.codec import decode_verdict, encode_verdict
from verify.costs import StageCosts
from verify.evidence import VerifyImage
from verify.verdict import Verdict

# 640×480 RGB is 0.9 MB: 256 previews are some 240 MB at most.
PREVIEWS_IN_MEMORY = 256
# Verdicts kept before they go to the catalog in one transaction: a kill loses this many at most.
VERDICTS_PER_COMMIT = 256
# Verdicts of some 600 bytes kept where they cannot be stored.
VERDICTS_IN_MEMORY = 50_000

# Stages that are not the verifier's own.
READING, VERIFYING, OTHER = "previews", "verification", "other"


class PairVerifier(Protocol):
    """What decides a pair; `verify.cascade.Verifier`.

    One that counts its stages has them in an attribute `costs`, a `StageCosts`.
    """

    version: str

    def verify(self, a: VerifyImage, b: VerifyImage) -> Verdict:
        """The verdict on a and b."""


class CachedVerdicts:
    """The verdict of any two images of a catalog.

    A verdict is computed for the pair in the order of the two digests, whichever way it is asked
    for, so that it depends neither on image ids nor on the order of the questions.

    Args:
        catalog: where records, previews and earlier verdicts are.
        verifier: decides what is not in the cache; its `version` is part of the cache's key.
        is_writable: store new verdicts in the catalog (it must have been opened to write).

    Attributes:
        computed: verdicts worked out, here or in worker processes. from_cache: known already.
        costs: what those worked out have cost, by the verifier's stages where it counts them.
    """

    def __init__(
        self,
        catalog: CatalogView,
        verifier: PairVerifier,
        *,
        is_writable: bool,
        previews_in_memory: int = PREVIEWS_IN_MEMORY,
    ) -> None:
        self._catalog = catalog
        self._verifier = verifier
        self._is_writable = is_writable
        self._previews_in_memory = max(2, previews_in_memory)
        self._images: OrderedDict[int, VerifyImage] = OrderedDict()
        self._records: OrderedDict[int, ImageRecord] = OrderedDict()
        self._pending: dict[tuple[bytes, bytes], bytes] = {}
        self.computed = 0
        self.from_cache = 0
        self.costs = StageCosts()

    def __enter__(self) -> CachedVerdicts:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # An interrupted run keeps what it has worked out; a full disk must not hide why it ended.
        try:
            self.flush()
        except IndexStorageError:
            if error is None:
                raise

    def verdict(self, a: int, b: int) -> Verdict:
        """What verification says of the images a and b, in this order.

        Raises:
            KeyError: an unknown image id.
            IndexStorageError: the preview is damaged, or the cache cannot be written.
        """
        low, high = self.order(a, b)
        is_swapped = low != a
        stored = self._stored(low, high)
        if stored is not None:
            self.from_cache += 1
        else:
            stored = self.compute(low, high)
            self.add(low, high, stored)
        # Decoded even when just computed: the answer is the same on the first run and the second.
        verdict = decode_verdict(stored)
        return verdict.reversed() if is_swapped else verdict

    def order(self, a: int, b: int) -> tuple[int, int]:
        """The two in the order of their digests, in which verdicts are computed and stored."""
        return (b, a) if self._digest(b) < self._digest(a) else (a, b)

    def is_known(self, a: int, b: int) -> bool:
        """True when `verdict` would not have to compute it."""
        return self._stored(*self.order(a, b)) is not None

    def compute(self, low: int, high: int) -> bytes:
        """The encoded verdict on two images in the order of their digests, computed now."""
        started = time.process_time()
        a, b = self.image(low), self.image(high)
        ready = time.process_time()
        stored = encode_verdict(self._verifier.verify(a, b))
        self._charge(ready - started, time.process_time() - ready)
        return stored

    def add(self, low: int, high: int, stored: bytes) -> None:
        """Takes a computed verdict in, to be stored with the next transaction."""
        self.computed += 1
        self.replace(low, high, stored)

    def replace(self, low: int, high: int, stored: bytes) -> None:
        """Takes a verdict in that has been computed anew, in place of the one before."""
        self._pending[(self._digest(low), self._digest(high))] = stored
        if self._is_writable and len(self._pending) >= VERDICTS_PER_COMMIT:
            self.flush()
        elif len(self._pending) > VERDICTS_IN_MEMORY:
            # A read-only index keeps the newest; an older one is worked out again when asked for.
            self._pending.pop(next(iter(self._pending)))

    def _charge(self, reading: float, verifying: float) -> None:
        """Count one pair, so that the stages add up to the time it took."""
        self.costs.add(READING, reading, ended=False)
        counted = getattr(self._verifier, "costs", None)
        if not isinstance(counted, StageCosts):
            self.costs.add(VERIFYING, verifying, ended=True)
            return
        own = counted.take()
        self.costs.merge(own)
        self.costs.add(OTHER, max(0.0, verifying - own.seconds), ended=False)

    def _stored(self, low: int, high: int) -> bytes | None:
        key = (self._digest(low), self._digest(high))
        return self._pending.get(key) or self._catalog.verdict(*key, self._verifier.version)

    def flush(self) -> None:
        """Store what is new."""
        if self._pending and self._is_writable:
            rows = [(low, high, value) for (low, high), value in self._pending.items()]
            self._catalog.put_verdicts(self._verifier.version, rows)
            self._pending.clear()

    def image(self, image_id: int) -> VerifyImage:
        """The image as verification wants it, from memory or from the catalog."""
        known = self._images.get(image_id)
        if known is not None:
            self._images.move_to_end(image_id)
            return known
        record = self._catalog.record(image_id)
        image = verify_image(self._catalog.preview(image_id), record)
        self._images[image_id] = image
        while len(self._images) > self._previews_in_memory:
            self._images.popitem(last=False)
        return image

    def _digest(self, image_id: int) -> bytes:
        record = self._records.get(image_id)
        if record is None:
            record = self._records[image_id] = self._catalog.record(image_id)
            if len(self._records) > 64 * self._previews_in_memory:
                self._records.popitem(last=False)
        return record.digest


def verify_image(preview: bytes, record: ImageRecord) -> VerifyImage:
    """An image as verification wants it.

    Raises:
        IndexStorageError: the preview is damaged.
    """
    return VerifyImage(decode_preview(preview), record, profile_in(preview))


def decode_preview(content: bytes) -> NDArray[np.uint8]:
    """The pixels of a stored preview, uint8 (h, w, 3), RGB.

    Raises:
        IndexStorageError: the bytes are no image.
    """
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    if pixels is None:
        raise IndexStorageError(
            "A preview in the index is damaged.",
            "Check the disk, delete the index directory and index again.",
        )
    return np.asarray(pixels, np.uint8)
