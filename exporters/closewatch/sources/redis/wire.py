"""A socket of which every step has a deadline: connecting, the TLS handshake, reading and writing.

redis-py's time-out is for each read, so that a server which sends a byte now and then, or a bulk that never ends,
would hold it for ever. It is given this socket instead, which knows until when the whole exchange may take and how
much it may bring, and raises our own fault, which redis-py lets through.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources.address import Address
from closewatch.sources.resolve import resolve

MAX_BYTES = 2 * 1024 * 1024
"""More than this in one batch is not an answer to what is asked; an INFO of a busy server has 10 KiB."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """How TLS is checked. `verify` full checks the certificate and the host's name, ca the certificate alone."""

    verify: Literal["full", "ca", "none"] = "full"
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Made anew for each connection, so that renewed files are used. Raises Unavailable(tls)."""
        try:
            context = ssl.create_default_context(cafile=str(self.ca) if self.ca else None)
            context.check_hostname = self.verify == "full"
            context.verify_mode = ssl.CERT_NONE if self.verify == "none" else ssl.CERT_REQUIRED
            if self.certificate is not None:
                context.load_cert_chain(str(self.certificate), str(self.key) if self.key else None, password="")
        except (OSError, ValueError):
            raise Unavailable(Reason.TLS, "a configured certificate or key can't be read") from None
        return context


class Bounded:
    """A socket for redis-py: reading and writing end at the deadline, and after so many bytes of one exchange."""

    def __init__(self, plain: socket.socket) -> None:
        self._socket = plain
        self.deadline = Deadline(0.0)
        self.left = MAX_BYTES

    def recv(self, size: int, *flags: int) -> bytes:
        """At least a byte. Raises Unavailable."""
        try:
            self._socket.settimeout(self.deadline.need())
            part = self._socket.recv(size, *flags)
        except OSError as error:
            raise os_reason(error) from None
        self.left -= len(part)
        if self.left < 0:
            raise Unavailable(Reason.INVALID_ANSWER, f"more than {MAX_BYTES:,} bytes")
        if not part:
            raise Unavailable(Reason.CONNECTION_LOST)
        return part

    def recv_into(self, buffer: bytearray) -> int:
        """As `recv`, into a buffer: so reads the faster parser, where the package hiredis is installed."""
        part = self.recv(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def sendall(self, content: bytes) -> None:
        """All of it. Raises Unavailable."""
        try:
            self._socket.settimeout(self.deadline.need())
            self._socket.sendall(content)
        except OSError as error:
            raise os_reason(error) from None

    def settimeout(self, seconds: float | None) -> None:
        """Asked by redis-py; the deadline alone counts."""

    def shutdown(self, how: int) -> None:
        """As a socket's."""
        self._socket.shutdown(how)

    def close(self) -> None:
        """As a socket's."""
        self._socket.close()

    def fileno(self) -> int:
        """As a socket's."""
        return self._socket.fileno()

    def getpeername(self) -> Any:
        """As a socket's."""
        return self._socket.getpeername()


def connect(address: Address, deadline: Deadline) -> socket.socket:
    """A connected socket, to the first of the host's addresses that answers. Raises Unavailable."""
    if address.host.startswith("/"):
        return _attempt(socket.AF_UNIX, address.host, deadline)
    failure = Unavailable(Reason.UNREACHABLE)
    found = resolve(address.host, deadline)
    for number, host in enumerate(found):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            return _attempt(family, (host, address.port), deadline.sooner(deadline.left() / (len(found) - number)))
        except Unavailable as error:
            failure = error
    raise failure


def _attempt(family: int, place: Any, deadline: Deadline) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.settimeout(deadline.need())
        made.connect(place)
        if family != socket.AF_UNIX:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        made.close()
        raise os_reason(error) from None
    except Unavailable:
        made.close()
        raise
    return made


def handshake(plain: socket.socket, context: ssl.SSLContext, address: Address, deadline: Deadline) -> socket.socket:
    """The socket inside of TLS. Raises Unavailable."""
    wrapped = context.wrap_socket(plain, server_hostname=address.host, do_handshake_on_connect=False)
    try:
        wrapped.settimeout(deadline.need())  # of a handshake, this is the limit for the whole
        wrapped.do_handshake()
    except (OSError, Unavailable, ValueError) as error:
        wrapped.close()
        silent = isinstance(error, TimeoutError | Unavailable)
        raise Unavailable(Reason.TIMEOUT if silent else Reason.TLS, "in the TLS handshake") from None
    return wrapped


def os_reason(error: OSError) -> Unavailable:
    """Why a socket failed."""
    if isinstance(error, TimeoutError):
        return Unavailable(Reason.TIMEOUT)
    if isinstance(error, ssl.SSLError):
        return Unavailable(Reason.TLS)
    if isinstance(error, ConnectionRefusedError | FileNotFoundError):
        return Unavailable(Reason.REFUSED)
    if isinstance(error, ConnectionError):
        return Unavailable(Reason.CONNECTION_LOST)
    return Unavailable(Reason.UNREACHABLE)
