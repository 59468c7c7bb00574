"""Where something listens: host and port, as people write them in a configuration."""

from __future__ import annotations

import re
from typing import Annotated, NamedTuple

from pydantic import AfterValidator

LAST_PORT = 65_535
_FORM = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.%]+)\]|(?P<host>/[^:]*|[^\s:/,\[\]@]+))(?::(?P<port>\d{1,5}))?")


class Address(NamedTuple):
    """Where a server listens; `host` starting with / is a Unix socket's folder (PostgreSQL) or the socket itself."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address(text: str, default_port: int) -> Address:
    """`host`, `host:port`, `[IPv6]:port`, or `/path/of/a/socket:port`. Raises ValueError."""
    found = _FORM.fullmatch(text)
    port = int(found["port"] or default_port) if found else 0
    if found is None or not 0 < port <= LAST_PORT:
        raise ValueError("is not an address; write host, host:port, [IPv6 address]:port or /folder/of/the/socket")
    return Address(found["v6"] or found["host"], port)


def _valid(text: str) -> str:
    address(text, LAST_PORT)
    return text


AddressText = Annotated[str, AfterValidator(_valid)]
"""An address in a configuration, as it is written; whoever uses it knows the usual port."""
