"""Reading from and writing to a client that may be slow on purpose: every wait has an end, every message a size.

A socket's own time-out starts anew with each byte, so a client that sends one byte a second would hold its thread for
hours. Here the time-out is what is left until a point in time.
"""

from __future__ import annotations

import io
import socket
from typing import TYPE_CHECKING

from closewatch.core.deadline import Deadline

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_PART = 64 * 1024


class TooLargeError(Exception):
    """The client sent more than a request may have."""


class Reader(io.RawIOBase):
    """The client's bytes. `expect` is called before each request: it sets the time and the size that are allowed."""

    def __init__(self, sock: socket.socket, most: int) -> None:
        self._socket = sock
        self._most = most
        self._left = most
        self._idle = self._head = 0.0
        self._deadline = Deadline.after(0)
        self.waiting = True

    def expect(self, idle: float, head: float) -> None:
        """A request may begin within `idle` seconds; once it has begun it must be complete within `head`."""
        self._left, self._head = self._most, head
        self._deadline = Deadline.after(idle)
        self.waiting = True

    def begin(self) -> None:
        """The request has begun: from now on its own time counts."""
        if self.waiting:
            self.waiting = False
            self._deadline = Deadline.after(self._head)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Some bytes, 0 at the end. Raises TimeoutError or TooLargeError."""
        if (left := self._deadline.left()) <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        count = self._socket.recv_into(buffer)
        self.begin()
        self._left -= count
        if self._left < 0:
            raise TooLargeError
        return count


def send(sock: socket.socket, data: bytes, deadline: Deadline) -> None:
    """All of the data, until the deadline. Raises OSError (TimeoutError among them)."""
    view = memoryview(data)
    while view:
        if (left := deadline.left()) <= 0:
            raise TimeoutError
        sock.settimeout(left)
        view = view[sock.send(view[:_PART]) :]


def linger(sock: socket.socket, deadline: Deadline) -> None:
    """Close the sending side and read on for a moment: bytes that nobody read would make the kernel drop our answer."""
    try:
        socket.socket.shutdown(sock, socket.SHUT_WR)
        most = _PART
        while most > 0 and (left := deadline.left()) > 0:
            sock.settimeout(left)
            if not (part := sock.recv(min(most, _PART))):
                return
            most -= len(part)
    except OSError:
        return


def wake(sock: socket.socket) -> None:
    """End a connection that another thread waits on. Not by SSLSocket's own shutdown, which isn't safe for that."""
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        return
