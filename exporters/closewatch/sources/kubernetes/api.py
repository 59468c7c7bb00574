"""The Kubernetes API, read-only: TLS secrets and custom objects, by lists in pages. Every step has a deadline.

Not by the package `kubernetes`: its time-out is one of each read, so that a server that sends a byte now and then is
never cut off, its answers have no bound, and importing it takes 50 MB. A GET, JSON and a bearer token need no more
than the standard library, over a socket of our own. A connection lives as long as one operation; nothing is held.

Of a secret only the certificate is kept: the rest of the page is dropped before the next one is asked for.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import http.client
import io
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlencode

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources.kubernetes.access import Access, KubernetesLogin, access
from closewatch.sources.resolve import resolve

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

T = TypeVar("T")

PAGE = 50
MAX_ITEMS = 5_000
MAX_BYTES = 8 * 1024 * 1024
"""Of a page. A secret has at most 1 MiB, a certificate with its chain and key some 10 KiB."""

TLS_TYPE = "kubernetes.io/tls"
_REASONS = {
    401: Reason.AUTHENTICATION,
    403: Reason.PERMISSION,
    404: Reason.MISSING,
    429: Reason.THROTTLED,
    504: Reason.TIMEOUT,
}
_OK, _GONE = 200, 410


@dataclass(frozen=True, slots=True)
class TlsSecret:
    """A secret of type kubernetes.io/tls, without its key.

    `certificate` is tls.crt as it is stored, empty where it is missing or no base64; `version` changes with each write.
    """

    namespace: str
    name: str
    certificate: bytes
    version: str


class Kubernetes:
    """An API and a login. Makes no connection before it is asked; thread-safe."""

    def __init__(self, login: KubernetesLogin) -> None:
        self.login = login

    def tls_secrets(self, deadline: Deadline, namespace: str | None, labels: str = "") -> list[TlsSecret]:
        """The TLS secrets of a namespace (None: of all), narrowed by a label selector. Raises Unavailable."""
        path = "/api/v1" + _within(namespace) + "/secrets"
        query = {"fieldSelector": f"type={TLS_TYPE}", "labelSelector": labels}
        found = self._list(path, query, deadline, _tls_secret)
        return [secret for secret in found if secret is not None]

    def objects(
        self, deadline: Deadline, group: str, version: str, plural: str, namespace: str | None, labels: str = ""
    ) -> list[dict[str, Any]]:
        """Custom objects of a namespace (None: of all) as they are. Raises Unavailable."""
        path = f"/apis/{group}/{version}{_within(namespace)}/{plural}"
        return self._list(path, {"labelSelector": labels}, deadline, lambda item: item)

    def object(
        self, deadline: Deadline, group: str, version: str, plural: str, namespace: str, name: str
    ) -> dict[str, Any]:
        """One custom object as it is. Raises Unavailable(missing) where it isn't there."""
        path = f"/apis/{group}/{version}{_within(namespace)}/{plural}/{quote(name, safe='')}"
        with _link(access(self.login), deadline) as link:
            return link.get(path, deadline)

    def _list(
        self, path: str, query: dict[str, str], deadline: Deadline, keep: Callable[[dict[str, Any]], T]
    ) -> list[T]:
        query = {**{name: value for name, value in query.items() if value}, "limit": str(PAGE)}
        with _link(access(self.login), deadline) as link:
            try:
                return _pages(link, path, query, deadline, keep)
            except _ExpiredError:  # the API keeps a list's state for some minutes only
                try:
                    return _pages(link, path, query, deadline, keep)
                except _ExpiredError:
                    raise Unavailable(Reason.SERVER_ERROR, "HTTP status 410, twice") from None


class _ExpiredError(Exception):
    """The token of the next page is too old."""


