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
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources import http
from closewatch.sources.kubernetes.access import Access, KubernetesLogin, access

T = TypeVar("T")

PAGE = 50
MAX_ITEMS = 5_000
MAX_BYTES = 8 * 1024 * 1024
"""Of a page. A secret has at most 1 MiB, a certificate with its chain and key some 10 KiB."""

TLS_TYPE = "kubernetes.io/tls"
_OK, _GONE, _OVERLOADED = 200, 410, 503


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
    link = _Link(place, http.connected(place.host, place.port, place.tls, place.server_name, deadline))
    try:
        yield link
    finally:
        link.close()


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
        place = self._place
        lines = [f"GET {place.prefix}{path} HTTP/1.1", f"Host: {place.host}:{place.port}", "Accept: application/json"]
        lines += ["User-Agent: closewatch", *([f"Authorization: Bearer {place.token}"] if place.token else [])]
        status, body = http.exchange(self._socket, lines, deadline, MAX_BYTES)
        if status == _GONE:
            raise _ExpiredError
        if status != _OK:
            raise Unavailable(_status_reason(status), f"HTTP status {status}")
        found = http.parsed(body)
        if not isinstance(found, dict):
            raise Unavailable(Reason.INVALID_ANSWER, "not an object")
        return found


def _status_reason(status: int) -> Reason:
    return Reason.SERVER_ERROR if status == _OVERLOADED else http.status_reason(status)
