"""A change feed as a storage account keeps it, made by hand and served over HTTP.

The layout and the Avro files are those of $blobchangefeed (Microsoft: "Change feed support in
Azure Blob Storage"): a segment an hour, in shards, in chunks that grow by appended blocks.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

_SYNC = b"0123456789abcdef"
_SCHEMA = {
    "type": "record",
    "name": "BlobChangeEvent",
    "fields": [
        {"name": "topic", "type": "string"},
        {"name": "subject", "type": "string"},
        {"name": "eventType", "type": "string"},
        {"name": "eventTime", "type": "string"},
        {"name": "id", "type": "string"},
        {
            "name": "data",
            "type": {
                "type": "record",
                "name": "EventData",
                "fields": [
                    {"name": "etag", "type": "string"},
                    {"name": "contentLength", "type": "long"},
                    {"name": "url", "type": "string"},
                ],
            },
        },
    ],
}


class FeedServer(ThreadingHTTPServer):
    """An account with a change feed, at `http://127.0.0.1:PORT/acme`.

    Attributes:
        files: path in $blobchangefeed to content; None when the account keeps no feed.
        refusal: a status that every request gets; 0 for none.
        downloads: paths of chunks that were read.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] | None = {}
        self.refusal = 0
        self.downloads: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/acme"

    def add(
        self, hour: str, names: Sequence[str], shard: int = 0, at: str = "18:30:00.0000000Z"
    ) -> None:
        """Events of these blobs of the container photos, in an hour as `2024/05/01/1800`, and at
        a time of that day.

        What there is already of that hour and shard grows by a block.
        """
        assert self.files is not None
        log = f"log/{shard:02}/{hour}/"
        segment = f"idx/segments/{hour}/meta.json"
        known = json.loads(self.files.get(segment, b'{"chunkFilePaths": []}'))
        path = f"$blobchangefeed/{log}"
        if path not in known["chunkFilePaths"]:
            known["chunkFilePaths"].append(path)
        self.files[segment] = json.dumps({**known, "version": 0, "status": "Finalized"}).encode()
        chunk = f"{log}00000.avro"
        self.files[chunk] = self.files.get(chunk, _header()) + _block(names, at)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FeedServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        path = unquote(parts.path).removeprefix("/acme/$blobchangefeed").lstrip("/")
        files = self.server.files
        if self.server.refusal:
            self._answer(self.server.refusal)
        elif files is None:
            self._answer(404, extra={"x-ms-error-code": "ContainerNotFound"})
        elif query.get("comp") == ["list"]:
            self._answer(200, _listing(files, query.get("prefix", [""])[0]))
        elif query.get("restype") == ["container"]:
            self._answer(200)
        elif path not in files:
            self._answer(404, extra={"x-ms-error-code": "BlobNotFound"})
        else:
            self._blob(path, files[path])

    do_HEAD = do_GET  # noqa: N815

    def _blob(self, path: str, content: bytes) -> None:
        wanted = self.headers.get("x-ms-range") or self.headers.get("Range")
        extra = {"x-ms-blob-type": "AppendBlob"}
        if not wanted:
            self._answer(200, content, extra)
            return
        if self.command == "GET" and path.startswith("log/"):
            self.server.downloads.append(path)
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        part = content[int(first) : int(last) + 1 if last else None]
        end = int(first) + len(part) - 1
        self._answer(206, part, {**extra, "Content-Range": f"bytes {first}-{end}/{len(content)}"})

    def _answer(self, status: int, body: bytes = b"", extra: dict[str, str] | None = None) -> None:
        self.send_response(status)
        headers = {
            "Content-Length": str(len(body)),
            "ETag": '"0x1"',
            "Last-Modified": "Fri, 01 Mar 2024 12:00:00 GMT",
            "Content-Type": "application/xml" if body.startswith(b"<?xml") else "avro/binary",
        }
        for name, value in {**headers, **(extra or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""


@contextmanager
def feed_server() -> Iterator[FeedServer]:
    """Running in a thread until the end of the block."""
    server = FeedServer()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def _listing(files: dict[str, bytes], prefix: str) -> bytes:
    rows = "".join(
        f"<Blob><Name>{path}</Name><Properties><Content-Length>{len(files[path])}</Content-Length>"
        "<BlobType>AppendBlob</BlobType></Properties></Blob>"
        for path in sorted(files)
        if path.startswith(prefix)
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><EnumerationResults '
        f'ContainerName="$blobchangefeed"><Blobs>{rows}</Blobs><NextMarker/></EnumerationResults>'
    ).encode()


def _header() -> bytes:
    metadata = {"avro.schema": json.dumps(_SCHEMA).encode(), "avro.codec": b"null"}
    out = io.BytesIO()
    out.write(b"Obj\x01" + _long(len(metadata)))
    for key, value in metadata.items():
        out.write(_bytes(key.encode()) + _bytes(value))
    out.write(_long(0) + _SYNC)
    return out.getvalue()


def _block(names: Sequence[str], at: str) -> bytes:
    rows = b"".join(_event(name, at) for name in names)
    return _long(len(names)) + _long(len(rows)) + rows + _SYNC


def _event(name: str, at: str) -> bytes:
    texts = (
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/acme",
        f"/blobServices/default/containers/photos/blobs/{name}",
        "BlobCreated",
        f"2024-05-01T{at}",
        f"id of {name}",
        "0x8D4BCC2E4835CD0",
    )
    url = f"https://acme.blob.core.windows.net/photos/{name}"
    return b"".join(_bytes(text.encode()) for text in texts) + _long(7) + _bytes(url.encode())


def _long(number: int) -> bytes:
    """Avro's zig-zag varint."""
    rest = (number << 1) ^ (number >> 63)
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def _bytes(value: bytes) -> bytes:
    return _long(len(value)) + value
