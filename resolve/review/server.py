"""The page, served to this machine's own browser and to nobody else.

Other programs and pages on the machine are kept out in three ways: the server listens on loopback;
every address begins with a secret, which is nowhere but in the line that is printed; and requests
that name another host (DNS rebinding) or come from another origin are refused before they are read.
Responses forbid the page everything but its own files: nothing is asked of the network.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, urlsplit

from resolve.page.groups_file import Order
from resolve.review.session import ReviewSession, View
from storage.errors import DedupError
from verify.verdict import Relation

LOOPBACK = "127.0.0.1"
_MOST_BYTES = 4096
_IDLE_SECONDS = 60
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TYPES = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}
ASSETS = {
    "": "review.html",
    "icon.svg": "icon.svg",
    "page.css": "page.css",
    "review.css": "review.css",
    "dom.js": "dom.js",
    "pair.js": "pair.js",
    "card.js": "card.js",
    "review.js": "review.js",
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class ReviewServer(ThreadingHTTPServer):
    """Serves one review until it is shut down.

    Attributes:
        token: what every address begins with.
        url: to open in a browser.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, session: ReviewSession, port: int = 0) -> None:
        self.session = session
        self.token = secrets.token_urlsafe(24)
        super().__init__((LOOPBACK, port), _Handler)
        self.hosts = frozenset(f"{name}:{self.server_port}" for name in (LOOPBACK, "localhost"))

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{LOOPBACK}:{self.server_port}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle is no error; anything else is a bug."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Refused(Exception):
    """Answered with a status and nothing that was asked for."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: ReviewServer
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    # Does not tell what it is.
    server_version = "dedup"
    sys_version = ""

    def do_GET(self) -> None:
        """A file of the page, a page of groups, or a preview."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """A decision, or taking one back."""
        self._answer(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: addresses hold the secret."""

    def _answer(self, method: Any) -> None:
        try:
            path, query = self._checked()
            method(path, query)
        except _Refused as refused:
            # What was not read must not be taken for the next request.
            self.close_connection = True
            self._send(refused.status, "text/plain", str(refused).encode())
        except DedupError as error:
            self._json({"error": error.message, "remedy": error.remedy}, HTTPStatus.CONFLICT)

    def _checked(self) -> tuple[str, dict[str, str]]:
        """Path below the secret, and query, of a request that may be answered."""
        if self.headers.get_all("Host", []) not in [[host] for host in self.server.hosts]:
            raise _Refused(HTTPStatus.MISDIRECTED_REQUEST, "not for this host")
        origin = self.headers.get("Origin")
        if origin is not None and origin not in {f"http://{host}" for host in self.server.hosts}:
            raise _Refused(HTTPStatus.FORBIDDEN, "not from another origin")
        if self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            raise _Refused(HTTPStatus.FORBIDDEN, "not from another site")
        address = urlsplit(self.path)
        token, separator, path = address.path.removeprefix("/").partition("/")
        if not separator or not hmac.compare_digest(token.encode(), self.server.token.encode()):
            raise _Refused(HTTPStatus.NOT_FOUND, "open the address that dedup review printed")
        return path, {name: values[-1] for name, values in parse_qs(address.query).items()}

    def _get(self, path: str, query: dict[str, str]) -> None:
        if path in ASSETS:
            name = ASSETS[path]
            content = (files("resolve.page") / "assets" / name).read_bytes()
            self._send(HTTPStatus.OK, f"{_TYPES[name.rpartition('.')[2]]}; charset=utf-8", content)
        elif path == "groups":
            view, first, count = _view(query)
            self._json(self.server.session.page(view, first, count, query.get("group", "")))
        elif path.startswith("preview/") and _DIGEST.fullmatch(path.removeprefix("preview/")):
            preview = self.server.session.preview(path.removeprefix("preview/"))
            if preview is None:
                raise _Refused(HTTPStatus.NOT_FOUND, "this image has left the index")
            self._send(HTTPStatus.OK, "image/jpeg", preview, cache="private, max-age=3600")
        else:
            raise _Refused(HTTPStatus.NOT_FOUND, "nothing here")

    def _post(self, path: str, query: dict[str, str]) -> None:
        if self.headers.get("Origin") is None:
            raise _Refused(HTTPStatus.FORBIDDEN, "only from the page itself")
        body = self._body()
        if path == "decide":
            texts = [body.get(name, "") for name in ("group", "action", "digest")]
            if not all(isinstance(text, str) for text in texts):
                raise _Refused(HTTPStatus.BAD_REQUEST, "texts are expected")
            self._json(self.server.session.decide(*texts))
        elif path == "undo":
            self._json({"group": self.server.session.undo()})
        else:
            raise _Refused(HTTPStatus.NOT_FOUND, "nothing here")

    def _body(self) -> dict[str, Any]:
        # A page elsewhere cannot send this type without being asked about it first.
        if self.headers.get_content_type() != "application/json":
            raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "JSON is expected")
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or "Transfer-Encoding" in self.headers:
            raise _Refused(HTTPStatus.LENGTH_REQUIRED, "a length is expected")
        if int(length) > _MOST_BYTES:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too long")
        try:
            body = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError) as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, "no JSON") from error
        if not isinstance(body, dict):
            raise _Refused(HTTPStatus.BAD_REQUEST, "an object is expected")
        return body

    def _json(self, value: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(status, "application/json", json.dumps(value).encode())

    def _send(
        self, status: HTTPStatus, content_type: str, content: bytes, cache: str = "no-store"
    ) -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Cache-Control", cache)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _view(query: dict[str, str]) -> tuple[View, int, int]:
    relation = query.get("relation", "")
    try:
        view = View(
            order=Order(query.get("order", Order.UNCERTAIN)),
            relation=Relation(relation) if relation else None,
            folder=query.get("folder", ""),
            is_undecided=query.get("undecided", "") == "1",
        )
        return view, int(query.get("first", "0")), int(query.get("count", "1"))
    except ValueError as error:
        raise _Refused(HTTPStatus.BAD_REQUEST, "no such view") from error
