"""Whether a file of LMDB's that is shorter than its last page can be read all the same.

Pages that one transaction takes and gives back at the end of the file are never written, so that a
file may end before the last page of its map and be whole. It may also have been cut, and to touch
what is missing ends a process with SIGBUS: another process touches all of it first.
"""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import lmdb


def can_be_read(path: Path) -> bool:
    """Whether a process that reads everything in the environment in `path` lives through it."""
    process = multiprocessing.get_context("spawn").Process(target=_touch, args=(str(path),))
    process.start()
    process.join()
    return process.exitcode == 0


def _touch(path: str) -> None:
    with lmdb.open(path, readonly=True, lock=False, max_dbs=64, readahead=False) as environment:
        main = environment.open_db()
        with environment.begin(db=main) as txn:
            names = list(txn.cursor().iternext(values=False))
        for name in names:
            database = environment.open_db(name, create=False)
            with environment.begin(db=database, buffers=True) as txn:
                for _, value in txn.cursor():
                    if len(value):
                        # First and last byte: a value may lie on pages of its own.
                        _ = value[0] + value[-1]
