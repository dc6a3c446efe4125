"""Blobs with the size and MD5 of one that was read: not read, and not taken for more than that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import md5
from pathlib import Path

import pytest

from benchmarks.fault_store.account import Account
from benchmarks.fault_store.server import FaultServer, serving
from benchmarks.soak.pictures import picture
from indexer.run_report import IndexReport
from storage.blob import Blob
from storage.errors import BlobVanished
from storage.open_source import SourceOptions, open_source
from storage.source import Source
from tests.indexer import decoders
from tests.indexer.passes import ColourEmbedder, entries, fingerprint, reasons, run_pass

COUNT = 12


class Container:
    """A container with a count of what was asked of it."""

    def __init__(self, server: FaultServer) -> None:
        self.server = server
        self.account = server.account

    def put(self, name: str, content: bytes, content_md5: bytes | None = b"") -> None:
        self.account.put(name, content, content_md5)

    @contextmanager
    def opened(self) -> Iterator[Source]:
        options = SourceOptions(max_requests_per_second=1000, silence=0.5)
        source = open_source(self.server.url, options)
        yield source
        source.close()

    def index(
        self, index_path: Path, *, trusts_md5: bool, **options: object
    ) -> tuple[int, IndexReport]:
        """How many contents were asked for, and the report."""
        before = self.server.arrivals.reads
        with self.opened() as source:
            report = run_pass(
                source, index_path, [ColourEmbedder()], trusts_md5=trusts_md5, **options
            )
        return self.server.arrivals.reads - before, report


@pytest.fixture
def container() -> Iterator[Container]:
    with serving(FaultServer(Account())) as server:
        yield Container(server)


def _put_pictures(container: Container, prefix: str) -> None:
    for number in range(COUNT):
        container.put(f"{prefix}{number:02}.jpg", picture(number))


def _unread(index_path: Path) -> set[str]:
    return {name for name, entry in entries(index_path).items() if entry.is_unread}


def test_of_copies_in_one_run_one_is_read(container: Container, index_path: Path, tmp_path: Path):
    for prefix in ("a", "b", "c"):
        _put_pictures(container, prefix)
    reads, report = container.index(index_path, trusts_md5=True, readers=8)
    assert (reads, report.read_requests) == (COUNT, COUNT)
    assert (report.new_images, report.aliased, report.unread) == (COUNT, 2 * COUNT, 2 * COUNT)
    assert len(_unread(index_path)) == 2 * COUNT
    # What is known is the same as if all had been read.
    reads, _ = container.index(tmp_path / "other", trusts_md5=False)
    assert reads == 3 * COUNT
    assert fingerprint(tmp_path / "other") == fingerprint(index_path)
    assert container.index(index_path, trusts_md5=True)[0] == 0


def test_copies_of_what_an_ordinary_run_has_read_need_not_be_read(
    container: Container, index_path: Path
):
    _put_pictures(container, "a")
    assert container.index(index_path, trusts_md5=False)[0] == COUNT
    _put_pictures(container, "b")
    reads, report = container.index(index_path, trusts_md5=True)
    assert (reads, report.unchanged, report.unread) == (0, COUNT, COUNT)


def test_a_run_that_does_not_trust_reads_them_once(container: Container, index_path: Path):
    _put_pictures(container, "a")
    _put_pictures(container, "b")
    container.index(index_path, trusts_md5=True)
    reads, report = container.index(index_path, trusts_md5=False)
    assert (reads, report.aliased, report.unread, report.unchanged) == (COUNT, COUNT, 0, COUNT)
    assert _unread(index_path) == set()
    assert container.index(index_path, trusts_md5=False)[0] == 0


def test_without_an_md5_or_with_another_size_it_is_read(container: Container, index_path: Path):
    content = picture(1)
    container.put("a.jpg", content)
    container.index(index_path, trusts_md5=True)
    container.put("b.jpg", content, None)
    container.put("c.jpg", content + b"\0", md5(content).digest())
    reads, report = container.index(index_path, trusts_md5=True)
    assert (reads, report.aliased, report.new_images) == (2, 1, 1)


def test_an_md5_that_is_wrong_is_found_out_by_reading_and_not_trusted_any_more(
    container: Container, index_path: Path
):
    content = picture(1)
    other = picture(2).ljust(len(content), b"\0")[: len(content)]
    container.put("a.jpg", content)
    container.index(index_path, trusts_md5=True)
    container.put("liar.jpg", other, md5(content).digest())
    container.index(index_path, trusts_md5=True)
    assert entries(index_path)["liar.jpg"].image_id == entries(index_path)["a.jpg"].image_id
    container.index(index_path, trusts_md5=False)
    assert entries(index_path)["liar.jpg"].image_id != entries(index_path)["a.jpg"].image_id
    container.put("c.jpg", content)
    reads, _ = container.index(index_path, trusts_md5=True)
    assert reads == 1
    assert entries(index_path)["c.jpg"].image_id == entries(index_path)["a.jpg"].image_id


def test_when_the_one_that_was_read_goes_the_next_run_reads_another(
    container: Container, index_path: Path
):
    container.put("a.jpg", picture(1))
    container.index(index_path, trusts_md5=True)
    container.put("b.jpg", picture(1))
    container.put("c.jpg", picture(1))
    container.index(index_path, trusts_md5=True)
    container.account.remove("a.jpg")
    assert container.index(index_path, trusts_md5=True)[0] == 0
    reads, report = container.index(index_path, trusts_md5=True)
    assert (reads, report.images) == (2, 1)
    assert _unread(index_path) == set()


@pytest.mark.parametrize("readers", [1, 4])
def test_those_that_waited_for_one_that_has_gone_are_read_themselves(
    container: Container, index_path: Path, readers: int
):
    for name in "abcde":
        container.put(f"{name}.jpg", picture(1))
    with container.opened() as source:

        class Losing:
            """The first two blobs that are read are gone by then."""

            asked = 0

            def __getattr__(self, name: str) -> object:
                return getattr(source, name)

            def read(self, blob: Blob) -> bytes:
                Losing.asked += 1
                if Losing.asked <= 2:
                    raise BlobVanished(f"{blob.uri} is gone.")
                return source.read(blob)

        report = run_pass(
            Losing(),  # type: ignore[arg-type]
            index_path,
            [ColourEmbedder()],
            trusts_md5=True,
            readers=readers,
        )
    assert (report.vanished, report.new_images, report.unread) == (2, 1, 2)
    assert Losing.asked == 3


def test_what_is_no_image_is_asked_for_itself_the_next_time(container: Container, index_path: Path):
    for name in "abc":
        container.put(f"{name}.jpg", b"Dear diary")
    reads, report = container.index(index_path, trusts_md5=True)
    assert (reads, report.unreadable) == (1, 3)
    assert set(reasons(index_path)) == {"a.jpg", "b.jpg", "c.jpg"}
    # Whatever two of three in a row turn out to be, each gets its own answer in the end.
    counts = [container.index(index_path, trusts_md5=True)[0] for _ in range(3)]
    assert sum(counts) == 2
    assert counts[-1] == 0


def test_those_that_wait_while_it_is_decoded_are_not_read_either(
    container: Container, index_path: Path
):
    _put_pictures(container, "a")
    _put_pictures(container, "b")
    reads, report = container.index(
        index_path,
        trusts_md5=True,
        commit_every=1,
        batch_size=1,
        extract=partial(decoders.slow, 0.05),
    )
    assert (reads, report.unread) == (COUNT, COUNT)
