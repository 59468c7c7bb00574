"""A GET over HTTP or HTTPS by the standard library, where every wait has what is left of a deadline and answers a size.

`urllib` has a time-out of each read only, so that a server that sends a byte now and then is never cut off; it follows
redirects, and asks proxies that the environment names. A connection lives as long as one operation; nothing is held.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources.resolve import resolve

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_REASONS = {
    401: Reason.AUTHENTICATION,
    403: Reason.PERMISSION,
    404: Reason.MISSING,
    429: Reason.THROTTLED,
    503: Reason.STARTING,
    504: Reason.TIMEOUT,
}
_OK = 200


@dataclass(frozen=True, slots=True, repr=False)
class Place:
    """Where a server is and how to log in to it. `prefix` comes before each path; `tls` is None for plain HTTP."""

    host: str
    port: int
    prefix: str = ""
    tls: ssl.SSLContext | None = None
    authorization: str = ""


def checked(url: str) -> str:
    """The address, if it is one that can be asked. Raises ValueError in our own words."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise ValueError("expected http://HOST:PORT or https://HOST/PATH, without a login in it")
    if parts.query or parts.fragment or not (url.isascii() and url.isprintable()) or " " in url:
        raise ValueError("expected an address without spaces, ? and #")
    _ = parts.port  # raises for one that is no port
    return url.rstrip("/")


def place(url: str, authorization: str = "", ca: Path | None = None) -> Place:
    """The place of a checked address. Raises Unavailable(secret) for a login or CA that can't be used."""
    parts = urlsplit(url)
    if not (authorization.isascii() and authorization.isprintable()):
        raise Unavailable(Reason.SECRET, "the login holds characters that no header has")
    tls = None
    if parts.scheme == "https":
        try:
            tls = ssl.create_default_context(cafile=ca)
        except (OSError, ssl.SSLError):
            raise Unavailable(Reason.SECRET, "the file of the CA can't be read, or is not PEM") from None
    port = parts.port or (443 if tls else 80)
    return Place(str(parts.hostname), port, parts.path.rstrip("/"), tls, authorization)


def get_json(where: Place, path: str, deadline: Deadline, most: int) -> Any:
    """What a GET gives, as JSON of at most so many bytes. Raises Unavailable. Redirects are not followed."""
    host = f"[{where.host}]" if ":" in where.host else where.host
    lines = [f"GET {where.prefix}{path} HTTP/1.1", f"Host: {host}:{where.port}", "Accept: application/json"]
    lines += ["User-Agent: closewatch", "Connection: close"]
    lines += [f"Authorization: {where.authorization}"] if where.authorization else []
    with contextlib.closing(connected(where.host, where.port, where.tls, where.host, deadline)) as link:
        status, body = exchange(link, lines, deadline, most)
    if status != _OK:
        raise Unavailable(status_reason(status), f"HTTP status {status}")
    return parsed(body)


def parsed(body: bytes) -> Any:
    """JSON. Raises Unavailable(invalid_answer): what the parser says would show the content."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Unavailable(Reason.INVALID_ANSWER, "not JSON") from None


def connected(host: str, port: int, tls: ssl.SSLContext | None, server_name: str, deadline: Deadline) -> socket.socket:
    """A connection, with TLS where there is a context; each address of the host is tried. Raises Unavailable."""
    failure = Unavailable(Reason.UNREACHABLE)
    for address in resolve(host, deadline):
        try:
            plain = socket.create_connection((address, port), timeout=deadline.need())
        except OSError as error:
            failure = _connect_reason(error)
            continue
        if tls is None:
            return plain
        try:
            plain.settimeout(deadline.need())
            return tls.wrap_socket(plain, server_hostname=server_name)
        except (OSError, Unavailable) as error:
            plain.close()
            if isinstance(error, TimeoutError | Unavailable):
                raise Unavailable(Reason.TIMEOUT) from None
            raise Unavailable(Reason.TLS if isinstance(error, ssl.SSLError) else Reason.CONNECTION_LOST) from None
    raise failure


def _connect_reason(error: OSError) -> Unavailable:
    if isinstance(error, TimeoutError):
        return Unavailable(Reason.TIMEOUT)
    return Unavailable(Reason.REFUSED if isinstance(error, ConnectionRefusedError) else Reason.UNREACHABLE)


def exchange(link: socket.socket, lines: Sequence[str], deadline: Deadline, most: int) -> tuple[int, bytes]:
    """Send a request's head; gives the status and the body, of at most so many bytes. Raises Unavailable."""
    try:
        return _exchange(link, lines, deadline, most)
    except TimeoutError:
        raise Unavailable(Reason.TIMEOUT) from None
    except (http.client.RemoteDisconnected, http.client.IncompleteRead, OSError):
        raise Unavailable(Reason.CONNECTION_LOST) from None
    except (http.client.HTTPException, ValueError):
        raise Unavailable(Reason.INVALID_ANSWER, "not HTTP") from None


def _exchange(link: socket.socket, lines: Sequence[str], deadline: Deadline, most: int) -> tuple[int, bytes]:
    link.settimeout(deadline.need())
    link.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
    response = http.client.HTTPResponse(_Answering(link, deadline), method="GET")  # type: ignore[arg-type]
    try:
        response.begin()
        body = bytearray()
        while part := response.read(64 * 1024):
            body += part
            if len(body) > most:
                raise Unavailable(Reason.INVALID_ANSWER, f"more than {most:,} bytes")
        if response.length:
            raise Unavailable(Reason.CONNECTION_LOST)
        return response.status, bytes(body)
    finally:
        response.close()


def status_reason(status: int) -> Reason:
    """What an answer other than 200 means."""
    if status in _REASONS:
        return _REASONS[status]
    return Reason.SERVER_ERROR if status >= 400 else Reason.INVALID_ANSWER  # noqa: PLR2004 - HTTP's classes


class _Answering:
    """What http.client takes for a socket: the answer as a file whose every read has what is left of the deadline."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._reader = _Reader(connection, deadline)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._reader, 64 * 1024)


class _Reader(io.RawIOBase):
    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._socket = connection
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        self._socket.settimeout(self._deadline.need())
        return self._socket.recv_into(buffer)
