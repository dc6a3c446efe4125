"""Messages of a few buffers each between this process and a decoding one.

`multiprocessing.Connection` copies what it receives together from pieces as small as the system
passes them on, and wakes both sides for each. Pixels and previews are two hundred kilobytes an
image: that took several times as long as handing them over whole.
"""

from __future__ import annotations

import select
import socket
import struct
from contextlib import suppress

_COUNT = struct.Struct("!I")
_SIZE = "Q"
# So that the usual answer fits and its sender need not wait; the system may allow less.
_BUFFERED = 2**20


class Messages:
    """One end of a connection; belongs to one thread. Pickled only while a process starts.

    Args:
        end: of a pair of stream sockets.
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket = end

    @staticmethod
    def pair() -> tuple[Messages, Messages]:
        """Both ends of a new connection."""
        ends = socket.socketpair()
        for end in ends:
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFERED)
        return Messages(ends[0]), Messages(ends[1])

    def send(self, *parts: bytes | memoryview) -> None:
        """Sends one message.

        Raises:
            OSError: there is no one at the other end.
        """
        sizes = struct.pack(f"!{len(parts)}{_SIZE}", *(len(part) for part in parts))
        self._socket.sendall(_COUNT.pack(len(parts)) + sizes)
        for part in parts:
            self._socket.sendall(part)

    def receive(self) -> list[memoryview]:
        """The parts of the next message, read-only. Waits for it.

        Raises:
            EOFError: the other end was closed.
            OSError: the connection broke.
        """
        (count,) = _COUNT.unpack(self._read(_COUNT.size))
        sizes = struct.Struct(f"!{count}{_SIZE}")
        return [self._read(size) for size in sizes.unpack(self._read(sizes.size))]

    def is_waiting(self, seconds: float) -> bool:
        """Whether a message, or the end, comes in that time."""
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        return bool(waiting.poll(1000 * seconds))

    def close(self) -> None:
        """Ends the connection: the other end sees it once it has read all that was sent."""
        self._socket.close()

    def _read(self, size: int) -> memoryview:
        place = memoryview(bytearray(size))
        filled = 0
        while filled < size:
            received = self._socket.recv_into(place[filled:], 0, socket.MSG_WAITALL)
            if not received:
                raise EOFError("the connection was closed")
            filled += received
        return place.toreadonly()
