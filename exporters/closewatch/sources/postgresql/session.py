"""Sessions of psycopg's own, for what needs transactions, parameters or COPY, and how a call that hangs is ended."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg

from closewatch.core.deadline import Deadline
from closewatch.sources.address import Address
from closewatch.sources.postgresql.connection import connect

Session = psycopg.Connection[tuple[Any, ...]]


def open_session(address: Address, parameters: Mapping[str, str], deadline: Deadline) -> Session:
    """Log in, each statement a transaction of its own. Raises Unavailable; never blocks longer than the deadline."""
    session: Session = psycopg.Connection(connect(address, parameters, deadline))
    session.autocommit = True
    session.prepare_threshold = None
    return session


@contextlib.contextmanager
def limited(session: Session, seconds: float) -> Iterator[None]:
    """Cut the session where what is done with it takes longer: a server that went silent blocks a call for ever."""
    timer = threading.Timer(seconds, cut, (session,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def cut(session: Session) -> None:
    """End what is running in another thread: its connection is gone at once."""
    with contextlib.suppress(OSError, psycopg.Error):
        line = socket.socket(fileno=os.dup(session.fileno()))
        line.shutdown(socket.SHUT_RDWR)
        line.close()


def ended(session: Session) -> bool:
    """Whether the server has let go of a session in which nothing is under way: it says so, or closes, unasked."""
    if session.closed:
        return True
    poller = select.poll()
    poller.register(session.fileno(), select.POLLIN)
    return bool(poller.poll(0))
