"""One connection to PostgreSQL of which every step has a deadline, and a batch of statements in one round trip.

Built on `psycopg.pq`, the documented low level of psycopg, because nothing above it bounds a call by the socket: a
plain `execute` waits for ever for a server that went silent, and `Pipeline.sync()` waits for each answer in turn.
Here all statements leave in one write, each in a sync group of its own, so that each has its own transaction, limit
and error; one loop reads the answers until the deadline. What was answered by then counts; the rest is `timeout`.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from psycopg import pq

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources.address import Address
from closewatch.sources.postgresql.errors import connect_reason, statement_reason
from closewatch.sources.postgresql.rows import Rows, rows_of
from closewatch.sources.resolve import resolve

SESSION = (
    "-c default_transaction_read_only=on -c lock_timeout=100 -c statement_timeout={limit}"
    " -c idle_in_transaction_session_timeout=10000 -c search_path=pg_catalog -c jit=off"
)
"""Set before anything runs. A query behind a waiting ALTER TABLE makes Odoo wait behind it: hence the lock limit."""

DEFAULT_LIMIT = 0.2
UNPREPARED = b""


class Statement(NamedTuple):
    """SQL and its limit in seconds."""

    sql: str
    limit: float


@dataclass(slots=True)
class Result:
    """What one statement gave: `rows`, or why there are none; `seconds` since the result before it."""

    rows: Rows
    seconds: float = 0.0
    failure: Unavailable | None = None


class Connection:
    """An open session, for one thread at a time; closed for good after any fault."""

    def __init__(self, pgconn: pq.abc.PGconn) -> None:
        self._pgconn = pgconn
        self.version = pgconn.server_version
        self.round_trips = 0
        self._prepared: dict[str, bytes] = {}

    @classmethod
    def open(cls, address: Address, parameters: dict[str, str], deadline: Deadline) -> Connection:
        """Connect, log in and enter pipeline mode. Raises Unavailable; never blocks longer than the deadline."""
        pgconn = connect(address, {**parameters, "options": SESSION.format(limit=int(DEFAULT_LIMIT * 1000))}, deadline)
        try:
            pgconn.enter_pipeline_mode()
            return cls(pgconn)
        except BaseException:
            pgconn.finish()
            raise

    @property
    def closed(self) -> bool:
        """Whether the session has ended."""
        return self._pgconn.status != pq.ConnStatus.OK

    @property
    def in_recovery(self) -> bool | None:
        """Whether the server said, unasked, that it is a standby; None before 14, which doesn't."""
        value = self._pgconn.parameter_status(b"in_hot_standby")
        return None if value is None else value == b"on"

    def close(self, patience: float = 0.0) -> None:
        """End the session.

        With `patience`, wait so many seconds for the server to have ended it too: else the next one begins while this
        one still counts.
        """
        with contextlib.suppress(Exception):
            seen = os.dup(self._pgconn.socket) if patience and not self.closed else None
            self._pgconn.finish()
            if seen is not None:
                _await_end(seen, patience)

    def batch(self, statements: Sequence[Statement], deadline: Deadline) -> list[Result]:
        """Ask all, in one round trip; one result for each statement, in order. Raises nothing.

        A fault of the connection is the result of every statement that it left without an answer, and closes it.
        """
        outcomes: list[Result] = []
        try:
            with _one_write(self._pgconn.socket):
                for statement in statements:
                    self._send(statement)
                self._flush(deadline)
            self.round_trips += 1
            began = time.monotonic()
            for statement in statements:
                outcome = self._receive(2 if _limited(statement) else 1, deadline)
                now = time.monotonic()
                outcome.seconds, began = now - began, now
                outcomes.append(outcome)
                if outcome.failure is not None and statement.sql in self._prepared:
                    self._prepared[statement.sql] = UNPREPARED
        except Unavailable as fault:
            self.close()
            outcomes += [Result([], 0.0, fault) for _ in statements[len(outcomes) :]]
        except Exception:  # noqa: BLE001 - whatever libpq says of a broken connection
            self.close()
            lost = Unavailable(Reason.CONNECTION_LOST)
            outcomes += [Result([], 0.0, lost) for _ in statements[len(outcomes) :]]
        return outcomes

    def _send(self, statement: Statement) -> None:
        if _limited(statement):
            limit = str(max(1, int(statement.limit * 1000))).encode()
            self._pgconn.send_query_params(
                b"SELECT pg_catalog.set_config('statement_timeout', $1, true)", [limit], param_types=[25]
            )
        name = self._prepare(statement.sql)
        if name == UNPREPARED:
            self._pgconn.send_query_params(statement.sql.encode(), None)
        else:
            self._pgconn.send_query_prepared(name, None)
        self._pgconn.pipeline_sync()

    def _prepare(self, sql: str) -> bytes:
        """The name under which the server keeps the plan, from a session's second batch on: a visit has only one.

        What failed once, whatever the cause, is planned anew each time.
        """
        if sql not in self._prepared:
            if self.round_trips == 0:
                return UNPREPARED
            self._prepared[sql] = f"q{len(self._prepared)}".encode()
            self._pgconn.send_prepare(self._prepared[sql], sql.encode())
        return self._prepared[sql]

    def _flush(self, deadline: Deadline) -> None:
        while self._pgconn.flush() == 1:
            wait(self._pgconn.socket, deadline, write=True)
            self._pgconn.consume_input()

    def _receive(self, commands: int, deadline: Deadline) -> Result:
        """The outcome of one sync group of so many commands; the last command's rows count."""
        rows: Rows = []
        failure: Unavailable | None = None
        while True:
            result = self._next(deadline)
            if result is None:
                if self.closed or deadline.need() <= 0:
                    raise Unavailable(Reason.CONNECTION_LOST)
                continue
            status = result.status
            if status == pq.ExecStatus.PIPELINE_SYNC:
                return Result(rows, 0.0, failure)
            if status == pq.ExecStatus.TUPLES_OK:
                commands -= 1
                if commands == 0:
                    try:
                        rows = rows_of(result)
                    except Unavailable as invalid:
                        failure = invalid
            elif status == pq.ExecStatus.FATAL_ERROR and failure is None:
                failure = statement_reason(result.error_field(pq.DiagnosticField.SQLSTATE))
                if self.closed:
                    raise failure

    def _next(self, deadline: Deadline) -> pq.abc.PGresult | None:
        while self._pgconn.is_busy():
            wait(self._pgconn.socket, deadline)
            self._pgconn.consume_input()
        return self._pgconn.get_result()


