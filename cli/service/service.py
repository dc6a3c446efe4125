"""What the routes of the API do, without HTTP."""

from __future__ import annotations

import hashlib
import os
import queue
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import ExitStack
from typing import Any, BinaryIO

from cli.answering import Match
from cli.config import Settings
from cli.loading import decode_limits, open_sources
from cli.service.adding import SUFFIXES, Adder, UploadFolder
from cli.service.describing import QueryWorkers
from cli.service.errors import Refused, busy
from cli.service.fetching import ConfiguredSources
from cli.service.keys import ApiKeys, RateLimits, Scope
from cli.service.metrics import Metrics
from cli.service.result_lists import OpenGroups, ResultLists
from cli.service.schemas import (
    Added,
    Answer,
    Check,
    Groups,
    ImageFacts,
    Known,
    ListFacts,
    Lists,
    MatchFacts,
    SnapshotFacts,
)
from cli.service.snapshots import Snapshot, Snapshots
from indexer.index_pass import IndexOptions
from resolve.lists import LIST_FILES
from resolve.page.groups_file import Order
from storage.catalog import Catalog
from storage.errors import ImageInputError, IndexMismatch
from storage.index_directory import IndexDirectory
from storage.records import BlobStatus
from verify.verdict import Relation

_PATIENCE = 10.0
_ADD_SECONDS = 60.0
_UPLOAD_SECONDS = 30.0
_RENEW_SECONDS = 2.0


