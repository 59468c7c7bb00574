"""PgBouncer, asked on its admin console: a database that is none, with commands that are no SQL.

The console refuses the extended query protocol (and with it libpq's pipelines) and every start-up option: so one
simple query at a time on a held session, each answer awaited within the deadline. PgBouncer answers from memory, in
microseconds.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import pq

from closewatch.core.collectors import Answer, Collector
from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.secrets import Secret
from closewatch.core.source import Outcome, Reply
from closewatch.sources.address import Address
from closewatch.sources.backoff import Backoff
from closewatch.sources.postgresql.access import login
from closewatch.sources.postgresql.connection import connect, wait
from closewatch.sources.postgresql.rows import Rows, rows_of
from closewatch.sources.postgresql.show import Show

CONSOLE = "pgbouncer"
COMMAND_LIMIT = 2.0
"""Seconds that one command may take: what a console that hangs takes at most from the scrape."""


@dataclass(frozen=True, slots=True)
class Login:
    """How to log in to the console."""

    address: Address
    user: str
    password: Secret | None
    tls: dict[str, str]

    def open(self, deadline: Deadline) -> Console:
        """A new session; the password is read again each time. Raises Unavailable."""
        return Console(connect(self.address, login(self.user, self.password, CONSOLE, self.tls), deadline))


class Console:
    """An open session on the console, for one thread at a time."""

    def __init__(self, pgconn: pq.abc.PGconn) -> None:
        self._pgconn = pgconn
        self.version = pgconn.server_version

    @property
    def closed(self) -> bool:
        """Whether the session has ended."""
        return self._pgconn.status != pq.ConnStatus.OK

    def close(self) -> None:
        """End the session."""
        with contextlib.suppress(Exception):
            self._pgconn.finish()

    def ask(self, command: str, deadline: Deadline) -> Rows:
        """The rows of a command. Raises Unavailable; after a fault of the connection, the session is closed."""
        try:
            return self._rows(command, deadline)
        except Unavailable as failure:
            if failure.reason is Reason.TIMEOUT:  # its answer may still come: it must not be taken for the next one's
                self.close()
            raise
        except Exception:  # noqa: BLE001 - whatever libpq says of a broken connection
            self.close()
            raise Unavailable(Reason.CONNECTION_LOST) from None

    def _rows(self, command: str, deadline: Deadline) -> Rows:
        self._pgconn.send_query(command.encode())
        while self._pgconn.flush() == 1:
            wait(self._pgconn.socket, deadline, write=True)
            self._pgconn.consume_input()
        rows: Rows = []
        failure: Unavailable | None = None
        while (result := self._next(deadline)) is not None:
            if result.status == pq.ExecStatus.TUPLES_OK:
                rows = rows_of(result)
            elif result.status == pq.ExecStatus.FATAL_ERROR:
                failure = Unavailable(Reason.CONNECTION_LOST) if self.closed else _refused(result.error_message)
        if failure is not None:
            raise failure
        return rows

    def _next(self, deadline: Deadline) -> pq.abc.PGresult | None:
        while self._pgconn.is_busy():
            wait(self._pgconn.socket, deadline)
            self._pgconn.consume_input()
        return self._pgconn.get_result()


def _refused(message: bytes) -> Unavailable:
    """The console has one SQLSTATE for all of its errors, and says them in English only."""
    for text, reason in ((b"access needed", Reason.PERMISSION), (b"invalid command", Reason.MISSING)):
        if text in message:
            return Unavailable(reason)
    return Unavailable(Reason.SERVER_ERROR)


class Pgbouncer:
    """One PgBouncer and its held session; tried less often while it hangs."""

    def __init__(self, login: Login) -> None:
        self.login = login
        self._console: Console | None = None
        self._backoff = Backoff()

    def ask(self, collectors: Sequence[Collector], deadline: Deadline) -> Reply:
        """Ask each command once, however many collectors want its rows."""
        if (failure := self._backoff.failure) is not None:
            return Reply({}, failure)
        held = self._console is not None
        reply = self._attempt(collectors, deadline)
        if held and reply.down is not None and reply.down.reason is not Reason.TIMEOUT and deadline.left() > 0:
            reply = self._attempt(collectors, deadline)  # the held session had ended: PgBouncer may well be there
        self._backoff.note(reply.down)
        return reply

    def close(self) -> None:
        """End the held session."""
        console, self._console = self._console, None
        if console is not None:
            console.close()

    def _attempt(self, collectors: Sequence[Collector], deadline: Deadline) -> Reply:
        try:
            console = self._console
            if console is None:
                console = self._console = self.login.open(deadline)
        except Unavailable as failure:
            return Reply({}, failure)
        known: dict[str, Rows | Unavailable] = {}
        outcomes: dict[str, Outcome] = {}
        for collector in collectors:
            outcomes[collector.name] = self._outcome(console, collector, known, deadline)
            if console.closed:
                self.close()
                return Reply(outcomes, outcomes[collector.name].failure or Unavailable(Reason.CONNECTION_LOST))
        return Reply(outcomes)

    def _outcome(
        self, console: Console, collector: Collector, known: dict[str, Rows | Unavailable], deadline: Deadline
    ) -> Outcome:
        began = time.monotonic()
        at = time.time()
        outcome = Outcome()
        tables: dict[str, Rows] = {}
        for name, show in collector.ask.items():
            rows = _asked(console, show, known, deadline)
            if isinstance(rows, list):
                tables[name] = rows
            elif not (show.optional and rows.reason is Reason.MISSING):
                outcome.failure = rows
                break
        else:
            outcome.answers.append(Answer(tables, console.version, at, str(self.login.address)))
        outcome.seconds = time.monotonic() - began
        return outcome


def _asked(
    console: Console, show: Show, known: dict[str, Rows | Unavailable], deadline: Deadline
) -> Rows | Unavailable:
    if console.version < show.since:
        return Unavailable(Reason.MISSING)
    if show.command not in known:
        try:
            known[show.command] = console.ask(show.command, deadline.sooner(COMMAND_LIMIT))
        except Unavailable as failure:
            known[show.command] = failure
    return known[show.command]
