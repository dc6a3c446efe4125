"""The emulator with what it lacks: soft delete, or versions, spoken as the blob service speaks it.

In front of Azurite, on a real connection: what is deleted is kept here, and the requests that ask
for it (undelete, listings of deleted blobs and versions, copies of a version) are answered here.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from azure.storage.blob import BlobClient, BlobServiceClient


class HistoryProxy(ThreadingHTTPServer):
    """An account with soft delete, or else with versions.

    Attributes:
        trash: path to the deleted content, headers, metadata and tags.
        seen: method and path of each request.
    """

    daemon_threads = True

    def __init__(self, connection_string: str, *, has_versions: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service = BlobServiceClient.from_connection_string(connection_string)
        self.target_port = int(self.service.url.split(":")[2].split("/")[0])
        self.has_versions = has_versions
        self.trash: dict[str, tuple[bytes, object, dict[str, str], dict[str, str]]] = {}
        self.seen: list[tuple[str, str]] = []

    def client(self, path: str) -> BlobClient:
        """The blob itself, past this proxy."""
        _, _, container, name = unquote(path).split("/", 3)
        return self.service.get_blob_client(container, name)

    def bring_back(self, path: str) -> None:
        """From the trash; a version is copied without its tags."""
        content, headers, metadata, tags = self.trash[path]
        self.client(path).upload_blob(
            content,
            overwrite=True,
            content_settings=headers,
            metadata=metadata,
            tags={} if self.has_versions else tags,
        )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HistoryProxy

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        self.server.seen.append((self.command, self.path))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        source = self.headers.get("x-ms-copy-source", "")
        trash = self.server.trash
        if query.get("comp") == ["batch"]:
            # So that deletions come one by one; the batch has tests of its own.
            self._answer(400, code="InvalidInput")
        elif query.get("comp") == ["undelete"]:
            path = unquote(parts.path)
            is_there = path in trash and not self.server.has_versions
            if is_there:
                self.server.bring_back(path)
                del trash[path]
            self._answer(*((200, "") if is_there else (404, "BlobNotFound")))
        elif query.get("comp") == ["list"] and "versions" in query.get("include", [""])[0]:
            self._list(parts.path, query["prefix"][0])
        elif "versionid=" in source:
            self.server.bring_back(unquote(parts.path))
            self._answer(202, extra={"x-ms-copy-status": "success", "x-ms-copy-id": "1"})
        elif "versionid" in query:
            self._answer(202)
        else:
            self._forward(parts.path, body)

    def _forward(self, path: str, body: bytes) -> None:
        kept = None
        if self.command == "DELETE":
            client = self.server.client(path)
            if client.exists():
                properties = client.get_blob_properties()
                kept = (
                    client.download_blob().readall(),
                    properties.content_settings,
                    dict(properties.metadata),
                    dict(client.get_blob_tags()),
                )
        target = http.client.HTTPConnection("127.0.0.1", self.server.target_port)
        target.request(self.command, self.path, body, dict(self.headers))
        answer = target.getresponse()
        content = answer.read()
        target.close()
        if kept is not None and answer.status == 202:
            self.server.trash[unquote(path)] = kept
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection", "date"):
                self.send_header(name, value)
        if self.server.has_versions and self.command == "HEAD" and answer.status == 200:
            self.send_header("x-ms-version-id", "2020-01-01T00:00:00.0000000Z")
        length = len(content) if self.command != "HEAD" else answer.headers["Content-Length"]
        self.send_header("Content-Length", str(length or 0))
        self.end_headers()
        self.wfile.write(content)

    def _list(self, container: str, prefix: str) -> None:
        mark = "<VersionId>2020-01-01T00:00:00.0000000Z</VersionId>"
        mark = mark if self.server.has_versions else "<Deleted>true</Deleted>"
        properties = "<Properties><BlobType>BlockBlob</BlobType></Properties>"
        rows = "".join(
            f"<Blob><Name>{escape(name)}</Name>{mark}{properties}</Blob>"
            for name in (path.split("/", 3)[3] for path in self.server.trash)
            if name.startswith(prefix)
        )
        text = (
            '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="'
            f'{container}"><Blobs>{rows}</Blobs><NextMarker/></EnumerationResults>'
        )
        self._answer(200, body=text.encode(), extra={"Content-Type": "application/xml"})

    def _answer(
        self, status: int, code: str = "", body: bytes = b"", extra: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        headers = {"Content-Length": str(len(body)), "ETag": '"0x1"', **(extra or {})}
        if code:
            headers["x-ms-error-code"] = code
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextmanager
def history_proxy(connection_string: str, *, has_versions: bool) -> Iterator[HistoryProxy]:
    """Running in a thread until the end of the block."""
    server = HistoryProxy(connection_string, has_versions=has_versions)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
