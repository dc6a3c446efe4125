"""The account over HTTP: as much of the Blob service's protocol as it takes to list and to read.

    List Blobs       prefix, marker, maxresults; pages in the order of names
    Get Blob         whole or a range (206), If-Match
    Get Properties   the same without the body

On a real connection, so that what is exercised is the real source with the SDK, its sockets, its
retries and its deadlines.
"""

from __future__ import annotations

import base64
import re
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

from benchmarks.fault_store.account import Account, Stored
from benchmarks.fault_store.arrivals import Arrivals
from benchmarks.fault_store.faults import NO_FAULTS, Fault, FaultPlan, FaultRates, Meeting

_PAGE = 5000
_RETRY_AFTER_SECONDS = 1
_LOOK_SECONDS = 0.1
_NOT_IN_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Closing with no time to linger sends a reset.
_RESET = struct.pack("ii", 1, 0)


class FaultServer(ThreadingHTTPServer):
    """Serves an account on a free port of this machine.

    Args:
        account: what it holds.
        rates: of the faults.
        seed: which requests meet them.
        changed: the content that a blob is replaced with, from its name and what it was.

    Attributes:
        arrivals: when requests came.
        plan: the faults, and how often each was met.
    """

    daemon_threads = True

    def __init__(
        self,
        account: Account,
        rates: FaultRates = NO_FAULTS,
        seed: int = 0,
        changed: Callable[[str, bytes], bytes] = lambda name, content: content[::-1],
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.account = account
        self.plan = FaultPlan(rates, seed)
        self.changed = changed
        self.arrivals = Arrivals()
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        """The container's address, with a SAS that it believes."""
        return self.url_of(self.account.container)

    def url_of(self, container: str) -> str:
        """The same of any container; only one is there."""
        port = self.server_address[1]
        return f"http://127.0.0.1:{port}/{self.account.name}/{container}?sv=2024-11-04&sig=any"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up, or are killed, are what this is about."""


@contextmanager
def serving(server: FaultServer) -> Iterator[FaultServer]:
    """Running in a thread until the end of the block."""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are two packets; the second must not wait for the first one's receipt.
    disable_nagle_algorithm = True
    server: FaultServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        is_list = query.get("comp") == ["list"]
        self.server.arrivals.note(is_list=is_list, is_head=self.command == "HEAD")
        _, _, container, *rest = unquote(parts.path).split("/", 3)
        name = rest[0] if rest else ""
        thing = f"list {query.get('marker', [''])[0]}" if is_list else f"{self.command} {name}"
        meeting = self.server.plan.next(thing, has_content=self.command == "GET" and not is_list)
        if self._is_refused(meeting):
            return
        if container != self.server.account.container:
            self._answer(404, code="ContainerNotFound")
        elif is_list:
            self._list(query, meeting)
        else:
            self._blob(name, meeting)

    do_HEAD = do_GET  # noqa: N815

    def _is_refused(self, meeting: Meeting) -> bool:
        """Whether the fault leaves nothing of the answer."""
        match meeting.fault:
            case Fault.UNAVAILABLE:
                wait = {"Retry-After": str(_RETRY_AFTER_SECONDS)}
                self._answer(503, code="ServerBusy", extra=wait)
                return True
            case Fault.TOO_MANY:
                self._answer(429, code="TooManyRequests")
                return True
            case Fault.RESET if meeting.at < 0.5:
                self._reset()
                return True
            case Fault.STALL if meeting.at < 0.5:
                self._stall()
                return True
        return False

    def _list(self, query: dict[str, list[str]], meeting: Meeting) -> None:
        account = self.server.account
        size = min(int(query.get("maxresults", [str(_PAGE)])[0]), _PAGE)
        try:
            first = base64.b64decode(query.get("marker", [""])[0], validate=True).decode()
        except ValueError:
            self._answer(400, code="OutOfRangeInput")
            return
        page, following = account.page(query.get("prefix", [""])[0], first, size)
        marker = base64.b64encode(following.encode()).decode()
        rows = "".join(_row(name, stored) for name, stored in page)
        body = (
            '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="http://x/" '
            f'ContainerName="{account.container}"><Blobs>{rows}</Blobs>'
            f"<NextMarker>{marker}</NextMarker></EnumerationResults>"
        ).encode()
        self._answer(200, body, extra={"Content-Type": "application/xml"}, meeting=meeting)

    def _blob(self, name: str, meeting: Meeting) -> None:
        account = self.server.account
        stored = account.get(name)
        if stored is None:
            self._answer(404, code="BlobNotFound")
            return
        condition = self.headers.get("If-Match", "").strip('"')
        if condition and condition != stored.etag:
            self._answer(412, code="ConditionNotMet")
            return
        extra = _properties(stored)
        content, status = stored.content, 200
        wanted = self.headers.get("x-ms-range") or self.headers.get("Range")
        if wanted and self.command == "GET":
            begin, _, end = wanted.removeprefix("bytes=").partition("-")
            content = content[int(begin) : int(end) + 1 if end else None]
            if not content:
                self._answer(416, code="InvalidRange")
                return
            last = int(begin) + len(content) - 1
            extra["Content-Range"] = f"bytes {begin}-{last}/{len(stored.content)}"
            status = 206
        if meeting.fault is Fault.CHANGED:
            account.replace(name, stored, self.server.changed(name, stored.content))
        self._answer(status, content, extra=extra, meeting=meeting)

    def _answer(
        self,
        status: int,
        body: bytes = b"",
        *,
        code: str = "",
        extra: dict[str, str] | None = None,
        meeting: Meeting | None = None,
    ) -> None:
        self.send_response(status)
        headers = {"Content-Length": str(len(body)), **(extra or {})}
        if code:
            headers["x-ms-error-code"] = code
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if meeting is None or meeting.fault is None or not body:
            self.wfile.write(body)
            return
        self.wfile.write(body[: int(len(body) * meeting.at)])
        match meeting.fault:
            case Fault.RESET:
                self._reset()
            case Fault.STALL:
                self._stall()
            case _:
                self.close_connection = True

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        # A reset is not sent while another copy of the socket is open.
        self.rfile.close()
        self.connection.close()
        self.close_connection = True

    def _stall(self) -> None:
        """Until the client has had enough."""
        self.close_connection = True
        while not self.server.stopping.is_set():
            if select.select([self.connection], [], [], _LOOK_SECONDS)[0]:
                return

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""


def _properties(stored: Stored) -> dict[str, str]:
    found = {
        "Content-Type": "image/jpeg",
        "ETag": f'"{stored.etag}"',
        "Last-Modified": formatdate(stored.modified, usegmt=True),
        "x-ms-blob-type": "BlockBlob",
    }
    if stored.content_md5:
        found["Content-MD5"] = base64.b64encode(stored.content_md5).decode()
    return found


def _row(name: str, stored: Stored) -> str:
    # XML cannot hold every character that a name can.
    is_encoded = _NOT_IN_XML.search(name) is not None
    tag = '<Name Encoded="true">' if is_encoded else "<Name>"
    text = quote(name) if is_encoded else escape(name)
    md5 = base64.b64encode(stored.content_md5).decode() if stored.content_md5 else ""
    return (
        f"<Blob>{tag}{text}</Name><Properties>"
        f"<Last-Modified>{formatdate(stored.modified, usegmt=True)}</Last-Modified>"
        f"<Etag>{stored.etag}</Etag><Content-Length>{len(stored.content)}</Content-Length>"
        f"<Content-Type>image/jpeg</Content-Type><Content-MD5>{md5}</Content-MD5>"
        "<BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier>"
        "<LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState></Properties>"
        "<Metadata /></Blob>"
    )
