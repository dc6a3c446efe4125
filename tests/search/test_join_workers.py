"""Worker processes that search the blocks of a self-join."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import numpy as np
import psutil
import pytest

from search.hits import I64
from search.index_set import IndexSet
from search.join_block import Findings, Joined, search_block
from search.join_workers import JoinWorkers
from search.options import SearchOptions
from search.self_join import candidate_pairs
from tests.search.gallery import MODEL, Gallery, clustered, near

_OPTIONS = SearchOptions(exact_below=0)


def _filled(gallery: Gallery) -> IndexSet:
    originals = clustered(2600, 32, seed=1)
    gallery.set_models(**{MODEL: 32})
    gallery.add({MODEL: np.concatenate([originals, near(originals[:300], 0.3, seed=2)])})
    return IndexSet.open(gallery.directory, gallery.catalog, _OPTIONS)


def test_workers_find_the_pairs_that_this_process_finds(gallery: Gallery) -> None:
    indexes = _filled(gallery)
    with JoinWorkers(gallery.directory.path, _OPTIONS, workers=2) as workers:
        found = list(candidate_pairs(gallery.catalog, indexes, _OPTIONS, workers=workers))
        assert _searchers() == [], "the memory is needed for what comes next"
    assert found == list(candidate_pairs(gallery.catalog, indexes, _OPTIONS))
    assert len(found) >= 300


@pytest.mark.parametrize("is_killed", [False, True])
def test_workers_that_are_gone_keep_no_pages_from_the_writer(
    gallery: Gallery, is_killed: bool
) -> None:
    indexes = _filled(gallery)
    blocks = np.array_split(indexes.image_ids, 12)
    with JoinWorkers(gallery.directory.path, _OPTIONS, workers=2) as workers:
        stream = _killing(blocks, after=6) if is_killed else iter(blocks)
        joined = Joined(gallery.catalog, indexes, _OPTIONS)
        for _ in workers.search(stream, partial(search_block, joined)):
            pass
    if is_killed:
        gallery.catalog.forget_dead_readers()
    readers = gallery.catalog._environment.readers()
    assert f" {os.getpid()} " in readers or "no active readers" in readers
    assert len(readers.splitlines()) <= 2, readers


def test_nothing_is_lost_when_workers_are_killed(gallery: Gallery) -> None:
    joined = Joined(gallery.catalog, _filled(gallery), _OPTIONS)
    blocks = np.array_split(joined.indexes.image_ids, 12)
    here: list[I64] = []

    def otherwise(block: I64) -> Findings:
        here.append(block)
        return search_block(joined, block)

    with JoinWorkers(gallery.directory.path, _OPTIONS, workers=2) as workers:
        found = list(workers.search(_killing(blocks, after=6), otherwise))
    assert here, "the killed workers had nothing to do"
    assert [list(findings.ids) for findings in found] == [list(block) for block in blocks]
    for findings, block in zip(found, blocks, strict=True):
        assert np.array_equal(findings.proposals, search_block(joined, block).proposals)


def test_workers_end_when_the_process_that_started_them_is_killed(gallery: Gallery) -> None:
    _filled(gallery)
    code = (
        "import sys, time; from pathlib import Path; import numpy as np;"
        "from search.join_workers import JoinWorkers; from search.options import SearchOptions;"
        "pool = JoinWorkers(Path(sys.argv[1]), SearchOptions(exact_below=0), workers=2);"
        "found = pool.search(iter([np.arange(1, 9)] * 9), print);"
        "next(found); print('searching', flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(gallery.directory.path)], stdout=subprocess.PIPE
    ) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"searching\n"
        workers = _searchers(psutil.Process(killed.pid))
        assert len(workers) == 2
        killed.kill()
    gone, left = psutil.wait_procs(workers, timeout=60)
    for worker in left:
        worker.kill()
    assert (len(gone), left) == (2, [])


def _killing(blocks: list[I64], after: int) -> Iterator[I64]:
    for number, block in enumerate(blocks):
        if number == after:
            for searcher in _searchers():
                os.kill(searcher.pid, signal.SIGKILL)
        yield block


def _searchers(of: psutil.Process | None = None) -> list[psutil.Process]:
    """The worker processes: what the fork server has started."""
    servers = [
        child
        for child in (of or psutil.Process()).children()
        if any("forkserver" in word for word in child.cmdline())
    ]
    return [child for server in servers for child in server.children()]
