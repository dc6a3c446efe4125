"""A pass in a process of its own, to be killed: -m tests.indexer.run_alone FOLDER INDEX NOTES.

Prints the number of blobs done whenever it is told. NOTES is what `decoders.hostile` writes to.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from indexer.index_pass import IndexOptions, index
from indexer.run_report import IndexProgress
from storage.errors import ExitCode
from storage.folder import FolderSource
from storage.index_directory import IndexDirectory
from tests.indexer import decoders
from tests.indexer.passes import ColourEmbedder

# Slow enough to be killed in the middle.
_SECONDS_PER_IMAGE = 0.1


class _Printer:
    def on_progress(self, progress: IndexProgress) -> None:
        print(progress.counts.done, flush=True)


def main(
    folder: Path, index_path: Path, notes: Path | None, commit_every: int, timeout: float
) -> None:
    extract = partial(decoders.slow, _SECONDS_PER_IMAGE)
    options = IndexOptions(
        workers=2,
        batch_size=4,
        commit_every=commit_every,
        commit_seconds=1e9,
        extract=partial(decoders.hostile, notes) if notes else extract,
        image_timeout=timeout if notes else 60.0,
    )
    directory = IndexDirectory.create(index_path)
    index([FolderSource(folder)], directory, [ColourEmbedder()], options, _Printer())


if __name__ == "__main__":
    try:
        main(
            Path(sys.argv[1]),
            Path(sys.argv[2]),
            Path(sys.argv[3]) if sys.argv[3] else None,
            int(sys.argv[4]),
            float(sys.argv[5]),
        )
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
