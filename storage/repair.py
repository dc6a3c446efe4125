"""A sound catalog out of a damaged one: all that is still what was stored, and nothing else.

What is sound is carried over into a new catalog, which then takes the place of the old one; the old
one stays beside it. What is not carried over the next `dedup index` reads again, for the index does
not know it any more; verdicts that are lost are worked out again.

Reading the old one may end the process (see `storage.check`). So images are carried over by
processes that tell how far they have come, and what one of them died of is left out.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count
from multiprocessing.connection import Connection
from pathlib import Path

from storage.blob import Blob
from storage.catalog import Catalog, CatalogBatch, IndexedBlob, UnreadableBlob
from storage.check import check_catalog, is_verdict
from storage.codec import LayoutError, decode_entry, encode_number
from storage.databases import Transaction
from storage.durable import sync_path
from storage.errors import DedupError, IndexStorageError
from storage.records import BlobEntry, BlobStatus, ImageFeatures
from storage.soundness import damage_of

_BATCH = 256
_ROWS = 1024
_REMEDY = "Remove it, or move it away, and index again: the pictures themselves are not touched."


@dataclass(slots=True)
class RepairReport:
    """What was carried over.

    Attributes:
        images, blobs, unreadable, verdicts: how many were carried over.
        lost_images: contents that were not, as far as could be counted.
        old: where the damaged catalog is now.
    """

    images: int = 0
    blobs: int = 0
    unreadable: int = 0
    verdicts: int = 0
    lost_images: int = 0
    old: str = ""


@dataclass(frozen=True, slots=True)
class _Progress:
    """What a process that carries over tells: images up to `done` of `last` are dealt with."""

    done: int
    last: int = 0
    images: int = 0
    blobs: int = 0
    unreadable: int = 0
    verdicts: int = 0
    lost_images: int = 0
    error: str = ""
    is_full: bool = False


class _CannotWrite(Exception):
    """The new catalog cannot be written: no damage of the old one, and no reason to leave it."""


def repair_catalog(path: Path) -> RepairReport:
    """Replace the catalog in `path` by a sound one. The caller holds the write lock.

    Killed, it is done again from the beginning, or finished.

    Raises:
        IndexStorageError: nothing can be saved, or the disk is full. The old catalog is as it was.
    """
    new = path.with_name(path.name + ".repaired")
    if path.exists():
        shutil.rmtree(new, ignore_errors=True)
        report = _carried_over(path, new)
        _require_sound(path, new)
        old = _unused(path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}"))
        path.rename(old)
        sync_path(path.parent)
        report.old = str(old)
    else:
        # Killed between the two renames.
        _require_sound(path, new)
        report = RepairReport()
    new.rename(path)
    sync_path(path.parent)
    return report


def _unused(path: Path) -> Path:
    """This name, or one like it that nothing has: a clock may tell the same time twice."""
    names = (path.with_name(f"{path.name}-{number}") for number in count(2))
    return next(name for name in chain((path,), names) if not os.path.lexists(name))


def _require_sound(path: Path, new: Path) -> None:
    report = check_catalog(new)
    if not report.is_sound:
        problem = report.problems[0]
        raise IndexStorageError(
            f"The catalog in {path} cannot be repaired: {problem.what} ({problem.example}).",
            _REMEDY,
        )


def _carried_over(old: Path, new: Path) -> RepairReport:
    report = RepairReport()
    done, last, step, skipped = 0, -1, _BATCH, 1
    while done != last:
        began = done
        error = "reading it ends the process"
        is_open = False
        for told in _process(_carry_images, old, new, done + 1, step):
            if told.error:
                error = told.error
                continue
            _add(report, told)
            is_open, done, last = True, told.done, told.last
        if not is_open:
            raise IndexStorageError(f"The catalog in {old} cannot be repaired: {error}.", _REMEDY)
        if done == last:
            break
        if done > began:
            skipped = 1
        if step > 1:
            # One of a batch ended the process: which, single steps tell.
            step = 1
            continue
        # Doubled each time: a page that leads to many images costs few processes.
        report.lost_images += min(skipped, last - done)
        done = min(done + skipped, last)
        skipped *= 2
    _carry_rest(old, new, report)
    return report


def _carry_rest(old: Path, new: Path, report: RepairReport) -> None:
    """What is lost here is only worked out again."""
    for work in (_carry_unreadable, _carry_verdicts):
        for told in _process(work, old, new, 0, 0):
            _add(report, told)


def _add(report: RepairReport, told: _Progress) -> None:
    report.images += told.images
    report.blobs += told.blobs
    report.unreadable += told.unreadable
    report.verdicts += told.verdicts
    report.lost_images += told.lost_images


def _process(work: Work, old: Path, new: Path, start: int, step: int) -> Iterator[_Progress]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_guarded, args=(work, old, new, start, step, theirs))
    process.start()
    theirs.close()
    try:
        while True:
            told: _Progress = ours.recv()
            if told.is_full:
                raise IndexStorageError(
                    told.error, "Free some space and run it again: the old catalog is as it was."
                )
            yield told
    except EOFError:
        process.join()
    finally:
        ours.close()


def _guarded(work: Work, old: Path, new: Path, start: int, step: int, pipe: Connection) -> None:
    try:
        with _Damaged(old) as source, _opened_new(new) as target:
            for told in work(source, target, start, step):
                pipe.send(told)
    except _CannotWrite as error:
        pipe.send(_Progress(0, error=str(error), is_full=True))
    except DedupError as error:
        pipe.send(_Progress(0, error=error.message.rstrip(".")))


class _Damaged(Catalog):
    """A catalog that may be read in spite of what is wrong with it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, is_writable=False, is_whole_required=False)


