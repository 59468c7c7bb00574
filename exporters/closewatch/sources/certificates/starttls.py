"""What comes before TLS where a server begins in clear text: PostgreSQL, SMTP, IMAP. And the wire to speak it over.

Everything is bounded: in time by one deadline, in bytes by what such a greeting can have.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources.address import Address
from closewatch.sources.certificates.words import Fault, Unreadable
from closewatch.sources.resolve import resolve

MAX_BYTES = 512 * 1024
"""All that a server may send: OpenSSL takes 100 KiB of certificates."""
MAX_LINES, MAX_LINE = 100, 4096
MAX_ADDRESSES = 4
_SSL_REQUEST = bytes.fromhex("0000000804d2162f")


class Wire:
    """A connection whose every read and write ends by the deadline. Close it."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._socket = connection
        self._deadline = deadline
        self._received = 0
        self._held = b""

    @classmethod
    def open(cls, address: Address, deadline: Deadline) -> Wire:
        """Connected to the first of the host's addresses that answers. Raises Unreadable."""
        try:
            hosts = resolve(address.host, deadline)[:MAX_ADDRESSES]
        except Unavailable as failure:
            raise Unreadable(failure.reason) from None
        why = Reason.UNREACHABLE
        for left, host in zip(range(len(hosts), 0, -1), hosts, strict=True):
            try:
                within = _left(deadline) / left
                return cls(socket.create_connection((host, address.port), timeout=within), deadline)
            except ConnectionRefusedError:
                why = Reason.REFUSED
            except TimeoutError:
                why = Reason.TIMEOUT
            except OSError:
                why = Reason.UNREACHABLE
        raise Unreadable(why)

    def send(self, data: bytes) -> None:
        """All of it. Raises Unreadable."""
        view = memoryview(data)
        while view:
            self._socket.settimeout(_left(self._deadline))
            try:
                view = view[self._socket.send(view) :]
            except OSError as error:
                raise _broken(error) from None

    def receive(self, most: int = 65_536) -> bytes:
        """Some bytes; none at the end. Raises Unreadable."""
        if self._held:
            data, self._held = self._held[:most], self._held[most:]
            return data
        self._socket.settimeout(_left(self._deadline))
        try:
            data = self._socket.recv(most)
        except OSError as error:
            raise _broken(error) from None
        self._received += len(data)
        if self._received > MAX_BYTES:
            raise Unreadable(Fault.NOT_TLS)
        return data

    def line(self) -> bytes:
        """One line, without its end. Raises Unreadable."""
        while b"\n" not in self._held:
            held, self._held = self._held, b""
            data = self.receive()
            if not data:
                raise Unreadable(Reason.CONNECTION_LOST)
            self._held = held + data
            if len(self._held) > MAX_LINE * MAX_LINES:
                raise Unreadable(Fault.NOT_TLS)
        line, _, self._held = self._held.partition(b"\n")
        if len(line) > MAX_LINE:
            raise Unreadable(Fault.NOT_TLS)
        return line.rstrip(b"\r")

    @property
    def silent(self) -> bool:
        """Whether nothing is left over of what was received."""
        return not self._held

    def close(self) -> None:
        """Let go."""
        self._socket.close()


def _left(deadline: Deadline) -> float:
    left = deadline.left()
    if left <= 0:
        raise Unreadable(Reason.TIMEOUT)
    return left


def _broken(error: OSError) -> Unreadable:
    return Unreadable(Reason.TIMEOUT if isinstance(error, TimeoutError) else Reason.CONNECTION_LOST)


def _postgresql(wire: Wire) -> None:
    wire.send(_SSL_REQUEST)
    answer = wire.receive(1)
    if not answer:
        raise Unreadable(Reason.CONNECTION_LOST)
    if answer != b"S":
        raise Unreadable(Fault.NO_TLS if answer == b"N" else Fault.NOT_TLS)


def _smtp(wire: Wire) -> None:
    _smtp_answer(wire, b"220")
    wire.send(b"EHLO localhost\r\n")
    if not any(line[4:].strip().upper() == b"STARTTLS" for line in _smtp_answer(wire, b"250")):
        raise Unreadable(Fault.NO_TLS)
    wire.send(b"STARTTLS\r\n")
    _smtp_answer(wire, b"220", otherwise=Fault.NO_TLS)


def _smtp_answer(wire: Wire, code: bytes, otherwise: Fault = Fault.NOT_TLS) -> list[bytes]:
    """The lines of an answer: `250-` goes on, `250 ` is the last."""
    lines = []
    for _ in range(MAX_LINES):
        line = wire.line()
        if not line.startswith(code):
            raise Unreadable(otherwise if line[:3].isdigit() else Fault.NOT_TLS)
        lines.append(line)
        if line[3:4] != b"-":
            return lines
    raise Unreadable(Fault.NOT_TLS)


def _imap(wire: Wire) -> None:
    if not wire.line().upper().startswith(b"* OK"):
        raise Unreadable(Fault.NOT_TLS)
    wire.send(b"c1 STARTTLS\r\n")
    for _ in range(MAX_LINES):
        line = wire.line().upper()
        if line.startswith(b"C1 "):
            if line.startswith(b"C1 OK"):
                return
            raise Unreadable(Fault.NO_TLS)
        if not line.startswith(b"* "):
            raise Unreadable(Fault.NOT_TLS)
    raise Unreadable(Fault.NOT_TLS)


def _nothing(wire: Wire) -> None:
    """TLS from the first byte on."""


PRELUDES: Mapping[str, Callable[[Wire], None]] = {
    "tls": _nothing,
    "postgresql": _postgresql,
    "postgresql_direct": _nothing,
    "smtp": _smtp,
    "imap": _imap,
}


def begin(wire: Wire, protocol: str) -> None:
    """Bring the server to where it waits for TLS. Raises Unreadable."""
    PRELUDES[protocol](wire)
    if not wire.silent:
        raise Unreadable(Fault.NOT_TLS)  # clear text after the switch: nobody who is honest sends it
