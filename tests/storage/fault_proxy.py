"""An HTTP proxy in front of the emulator that fails on purpose, on a real connection."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Refuse:
    """Answer with a status instead of asking the emulator."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CutAfter:
    """Send that many bytes of the body, then close; with a reset when asked."""

    size: int
    is_reset: bool = False


@dataclass(frozen=True)
class Trickle:
    """Send the body one byte at a time, that many seconds apart."""

    seconds: float


@dataclass(frozen=True)
class StallAfter:
    """Send that many bytes of the body, then nothing until the proxy stops."""

    size: int


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    at: float
    method: str
    path: str
    range: str


class FaultProxy(ThreadingHTTPServer):
    """Forwards to a port of this machine; the next requests meet `faults`, in order."""

    daemon_threads = True

    def __init__(self, target_port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target_port = target_port
        self.faults: deque[Refuse | CutAfter | Trickle | StallAfter] = deque()
        self.seen: list[Seen] = []
        self.stopping = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultProxy

    def _forward(self) -> None:
        server = self.server
        server.seen.append(
            Seen(
                time.monotonic(),
                self.command,
                self.path,
                self.headers.get("x-ms-range") or self.headers.get("Range", ""),
            )
        )
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = server.faults.popleft() if server.faults else None
        if isinstance(fault, Refuse):
            self.send_response(fault.status)
            for name, value in {"Content-Length": "0", **fault.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            return
        target = http.client.HTTPConnection("127.0.0.1", server.target_port)
        target.request(self.command, self.path, body, dict(self.headers))
        answer = target.getresponse()
        content = answer.read()
        target.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection", "date"):
                self.send_header(name, value)
        length = len(content) if self.command != "HEAD" else answer.headers["Content-Length"]
        self.send_header("Content-Length", str(length or 0))
        self.end_headers()
        self._send(content, fault)

    def _send(self, content: bytes, fault: Refuse | CutAfter | Trickle | StallAfter | None) -> None:
        match fault:
            case CutAfter(size, is_reset):
                self.wfile.write(content[:size])
                self.wfile.flush()
                if is_reset:
                    # Closing with no time to linger sends a reset.
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.close_connection = True
            case StallAfter(size):
                self.wfile.write(content[:size])
                self.wfile.flush()
                self.server.stopping.wait(30)
                self.close_connection = True
            case Trickle(seconds):
                for position in range(len(content)):
                    if self.server.stopping.wait(seconds):
                        break
                    self.wfile.write(content[position : position + 1])
                    self.wfile.flush()
            case _:
                self.wfile.write(content)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _forward  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""


@contextmanager
def fault_proxy(target_port: int) -> Iterator[FaultProxy]:
    """A proxy that runs inside the block."""
    proxy = FaultProxy(target_port)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.stopping.set()
        proxy.shutdown()
        proxy.server_close()
        thread.join()
