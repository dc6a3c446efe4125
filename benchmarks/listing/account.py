"""A storage account that makes its names up: lists millions of blobs and holds none.

    python -m benchmarks.listing.account NAMES

It prints the port it listens on, then one line for each request: `list MARKER` or `read NUMBER`.
It speaks as much of the blob service's protocol as the SDK needs to list and to read.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from urllib.parse import parse_qs, unquote, urlsplit

from PIL import Image

ACCOUNT, CONTAINER = "simulated", "photos"
MODIFIED = "Fri, 01 Mar 2024 12:00:00 GMT"
MODIFIED_SECONDS = 1709294400.0
_PAGE = 5000
# As the service writes it: what is parsed is what takes the time.
_ROW = (
    "<Blob><Name>{name}</Name><Properties><Creation-Time>" + MODIFIED + "</Creation-Time>"
    "<Last-Modified>" + MODIFIED + "</Last-Modified><Etag>{etag}</Etag>"
    "<Content-Length>{size}</Content-Length><Content-Type>image/jpeg</Content-Type>"
    "<Content-Encoding /><Content-Language /><Content-MD5 /><Cache-Control />"
    "<Content-Disposition /><BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier>"
    "<AccessTierInferred>true</AccessTierInferred><LeaseStatus>unlocked</LeaseStatus>"
    "<LeaseState>available</LeaseState><ServerEncrypted>true</ServerEncrypted></Properties>"
    "<Metadata /><OrMetadata /></Blob>"
)


def name_of(number: int) -> str:
    """Names sort as their numbers do."""
    return f"{number // 10_000:04}/{number:08}.jpg"


def etag_of(number: int) -> str:
    return f"0x{number:014X}"


def is_gone(number: int) -> bool:
    """In the catalog of the benchmark, and no longer here."""
    return number % 1000 == 3


def is_new(number: int) -> bool:
    """Here, and not yet in the catalog of the benchmark."""
    return number % 1500 == 7


def content_of(number: int) -> bytes:
    """A small picture, with other bytes for each number."""
    return _PICTURE + number.to_bytes(8, "big")


def size_of_content() -> int:
    return len(_PICTURE) + 8


def listed(first: int, names: int) -> Iterator[int]:
    """The numbers that are here, from the first one on."""
    return (number for number in range(first, names) if not is_gone(number))


def _picture() -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((96, 72)).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


_PICTURE = _picture()


class Account(ThreadingHTTPServer):
    """On a free port of this machine."""

    daemon_threads = True

    def __init__(self, names: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.names = names

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that are killed are what this is about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Account

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        if query.get("comp") == ["list"]:
            marker = query.get("marker", ["0"])[0]
            size = int(query.get("maxresults", [str(_PAGE)])[0])
            if size > 1:
                print("list", marker, flush=True)
            self._answer(200, self._page(int(marker), size), {"Content-Type": "application/xml"})
            return
        number = int(unquote(parts.path).rpartition("/")[2].removesuffix(".jpg"))
        print("read", number, flush=True)
        content = content_of(number)
        headers = {
            "Content-Type": "image/jpeg",
            "Content-Range": f"bytes 0-{len(content) - 1}/{len(content)}",
            "ETag": f'"{etag_of(number)}"',
            "Last-Modified": MODIFIED,
            "x-ms-blob-type": "BlockBlob",
        }
        self._answer(206, content, headers)

    def _page(self, first: int, size: int) -> bytes:
        numbers = list(islice(listed(first, self.server.names), size + 1))
        marker = str(numbers[size]) if len(numbers) > size else ""
        length = size_of_content()
        rows = "".join(
            _ROW.format(name=name_of(number), etag=etag_of(number), size=length)
            for number in numbers[:size]
        )
        return (
            '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="http://x/" '
            f'ContainerName="{CONTAINER}"><Blobs>{rows}</Blobs>'
            f"<NextMarker>{marker}</NextMarker></EnumerationResults>"
        ).encode()

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are printed, one line each."""


if __name__ == "__main__":
    account = Account(int(sys.argv[1]))
    print(account.server_address[1], flush=True)
    account.serve_forever()
