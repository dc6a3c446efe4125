"""Names that the emulator cannot hold, from a service that can."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

from storage.errors import BlobUnreadable
from storage.open_source import SourceOptions, open_source
from storage.source import Source

CONTENT = b"content"


class Service(ThreadingHTTPServer):
    """A container that lists these names, and serves a blob of any name.

    Attributes:
        names: written as they are, or in the service's encoding where XML cannot hold them.
        asked: paths of the blobs that were read.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.names: list[str] = []
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if "comp=list" in parts.query:
            rows = "".join(_row(name) for name in self.server.names)
            body = (
                '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="photos">'
                f"<Blobs>{rows}</Blobs><NextMarker/></EnumerationResults>"
            )
            self._answer(200, body.encode(), "application/xml")
        else:
            self.server.asked.append(unquote(parts.path).removeprefix("/acme/photos/"))
            self._answer(206, CONTENT, "image/jpeg")

    def do_HEAD(self) -> None:
        self._answer(200, CONTENT, "image/jpeg")

    def _answer(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Range", f"bytes 0-{len(body) - 1}/{len(body)}")
        self.send_header("ETag", '"0x1"')
        self.send_header("Last-Modified", "Fri, 01 Mar 2024 12:00:00 GMT")
        self.send_header("x-ms-blob-type", "BlockBlob")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""


def _row(name: str) -> str:
    # XML 1.0 has no control characters and no U+FFFE: the service writes such names encoded.
    is_odd = any(ord(letter) < 32 or letter in "\ufffe\uffff" for letter in name)
    tag = f'<Name Encoded="true">{quote(name)}</Name>' if is_odd else f"<Name>{escape(name)}</Name>"
    return (
        f"<Blob>{tag}<Properties><Last-Modified>Fri, 01 Mar 2024 12:00:00 GMT</Last-Modified>"
        f"<Etag>0x1</Etag><Content-Length>{len(CONTENT)}</Content-Length>"
        "<BlobType>BlockBlob</BlobType></Properties></Blob>"
    )


@pytest.fixture
def service() -> Iterator[Service]:
    server = Service()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def source(service: Service) -> Iterator[Source]:
    url = f"http://127.0.0.1:{service.server_address[1]}/acme/photos?sv=2024-11-04&sig=any"
    opened = open_source(url, SourceOptions(max_requests_per_second=1000))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "name",
    ["bell\x07/a.jpg", "line\nbreak\r/a.jpg", "\ufffe.jpg", "tab\t.jpg", "back\\slash.jpg"],
)
def test_names_that_xml_cannot_hold_are_listed_and_read(service, source, name):
    service.names = [name]
    (blob,) = source.list()
    assert blob.uri == f"az://acme/photos/{name}"
    assert source.read(blob) == CONTENT
    assert service.asked == [name]
    assert source.stat(blob.uri).uri == blob.uri


@pytest.mark.parametrize("name", ["a/../b.jpg", "./a.jpg", "../a.jpg", "a/./b.jpg"])
def test_a_name_that_would_be_read_as_another_is_refused(service, source, name):
    service.names = [name, "b.jpg", "a.jpg"]
    blob = next(source.list())
    assert blob.uri == f"az://acme/photos/{name}"
    assert "rename it" in blob.refusal
    with pytest.raises(BlobUnreadable, match="rename it"):
        source.read(blob)
    assert service.asked == []


@pytest.mark.parametrize("name", ["a../b.jpg", "..a/b.jpg", "a/.../b.jpg", ".hidden/.a.jpg"])
def test_dots_that_mean_nothing_are_read(service, source, name):
    service.names = [name]
    (blob,) = source.list()
    assert source.read(blob) == CONTENT
    assert service.asked == [name]
