"""Small HTTP calls to our own engines on loopback; never through a proxy that the environment names."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url: str, timeout: float = 5.0) -> str:
    """The body of an answer. Raises OSError (HTTPError among them) when there is none."""
    with _OPENER.open(url, timeout=timeout) as answer:
        return str(answer.read().decode("utf-8", errors="replace"))


def get_json(url: str, timeout: float = 5.0) -> Any:
    """The parsed body of an answer."""
    return json.loads(get(url, timeout))


def post(url: str, body: object = None, timeout: float = 5.0) -> str:
    """POST, as JSON where there is a body; gives the answer's body."""
    data = b"" if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"}, method="POST")  # noqa: S310
    with _OPENER.open(request, timeout=timeout) as answer:
        return str(answer.read().decode("utf-8", errors="replace"))


def answers(url: str, timeout: float = 1.0) -> bool:
    """Whether the address answers with success."""
    try:
        get(url, timeout)
    except OSError:
        return False
    return True
