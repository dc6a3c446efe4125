"""`dedup serve` in a process of its own, and requests to it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.cli.helpers import ROOT, clean_environment

READ, WRITE = "a-key-that-may-only-read", "a-key-that-may-write-too"


@dataclass(frozen=True)
class Served:
    """A running service.

    Attributes:
        log: what it has written to standard error so far.
    """

    url: str
    process: subprocess.Popen[str]
    log: Path

    def client(self, key: str = WRITE) -> httpx.Client:
        """Of whoever has that key."""
        headers: Mapping[str, str] = {"X-API-Key": key} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    def raw(self, content: bytes, *, is_ended: bool = True) -> bytes:
        """What it answers to these bytes on a connection of their own."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            try:
                connection.sendall(content)
                if is_ended:
                    connection.shutdown(socket.SHUT_WR)
                answer = b""
                while chunk := connection.recv(65536):
                    answer += chunk
            except OSError:
                return b""
            return answer

    def must_live(self) -> None:
        """It is there, it answers, and nobody found a bug in it."""
        assert self.process.poll() is None, self.log.read_text()
        assert httpx.get(self.url + "/health").json() == {"status": "ok"}
        assert "Traceback" not in self.log.read_text()

    @property
    def descriptors(self) -> int:
        """Files and connections that it has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    @property
    def resident(self) -> int:
        """Bytes of its memory, without its decoders'."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def serving(folder: Path, index: Path, *options: str | Path) -> Iterator[Served]:
    """The service of an index; its keys and its log lie in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    keys = folder / "keys.txt"
    keys.write_text(f"# two of them\nreader read {READ}\nwriter write {WRITE}\n")
    command = [sys.executable, "-m", "cli", "serve", "--index", index, "--api-keys", keys]
    log = folder / "log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*map(str, command), *map(str, options)],
            cwd=folder,
            env=clean_environment(PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1"),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    try:
        lines = (line for line in process.stdout if line.startswith("serving "))
        address = next(lines, "").removeprefix("serving ").strip()
        assert address, log.read_text()
        with httpx.Client(transport=httpx.HTTPTransport(retries=3), timeout=60) as client:
            client.get(address + "/health").raise_for_status()
        yield Served(address, process, log)
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()