def connect(address: Address, parameters: Mapping[str, str], deadline: Deadline) -> pq.abc.PGconn:
    """Connect and log in, for calls that don't block. Raises Unavailable; never blocks longer than the deadline."""
    info = {**parameters, "host": address.host, "port": str(address.port)}
    if not address.host.startswith("/"):
        found = resolve(address.host, deadline)
        info.update(host=",".join([address.host] * len(found)), hostaddr=",".join(found))
    conninfo = " ".join(f"{key}={_quoted(value)}" for key, value in info.items()).encode()
    pgconn = pq.PGconn.connect_start(conninfo)
    try:
        _finish_connecting(pgconn, deadline)
        _check_connected(pgconn, conninfo, deadline)
        pgconn.nonblocking = 1
    except BaseException:
        pgconn.finish()
        raise
    return pgconn


def _limited(statement: Statement) -> bool:
    return abs(statement.limit - DEFAULT_LIMIT) >= 0.001 / 2


def _finish_connecting(pgconn: pq.abc.PGconn, deadline: Deadline) -> None:
    while pgconn.status != pq.ConnStatus.BAD:
        polled = pgconn.connect_poll()
        if polled in (pq.PollingStatus.OK, pq.PollingStatus.FAILED):
            return
        wait(pgconn.socket, deadline, write=polled == pq.PollingStatus.WRITING)


def _check_connected(pgconn: pq.abc.PGconn, conninfo: bytes, deadline: Deadline) -> None:
    if pgconn.status != pq.ConnStatus.OK:
        raise connect_reason(pgconn.error_message, lambda trace: _connect_again(conninfo, deadline, trace))


def _connect_again(conninfo: bytes, deadline: Deadline, trace: int) -> None:
    """Try once more, with libpq's trace written to the file descriptor `trace`; the attempt may fail as before."""
    pgconn = pq.PGconn.connect_start(conninfo)
    try:
        pgconn.trace(trace)
        pgconn.set_trace_flags(pq.Trace.SUPPRESS_TIMESTAMPS)
        _finish_connecting(pgconn, deadline)
        pgconn.untrace()
    finally:
        pgconn.finish()


def wait(fd: int, deadline: Deadline, *, write: bool = False) -> None:
    """Wait until there is something to read (or room to write). Raises Unavailable(timeout)."""
    poller = select.poll()
    poller.register(fd, select.POLLOUT | select.POLLIN if write else select.POLLIN)
    if not poller.poll(deadline.need() * 1000):
        raise Unavailable(Reason.TIMEOUT)


@contextlib.contextmanager
def _one_write(fd: int) -> Iterator[None]:
    """Hold back small segments until the whole batch is written.

    libpq pushes at each sync, which would let the server answer, and the network carry, a batch in several turns.
    """
    option = getattr(socket, "TCP_CORK", None)
    with socket.socket(fileno=fd) as view:
        try:
            corked = option is not None and view.family != socket.AF_UNIX
            if corked and option is not None:
                view.setsockopt(socket.IPPROTO_TCP, option, 1)
            yield
            if corked and option is not None:
                view.setsockopt(socket.IPPROTO_TCP, option, 0)
        finally:
            view.detach()


def _await_end(fd: int, patience: float) -> None:
    """Wait until the other side has closed the connection; then close this side."""
    deadline = Deadline.after(patience)
    with socket.socket(fileno=fd) as view, contextlib.suppress(OSError, Unavailable):
        while True:
            wait(fd, deadline)
            if not view.recv(4096):
                return


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
