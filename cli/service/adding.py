"""Adding images to the index while the service runs: one pass over what was named meanwhile."""

from __future__ import annotations

import os
import queue
import secrets
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from indexer.embedders.base import Embedder
from indexer.index_pass import IndexOptions, index
from indexer.run_report import IndexProgress
from storage.durable import make_folders, sync_path
from storage.errors import DedupError, IndexStorageError
from storage.faults import storage_faults
from storage.index_directory import IndexDirectory
from storage.source import Source

_MOST_AT_ONCE = 256
# By Pillow's name of the format. A listing knows images by their suffix, so formats whose suffixes
# it passes over cannot be added: the next run would take them for gone.
SUFFIXES = {
    "JPEG": "jpg",
    "PNG": "png",
    "WEBP": "webp",
    "GIF": "gif",
    "BMP": "bmp",
    "TIFF": "tif",
    "HEIF": "heic",
    "AVIF": "avif",
}


class UploadFolder:
    """Where uploaded images are kept: named by their content, never written over."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def keep(self, content: bytes, digest: bytes, image_format: str) -> str:
        """Store an image, synced; its path.

        Args:
            image_format: one of `SUFFIXES`.

        Raises:
            IndexStorageError: full, read-only or faulty.
        """
        name = digest.hex()
        folder = self._folder / name[:2]
        target = folder / f"{name}.{SUFFIXES[image_format]}"
        with storage_faults(self._folder):
            if target.exists():
                return str(target)
            make_folders(folder)
            temporary = folder / f".{name}.{secrets.token_hex(4)}.tmp"
            try:
                with temporary.open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(target)
            finally:
                with suppress(FileNotFoundError):
                    temporary.unlink()
            sync_path(folder)
        return str(target)


class Adder:
    """Indexes named blobs, those that are asked for at the same time in one pass.

    Args:
        directory: the index; it must be open for writing in this process already, for one that
            is open for reading cannot be.
        sources: where the blobs are.
        embedders: of the index's models, safe in several threads.
        options: as the index was made.
    """

    def __init__(
        self,
        directory: IndexDirectory,
        sources: Sequence[Source],
        embedders: Sequence[Embedder],
        options: IndexOptions,
    ) -> None:
        self._directory = directory
        self._sources = sources
        self._embedders = embedders
        self._options = options
        self._waiting: queue.Queue[tuple[str, Future[None]] | None] = queue.Queue(_MOST_AT_ONCE)
        self._thread = threading.Thread(target=self._work, name="adder", daemon=True)
        self._thread.start()

    def add(self, uri: str) -> Future[None]:
        """Have a blob indexed. The future ends when it is in the catalog, or with what failed.

        Raises:
            queue.Full: too many wait already.
        """
        future: Future[None] = Future()
        self._waiting.put_nowait((uri, future))
        return future

    def close(self) -> None:
        """Finish what was taken on, and end."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        while True:
            first = self._waiting.get()
            if first is None:
                return
            batch, is_last = [first], False
            with suppress(queue.Empty):
                while len(batch) < _MOST_AT_ONCE:
                    more = self._waiting.get_nowait()
                    if more is None:
                        is_last = True
                        break
                    batch.append(more)
            self._index([uri for uri, _ in batch], [future for _, future in batch])
            if is_last:
                return

    def _index(self, uris: Sequence[str], futures: Sequence[Future[None]]) -> None:
        # Of the others an unfinished listing would be begun anew.
        sources = [
            source
            for source in self._sources
            if any(uri.startswith(source.uri.rstrip("/") + "/") for uri in uris)
        ]
        try:
            index(sources, self._directory, self._embedders, self._options, _Silent(), uris)
        except DedupError as error:
            outcome: BaseException | None = error
        except Exception as error:  # noqa: BLE001 - whoever waits is told, and the next may succeed
            outcome = IndexStorageError("The image could not be indexed.", "Try again later.")
            outcome.__cause__ = error
        else:
            outcome = None
        for future in futures:
            if outcome is None:
                future.set_result(None)
            else:
                future.set_exception(outcome)


class _Silent:
    def on_progress(self, progress: IndexProgress) -> None:
        """Nobody looks."""
