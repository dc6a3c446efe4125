"""Embeddings of a catalog for a reader that comes back to each block again and again.

For each value it returns py-lmdb touches all of its pages, that it may wait for the disk without
the interpreter's lock: forty pages for a block of 64 vectors, of which a search wants two or three.
So each block is asked for once, and where it lies is kept.
"""

from __future__ import annotations

from typing import Any

import lmdb

from storage.records import F16
from storage.vector_blocks import I64, Block, Flags, block_of, gather

# Blocks of which it is kept where they lie, some 400 bytes each: of four million images. Others are
# asked for each time.
_MOST = 65_536


class HeldVectors:
    """The vectors of a catalog. Belongs to one thread.

    Once something is committed, all is looked up anew: nothing old is read, and the writer need not
    wait for long until it may use pages again.
    """

    def __init__(self, environment: lmdb.Environment, database: Any) -> None:
        self._environment = environment
        self._database = database
        # Not in a `with`: it lasts until `end`.
        self._transaction: Any = environment.begin(buffers=True)
        self._blocks: dict[tuple[bytes, int], Block | None] = {}

    def read(self, model: bytes, image_ids: I64) -> tuple[F16, Flags]:
        """As `storage.vector_blocks.read_vectors`; copies."""
        if self._environment.info()["last_txnid"] != self._transaction.id():
            self.end()
            self._transaction = self._environment.begin(buffers=True)

        def find(block: int) -> Block | None:
            key = model, block
            if key in self._blocks:
                return self._blocks[key]
            found = block_of(self._transaction, self._database, model, block)
            if len(self._blocks) < _MOST:
                self._blocks[key] = found
            return found

        return gather(image_ids, find)

    def end(self) -> None:
        """Let the writer have the pages."""
        self._blocks.clear()
        self._transaction.abort()
