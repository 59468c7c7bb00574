"""Host names to addresses, within a deadline.

The resolver of the C library blocks for as long as it likes and takes no time-out. So it runs in a thread of its own,
one a name at most; who asks waits no longer than it may, and gets the last good answer while a new one is under way.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable

FRESH = 60.0
"""Seconds for which an answer is used without asking again."""

_lock = threading.Lock()
_known: dict[str, tuple[float, list[str]]] = {}
_asked: dict[str, Future[list[str]]] = {}


def resolve(host: str, deadline: Deadline) -> list[str]:
    """The addresses of a host, in the resolver's order. Raises Unavailable(unreachable)."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    with _lock:
        at, addresses = _known.get(host, (0.0, []))
        if addresses and time.monotonic() - at < FRESH:
            return addresses
        future = _asked.get(host)
        if future is None:
            future = _asked[host] = Future()
            threading.Thread(target=_look_up, args=(host, future), name="resolve", daemon=True).start()
    try:
        return future.result(timeout=min(deadline.left(), 2.0) if addresses else deadline.left())
    except (FutureTimeout, OSError):
        if addresses:
            return addresses
        raise Unavailable(Reason.UNREACHABLE, "the name of the host could not be resolved") from None


def _look_up(host: str, future: Future[list[str]]) -> None:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        with _lock:
            _known[host] = (time.monotonic(), addresses)
            _asked.pop(host, None)
        future.set_result(addresses)
    except (OSError, UnicodeError) as error:
        with _lock:
            _asked.pop(host, None)
        future.set_exception(OSError(str(error)))
