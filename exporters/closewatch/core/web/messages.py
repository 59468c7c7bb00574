"""What passes between the server and a route: plain data, so that a route is tested without a socket."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

TEXT = "text/plain; charset=utf-8"
_FORWARDED = ("Forwarded", "Via", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto")


class Headers(Mapping[str, str]):
    """The headers of a request by name, in any case. One that came twice has both values, with a comma between."""

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, str] = {}
        for name, value in items:
            key = name.lower()
            self._values[key] = f"{self._values[key]}, {value}" if key in self._values else value

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True, slots=True)
class Request:
    """A request that may be answered.

    `client` is the peer's address. `authenticated` is true only where a password or a verified client certificate was
    asked for and given; `loopback` only for a peer on this machine that speaks for itself. `body` is read only where
    the server was told that the path takes one.
    """

    method: str
    path: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=Headers)
    client: str = ""
    authenticated: bool = False
    loopback: bool = False
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What a route answers. The server adds the length and the headers that all answers have."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Route = Callable[[Request], Response]


def plain(status: int, words: str, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in words."""
    return Response(status, TEXT, f"{words}\n".encode(), headers or {})


def is_loopback(client: str, headers: Mapping[str, str]) -> bool:
    """Whether the one who asks is on this machine, and not a proxy that speaks for someone else.

    A Host that names another machine is a proxy too, or a page elsewhere whose name was bent to this address.
    """
    address = _address(client)
    if address is None or not address.is_loopback or any(name in headers for name in _FORWARDED):
        return False
    host = headers.get("Host", "localhost")
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    named = _address(name)
    return name.lower() == "localhost" or (named is not None and named.is_loopback)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
