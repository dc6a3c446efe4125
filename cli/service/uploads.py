"""Reading what a client sends: so much, in so much time, so many at once."""

from __future__ import annotations

import asyncio

from fastapi import Request
from starlette.requests import ClientDisconnect

from cli.service.errors import Refused

# Memory for bodies is this many times the largest one.
_AT_ONCE = 16


class BodyReader:
    """Reads bodies of requests.

    Args:
        max_bytes: of one.
        seconds: that one may take to arrive.
    """

    def __init__(self, max_bytes: int, seconds: float) -> None:
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def read(self, request: Request) -> bytes:
        """The whole body.

        Raises:
            Refused: too large, too slow, empty, or broken off.
        """
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > self._max_bytes:
            raise self._too_large()
        content = bytearray()
        try:
            async with asyncio.timeout(self._seconds), self._room:
                async for chunk in request.stream():
                    content += chunk
                    if len(content) > self._max_bytes:
                        raise self._too_large()
        except TimeoutError:
            raise Refused(
                408, "The image took too long to arrive.", "Send it faster.", "slow"
            ) from None
        except ClientDisconnect:
            raise Refused(400, "The image did not arrive.", "Send all of it.") from None
        if not content:
            raise Refused(422, "There is no image.", "Send its bytes as the body.")
        return bytes(content)

    def _too_large(self) -> Refused:
        return Refused(
            413,
            f"The image is larger than {self._max_bytes / 2**20:g} MiB.",
            "Send a smaller one.",
            "size",
        )