class _New(Catalog):
    def put_verdict_rows(self, rows: list[tuple[bytes, bytes]]) -> None:
        self._put_all(self._db.verdicts, rows)

    @contextmanager
    def _write(self) -> Iterator[Transaction]:
        try:
            with super()._write() as txn:
                yield txn
        except IndexStorageError as error:
            raise _CannotWrite(error.message) from error


def _opened_new(path: Path) -> _New:
    try:
        return _New(path, is_writable=True)
    except IndexStorageError as error:
        raise _CannotWrite(error.message) from error


Work = Callable[[_Damaged, _New, int, int], Iterator[_Progress]]


def _carry_images(source: _Damaged, target: _New, start: int, step: int) -> Iterator[_Progress]:
    parameters = source.parameters()
    if parameters is not None:
        target.set_parameters(parameters)
    models, last = source.models, source.last_image_id
    at = start
    yield _Progress(start - 1, last)
    while at <= last:
        batch, lost = CatalogBatch(), 0
        end = min(at + step, last + 1)
        for image_id in range(at, end):
            found = _image(source, image_id, models)
            if found is None:
                lost += source.get_raw("images", encode_number(image_id)) is not None
                continue
            features, entries = found
            batch.images.append(features)
            digest = features.record.digest
            batch.indexed += [IndexedBlob(_blob(e), e.source, digest) for e in entries]
        target.commit(batch)
        yield _Progress(end - 1, last, len(batch.images), len(batch.indexed), lost_images=lost)
        at, step = end, min(_BATCH, step * 2)


def _image(
    source: _Damaged, image_id: int, models: tuple[str, ...]
) -> tuple[ImageFeatures, list[BlobEntry]] | None:
    """What is stored of an image, when all of it is sound and some blob holds it."""
    if damage_of(source, image_id, models):
        return None
    try:
        entries = source.blobs_of(image_id)
    except IndexStorageError:
        return None
    if not entries or any(entry.image_id != image_id for entry in entries):
        return None
    vectors = {name: source.embedding(name, image_id) for name in models}
    features = ImageFeatures(source.record(image_id), source.preview(image_id), vectors)
    return features, entries


def _carry_unreadable(source: _Damaged, target: _New, _: int, __: int) -> Iterator[_Progress]:
    batch = CatalogBatch()
    for key, value in source.raw("blobs"):
        try:
            entry = decode_entry(key, value)
        except LayoutError:
            continue
        if entry.status is BlobStatus.UNREADABLE and entry.reason:
            refused = UnreadableBlob(_blob(entry), entry.source, entry.reason, entry.limit)
            batch.unreadable.append(refused)
        if len(batch.unreadable) >= _ROWS:
            target.commit(batch)
            yield _Progress(0, unreadable=len(batch.unreadable))
            batch = CatalogBatch()
    target.commit(batch)
    yield _Progress(0, unreadable=len(batch.unreadable))


def _carry_verdicts(source: _Damaged, target: _New, _: int, __: int) -> Iterator[_Progress]:
    rows: list[tuple[bytes, bytes]] = []
    for row in source.raw("verdicts"):
        if is_verdict(*row):
            rows.append(row)
        if len(rows) >= _ROWS:
            target.put_verdict_rows(rows)
            yield _Progress(0, verdicts=len(rows))
            rows = []
    target.put_verdict_rows(rows)
    yield _Progress(0, verdicts=len(rows))


def _blob(entry: BlobEntry) -> Blob:
    return Blob(
        uri=entry.uri,
        size=entry.size,
        etag=entry.etag,
        last_modified=entry.last_modified,
        object_id=entry.object_id,
    )
