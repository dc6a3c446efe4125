"""Whether everything in a catalog is what was written there, and belongs together.

Reading a damaged file of LMDB's may end the process: pages point at pages, and a pointer that was
damaged, or a file that was cut, leads out of the map. So the check runs in a process of its own,
whose death is a finding.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgpack
import numpy as np

from storage.catalog import Catalog
from storage.codec import LayoutError, decode_entry, decode_number, decode_run, encode_number
from storage.errors import DedupError
from storage.faults import storage_faults
from storage.listings import check_listing
from storage.records import BlobStatus
from storage.soundness import damage_of
from storage.vector_blocks import decode_block

_VERDICT_KEY_BYTES = 16 + 32 + 32


@dataclass(slots=True)
class Problem:
    """Something that is not as it must be.

    Attributes:
        what: in words.
        count: how often.
        example: the first one.
    """

    what: str
    count: int
    example: str


@dataclass(slots=True)
class CheckReport:
    """What a check has looked at and found.

    Attributes:
        blobs, images, verdicts: how many were looked at.
        without_sums: images that an earlier version stored without checksums; of these only what
            makes no sense is noticed.
        problems: all that is wrong.
    """

    blobs: int = 0
    images: int = 0
    verdicts: int = 0
    without_sums: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


def check_catalog(path: Path) -> CheckReport:
    """Look at everything in the catalog in the directory `path`. No process may write meanwhile."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(path, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        with ours:
            report: CheckReport = ours.recv()
    except EOFError:
        process.join()
        code = process.exitcode or 0
        how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        what = "the file is cut or its pages are damaged: reading it "
        return CheckReport(problems=[Problem(what + how, 1, str(path))])
    process.join()
    return report


def is_verdict(key: bytes, value: bytes) -> bool:
    """Whether this may be a stored verdict, as far as this package knows what one is."""
    try:
        is_row = isinstance(msgpack.unpackb(value), list)
    except (ValueError, msgpack.UnpackException):
        return False
    return is_row and len(key) == _VERDICT_KEY_BYTES


def _report(path: Path, pipe: Connection) -> None:
    report = CheckReport()
    try:
        with Catalog(path, is_writable=False, is_whole_required=False) as catalog:
            _Check(catalog, report).run()
    except DedupError as error:
        report.problems.append(Problem(error.message, 1, str(path)))
    pipe.send(report)


class _Check:
    """One check; what it finds goes into the report."""

    def __init__(self, catalog: Catalog, report: CheckReport) -> None:
        self._catalog = catalog
        self._report = report
        self._found: dict[str, Problem] = {}

    def run(self) -> None:
        ids = np.zeros(0, np.int64)
        with self._part("the images"):
            ids = self._images()
        with self._part("the digests"):
            self._digests(len(ids))
        with self._part("the blobs"):
            self._blobs()
        with self._part("the vectors"):
            self._vectors(ids)
        with self._part("the verdicts"):
            self._verdicts()
        with self._part("the runs"):
            self._runs()
        with self._part("the listings"):
            self._listings()
        self._report.problems += self._found.values()

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        """What LMDB itself finds ends one part of the check."""
        try:
            yield
        except DedupError as error:
            self._note(f"{name} cannot be read to their end", error.message)

    def _note(self, what: str, example: object) -> None:
        problem = self._found.setdefault(what, Problem(what, 0, str(example)))
        problem.count += 1

    def _decoded(self, what: str, name: object, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except (LayoutError, UnicodeDecodeError) as error:
            self._note(what, f"{name}: {error}")
            return None

    def _images(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        ids = []
        last, models = self._catalog.last_image_id, self._catalog.models
        for key, _ in self._catalog.raw("images"):
            image_id = decode_number(key)
            ids.append(image_id)
            self._report.images += 1
            reason = damage_of(self._catalog, image_id, models)
            if reason is None:
                self._report.without_sums += 1
            elif reason:
                self._note(reason, f"image {image_id}")
            if image_id > last:
                self._note("an image has a higher number than was given", f"image {image_id}")
            if not self._catalog.blob_keys_of(image_id):
                self._note("an image belongs to no blob", f"image {image_id}")
        return np.array(ids, np.int64)

    def _digests(self, images: int) -> None:
        count = 0
        for digest, image_id in self._catalog.digests():
            count += 1
            try:
                is_same = self._catalog.record(image_id).digest == digest
            except (KeyError, DedupError):
                is_same = False
            if not is_same:
                self._note("a digest names an image that is another one", digest.hex())
        if count != images:
            self._note("digests and images differ in number", f"{count} and {images}")

    def _blobs(self) -> None:
        counts = dict.fromkeys(BlobStatus, 0)
        for key, value in self._catalog.raw("blobs"):
            self._report.blobs += 1
            entry = self._decoded(
                "the entry of a blob makes no sense", key, partial(decode_entry, key, value)
            )
            if entry is None:
                continue
            counts[entry.status] += 1
            if entry.status is BlobStatus.INDEXED:
                if key not in self._catalog.blob_keys_of(entry.image_id):
                    self._note("a blob and its image do not know each other", entry.uri)
                if self._catalog.get_raw("images", encode_number(entry.image_id)) is None:
                    self._note("a blob has an image that is not there", entry.uri)
            elif not entry.reason:
                self._note("a blob is unreadable without a reason", entry.uri)
        if counts != self._catalog.blob_counts:
            self._note("the counts of blobs are wrong", f"{self._catalog.blob_counts}")
        links = self._catalog.holder_count()
        if links != counts[BlobStatus.INDEXED]:
            self._note("images know of other blobs than there are", f"{links}")

    def _vectors(self, ids: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        for key, value in self._catalog.raw("vectors"):
            what = "a block of vectors makes no sense"
            block = self._decoded(what, key.hex(), partial(decode_block, key, value))
            if block is not None and not np.isin(block[0], ids).all():
                self._note("there are vectors of an image that is not there", key.hex())

    def _verdicts(self) -> None:
        for key, value in self._catalog.raw("verdicts"):
            self._report.verdicts += 1
            if not is_verdict(key, value):
                self._note("a stored verdict makes no sense", key.hex())

    def _runs(self) -> None:
        for key, value in self._catalog.raw("runs"):
            what = "the journal of a run makes no sense"
            self._decoded(what, decode_number(key), partial(decode_run, value))
        with storage_faults(Path()):
            if self._catalog.parameters() is None and self._report.images:
                self._note("what the index was made with is not there", "parameters")

    def _listings(self) -> None:
        for key, value in self._catalog.raw("listings"):
            what = "a page of an unfinished listing makes no sense"
            self._decoded(what, key.hex(), partial(check_listing, key, value))