def _pages(
    link: _Link, path: str, query: dict[str, str], deadline: Deadline, keep: Callable[[dict[str, Any]], T]
) -> list[T]:
    found: list[T] = []
    token = ""
    while True:
        page = link.get(f"{path}?{urlencode({**query, **({'continue': token} if token else {})})}", deadline)
        items, about = page.get("items") or [], page.get("metadata") or {}
        if not isinstance(items, list) or not isinstance(about, dict):
            raise Unavailable(Reason.INVALID_ANSWER, "not a list")
        if len(found) + len(items) > MAX_ITEMS:
            raise Unavailable(Reason.INVALID_ANSWER, f"more than {MAX_ITEMS:,} objects: narrow it by a label selector")
        for item in items:
            if not isinstance(item, dict):
                raise Unavailable(Reason.INVALID_ANSWER, "a list of something else than objects")
            found.append(keep(item))
        following = about.get("continue") or ""
        if not following:
            return found
        if following == token or not isinstance(following, str) or not items:
            raise Unavailable(Reason.INVALID_ANSWER, "a list without an end")
        token = following


def _tls_secret(item: dict[str, Any]) -> TlsSecret | None:
    about, data = item.get("metadata"), item.get("data") or {}
    if item.get("type") != TLS_TYPE or not isinstance(about, dict) or not isinstance(data, dict):
        return None
    stored = data.get("tls.crt")
    try:
        certificate = base64.b64decode(stored, validate=True) if isinstance(stored, str) else b""
    except (binascii.Error, ValueError):
        certificate = b""
    return TlsSecret(
        str(about.get("namespace", "")), str(about.get("name", "")), certificate, str(about.get("resourceVersion", ""))
    )


def _within(namespace: str | None) -> str:
    return "" if namespace is None else f"/namespaces/{quote(namespace, safe='')}"


@contextlib.contextmanager
def _link(place: Access, deadline: Deadline) -> Iterator[_Link]:
    link = _Link(place, _connected(place, deadline))
    try:
        yield link
    finally:
        link.close()


def _connected(place: Access, deadline: Deadline) -> socket.socket:
    """A connection with TLS; each address of the host is tried."""
    failure = Unavailable(Reason.UNREACHABLE)
    for address in resolve(place.host, deadline):
        try:
            plain = socket.create_connection((address, place.port), timeout=deadline.need())
        except OSError as error:
            failure = _connect_reason(error)
            continue
        try:
            plain.settimeout(deadline.need())
            return place.tls.wrap_socket(plain, server_hostname=place.server_name)
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


class _Link:
    """One connection, and one request after the other on it."""

    def __init__(self, place: Access, connection: socket.socket) -> None:
        self._place = place
        self._socket = connection

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()

    def get(self, path: str, deadline: Deadline) -> dict[str, Any]:
        """The object that a GET gives. Raises Unavailable, and _ExpiredError for 410."""
        try:
            status, body = self._exchange(path, deadline)
        except TimeoutError:
            raise Unavailable(Reason.TIMEOUT) from None
        except (http.client.RemoteDisconnected, http.client.IncompleteRead, OSError):
            raise Unavailable(Reason.CONNECTION_LOST) from None
        except (http.client.HTTPException, ValueError):
            raise Unavailable(Reason.INVALID_ANSWER, "not HTTP") from None
        if status == _GONE:
            raise _ExpiredError
        if status != _OK:
            raise Unavailable(_status_reason(status), f"HTTP status {status}")
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):  # its text would show the content
            raise Unavailable(Reason.INVALID_ANSWER, "not JSON") from None
        if not isinstance(found, dict):
            raise Unavailable(Reason.INVALID_ANSWER, "not an object")
        return found

    def _exchange(self, path: str, deadline: Deadline) -> tuple[int, bytes]:
        place = self._place
        lines = [f"GET {place.prefix}{path} HTTP/1.1", f"Host: {place.host}:{place.port}", "Accept: application/json"]
        lines += ["User-Agent: closewatch", *([f"Authorization: Bearer {place.token}"] if place.token else [])]
        self._socket.settimeout(deadline.need())
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
        response = http.client.HTTPResponse(_Answering(self._socket, deadline), method="GET")  # type: ignore[arg-type]
        try:
            response.begin()
            body = bytearray()
            while part := response.read(64 * 1024):
                body += part
                if len(body) > MAX_BYTES:
                    raise Unavailable(Reason.INVALID_ANSWER, f"more than {MAX_BYTES:,} bytes")
            if response.length:
                raise Unavailable(Reason.CONNECTION_LOST)
            return response.status, bytes(body)
        finally:
            response.close()


def _status_reason(status: int) -> Reason:
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
