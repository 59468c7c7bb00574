"""A knock from outside: does a server answer somebody who has not logged in? PING over a bare socket, nothing more.

It is sent from where closewatch runs, to an address that strangers could use, such as a load balancer's. No password
is tried, nothing else is asked, and only the first word of the answer is looked at.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources.address import Address
from closewatch.sources.redis.wire import connect

PATIENCE = 2.0
"""Seconds for one knock: a firewall that drops packets is the usual, and good, case."""
MAX_ADDRESSES = 16
_KEPT_OUT = (b"-NOAUTH", b"-DENIED", b"-NOPERM", b"-WRONGPASS")
_LET_IN = (b"+PONG", b"-LOADING", b"-MASTERDOWN", b"-MISCONF", b"-BUSY")
_ENOUGH = 12


def knock_all(addresses: Sequence[Address], deadline: Deadline) -> dict[Address, bool | None]:
    """For each address: answers strangers (True), doesn't (False), or it can't be told (None).

    Raises Unavailable(timeout) where there is less time than one knock needs: silence would tell nothing then.
    """
    if deadline.left() < PATIENCE:
        raise Unavailable(Reason.TIMEOUT, "no time left for a knock")
    with ThreadPoolExecutor(min(MAX_ADDRESSES, len(addresses)), "knock") as threads:
        return dict(
            zip(addresses, threads.map(lambda one: knock(one, deadline.sooner(PATIENCE)), addresses), strict=True)
        )


def knock(address: Address, deadline: Deadline) -> bool | None:
    """One knock; never raises. A port that refuses, or that nothing gets through to, doesn't answer strangers."""
    try:
        plain = connect(address, deadline)
    except Unavailable as failure:
        return False if failure.reason in (Reason.REFUSED, Reason.TIMEOUT) else None
    with contextlib.closing(plain):
        try:
            return _judged(_answer(plain, deadline))
        except ConnectionError:
            return False  # hung up on who doesn't speak TLS
        except (OSError, Unavailable):
            return None


def _answer(plain: socket.socket, deadline: Deadline) -> bytes:
    plain.settimeout(deadline.need())
    plain.sendall(b"PING\r\n")
    said = b""
    while len(said) < _ENOUGH and b"\n" not in said:
        plain.settimeout(deadline.need())
        part = plain.recv(_ENOUGH)
        if not part:
            break
        said += part
    return said


def _judged(said: bytes) -> bool | None:
    if said.startswith(_LET_IN):
        return True
    # A server that wants TLS hangs up, or sends a TLS alert.
    if said.startswith(_KEPT_OUT) or said == b"" or said[:1] == b"\x15":
        return False
    return None
