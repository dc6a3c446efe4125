"""The socket, and the server on it."""

from __future__ import annotations

import socket

import uvicorn

from cli.service.app import make_app
from cli.service.service import Service
from storage.errors import UsageError

_LONGEST_HEADERS = 32 * 1024
_MOST_CONNECTIONS = 512


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises:
        UsageError: it cannot.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Not `socket.create_server`: asyncio sets TCP_NODELAY only where the protocol is named, and
    # without it every answer on a kept connection waits 40 ms for an acknowledgement.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(256)
        return listening
    except OSError as error:
        listening.close()
        raise UsageError(
            f"Port {port} of {host} cannot be listened on ({error.strerror or error}).",
            "Name others with --host and --port.",
        ) from error


def serve_forever(service: Service, listening: socket.socket) -> None:
    """Answer until SIGINT or SIGTERM; requests under way are finished first."""
    config = uvicorn.Config(
        make_app(service),
        http="h11",
        ws="none",
        h11_max_incomplete_event_size=_LONGEST_HEADERS,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=15,
        # What a proxy claims is looked at by nobody here.
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_level="warning",
    )
    uvicorn.Server(config).run(sockets=[listening])