class Service:
    """Everything that the requests share.

    Args:
        settings: `source` are what clients may name images of; `uploads` is where sent images are
            kept, None for nowhere.
        keys: who may ask.

    Raises:
        DedupError: the index, a source or a model cannot be used.
    """

    def __init__(self, settings: Settings, keys: ApiKeys) -> None:
        self._keys = keys
        self._rate = RateLimits(settings.rate)
        self.max_upload = int(settings.max_upload_megabytes * 2**20)
        self.upload_seconds = _UPLOAD_SECONDS
        self._directory = IndexDirectory.open(settings.index)
        with ExitStack() as stack:
            places = [*settings.source, *([str(settings.uploads)] if settings.uploads else [])]
            sources = open_sources(places, settings, stack)
            is_growing = bool(sources)
            # First: what this process has open for reading it cannot open for writing later.
            opened = Catalog.open_writer if is_growing else Catalog.open_reader
            self._catalog = stack.enter_context(opened(self._directory.catalog_path))
            parameters = self._catalog.parameters()
            if parameters is None:
                raise IndexMismatch(
                    f"The index {settings.index} is empty: nothing has been indexed into it.",
                    "Run dedup index SOURCE first.",
                )
            self._workers = QueryWorkers(settings, parameters, _PATIENCE)
            stack.callback(self._workers.close)
            self._snapshots = Snapshots(self._directory, settings.refresh)
            stack.callback(self._snapshots.close)
            self.sources = ConfiguredSources(sources, self.max_upload)
            self._uploads = UploadFolder(settings.uploads) if settings.uploads else None
            self._adder: Adder | None = None
            if is_growing:
                options = IndexOptions(
                    workers=1,
                    readers=1,
                    preview_size=parameters.preview_size,
                    limits=decode_limits(settings, parameters.preview_size),
                    image_timeout=settings.image_timeout,
                )
                self._adder = Adder(self._directory, sources, self._workers.embedders, options)
                stack.callback(self._adder.close)
            self.metrics = Metrics(self._snapshots, self._workers)
            self._lists = ResultLists(settings.out)
            self._stack = stack.pop_all()

    def close(self) -> None:
        """Finish what was begun, and end the decoders."""
        self._stack.close()

    def permit(self, presented: str, scope: Scope) -> None:
        """Let a request pass, or not.

        Raises:
            Refused: no such key, one for reading only, or too often.
        """
        key = self._keys.find(presented) if presented else None
        if key is None:
            raise self._refusal(401, "This needs an API key.", "Send X-API-Key.", "key")
        if scope is Scope.WRITE and key.scope is not Scope.WRITE:
            raise self._refusal(403, "This key may only read.", "Use one that may write.", "scope")
        wait = self._rate.wait(key.name)
        if wait:
            refused = self._refusal(429, "Too many requests.", "Ask less often.", "rate")
            refused.retry_after = wait
            raise refused

    def require_ready(self) -> None:
        """Raises Refused while the index cannot be read."""
        if self._snapshots.last_failure:
            raise Refused(503, "The index cannot be read.", "Its operator finds why in the log.")

    def query(self, name: str, content: bytes, top: int, is_verified: bool) -> Answer:
        """The neighbours of an image."""
        with self._snapshots.current() as snapshot:
            found = self._workers.answer(snapshot, name, content, top, is_verified)
            return Answer(
                query=found.query,
                width=found.width,
                height=found.height,
                matches=[MatchFacts.model_validate(match) for match in found.matches],
                snapshot=_facts(snapshot),
            )

    def check(self, content: bytes) -> Check:
        """Whether the index has these bytes, or a copy of the picture."""
        digest = hashlib.sha256(content).digest()
        with self._snapshots.current() as snapshot:
            # What was added a moment ago is no part of the snapshot, and is known all the same.
            uris = self._uris_of(digest)
            match = None if uris else self._copy_of(snapshot, content)
            return Check(
                known=Known.SAME_BYTES if uris else Known.COPY if match else Known.NO,
                digest=digest.hex(),
                match=None if match is None else MatchFacts.model_validate(match),
                uris=uris or ([] if match is None else match.uris),
                snapshot=_facts(snapshot),
            )

    def add_content(self, content: bytes, is_only_new: bool) -> Added:
        """Keep and index an image that was sent."""
        if self._uploads is None or self._adder is None:
            raise Refused(
                403, "This service keeps no uploads.", "Its operator starts it with --uploads."
            )
        digest = hashlib.sha256(content).digest()
        known = self._uris_of(digest)
        if known:
            return Added(uri=known[0], digest=digest.hex(), is_new=False)
        if is_only_new:
            with self._snapshots.current() as snapshot:
                match = self._copy_of(snapshot, content)
            if match is not None:
                raise Refused(
                    409,
                    f"This is a copy of {match.uris[0]} ({match.relation}).",
                    "Ask without only_new to keep it all the same.",
                )
        # Decoded before anything is written: nothing that is no image is ever stored.
        image_format = self._workers.format_of(content)
        if image_format not in SUFFIXES:
            raise ImageInputError(
                f"Images of the format {image_format} are read and not kept.",
                f"Send one of: {', '.join(SUFFIXES)}.",
            )
        return self._indexed(self._adder, self._uploads.keep(content, digest, image_format))

    def add_uri(self, uri: str) -> Added:
        """Index an image of a source."""
        if self._adder is None:
            raise Refused(403, "This service has no sources.", "Its operator names some.")
        self.sources.locate(uri)
        return self._indexed(self._adder, uri)

    def image(self, digest: str) -> ImageFacts:
        """What is known of a content."""
        with self._snapshots.current() as snapshot:
            number = self._image_id(snapshot, digest)
            record = snapshot.catalog.record(number)
            return ImageFacts(
                digest=digest,
                uris=[_text(entry.uri) for entry in snapshot.catalog.blobs_of(number)],
                format=record.format,
                width=record.width,
                height=record.height,
                bytes=record.byte_size,
                taken_at=_text(record.metadata.taken_at),
                camera=_text(record.metadata.camera),
            )

    def preview(self, digest: str) -> bytes:
        """The stored JPEG."""
        with self._snapshots.current() as snapshot:
            return snapshot.catalog.preview(self._image_id(snapshot, digest))

    def groups(self, order: Order, relation: Relation | None, first: int, count: int) -> Groups:
        """A page of the groups."""
        total, rows = self._open_groups().page(order, relation, first, count)
        return Groups(total=total, first=first, groups=[dict(row) for row in rows])

    def group(self, name: str) -> dict[str, Any]:
        """One group."""
        found = self._open_groups().group(name)
        if found is None:
            raise Refused(404, "There is no such group.", "Another resolve may have replaced it.")
        return dict(found)

    def lists(self) -> Lists:
        """Which lists there are."""
        summary = self._lists.summary()
        if summary is None:
            raise _no_lists()
        found = []
        for name in LIST_FILES:
            path = self._lists.path(name)
            if path is not None:
                state = path.stat()
                found.append(ListFacts(name=name, bytes=state.st_size, modified=state.st_mtime))
        return Lists(lists=found, summary=summary)

    def open_list(self, name: str) -> tuple[BinaryIO, int]:
        """A list and its size: what is opened stays the same when it is replaced."""
        path = self._lists.path(name)
        if path is None:
            raise _no_lists()
        file = path.open("rb")
        return file, os.fstat(file.fileno()).st_size

    def _open_groups(self) -> OpenGroups:
        groups = self._lists.groups()
        if groups is None:
            raise _no_lists()
        return groups

    def _copy_of(self, snapshot: Snapshot, content: bytes) -> Match | None:
        found = self._workers.answer(snapshot, "upload", content, 1, True)
        return next((match for match in found.matches if match.is_copy), None)

    def _uris_of(self, digest: bytes) -> list[str]:
        """Where the catalog, as it is now, has a content."""
        number = self._catalog.image_id(digest)
        if number is None:
            return []
        return [_text(entry.uri) for entry in self._catalog.blobs_of(number)]

    def _image_id(self, snapshot: Snapshot, digest: str) -> int:
        number = snapshot.catalog.image_id(bytes.fromhex(digest))
        if number is None:
            raise Refused(404, "The index has no such image.", "Ask /v1/check.")
        return number

    def _indexed(self, adder: Adder, uri: str) -> Added:
        before = self._catalog.blob(uri)
        try:
            adder.add(uri).result(timeout=_ADD_SECONDS)
        except (queue.Full, FutureTimeout):
            raise busy() from None
        entry = self._catalog.blob(uri)
        if entry is None:
            raise Refused(404, "The image has gone.", "Name another.")
        if entry.status is not BlobStatus.INDEXED or entry.image_id is None:
            raise ImageInputError(f"The image is unreadable: {entry.reason}", "Send another.")
        is_new = before is None or before.image_id != entry.image_id
        if is_new:
            self.metrics.added.inc()
            # The next to ask whether we have this picture is to hear that we do.
            self._snapshots.renew(_RENEW_SECONDS)
        return Added(
            uri=_text(uri), digest=self._catalog.record(entry.image_id).digest.hex(), is_new=is_new
        )

    def _refusal(self, status: int, error: str, remedy: str, why: str) -> Refused:
        self.metrics.refused.labels(why).inc()
        return Refused(status, error, remedy, why)


def _facts(snapshot: Snapshot) -> SnapshotFacts:
    return SnapshotFacts(number=snapshot.number, taken_at=snapshot.taken_at, images=snapshot.images)


def _text(name: str) -> str:
    """A name as JSON can carry it: bytes of it that are not UTF-8 are escaped."""
    return name.encode("utf-8", "backslashreplace").decode()


def _no_lists() -> Refused:
    return Refused(404, "There are no lists.", "Its operator runs dedup resolve.")
