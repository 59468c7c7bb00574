"""Records in a PostgreSQL database: for several workers on several hosts.

Leases go by the server's clock. An administrator makes the tables (`closewatch records schema`): the worker's role
doesn't own them, so that it can't take away what it wrote.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Unavailable
from closewatch.core.records.sql import Execute, SqlStore
from closewatch.core.records.store import StoreError
from closewatch.sources.address import Address
from closewatch.sources.backoff import Backoff
from closewatch.sources.postgresql.access import Access, login
from closewatch.sources.postgresql.errors import statement_reason
from closewatch.sources.postgresql.recordtables import FORMAT, SCHEMA
from closewatch.sources.postgresql.session import Session, ended, limited, open_session

CONNECT = 2.0
"""Seconds to log in to a member."""
PATIENCE = {True: 2.0, False: 5.0}
"""Seconds that a call may take, of who only reads, as scrapes do, and of who writes."""
SESSION = (
    "-c default_transaction_read_only={read_only} -c statement_timeout={limit} -c lock_timeout={limit}"
    " -c idle_in_transaction_session_timeout=10000 -c search_path=" + SCHEMA
)


class PostgresqlStore(SqlStore):
    """A store in a database, by one session, which is opened anew where it was lost."""

    def __init__(self, access: Access, *, read_only: bool = False) -> None:
        self._access = access
        self._read_only = read_only
        self._lock = threading.RLock()
        self._open: Session | None = None
        self._backoff = Backoff()
        self._where = f"PostgreSQL {', '.join(map(str, access.addresses))}, database {access.database}"
        with self._lock:
            self._session()

    def current(self) -> bool:
        """Always: what was lost is opened anew by the next call."""
        return True

    def unwritable(self) -> bool:
        """Whether the server that we are logged in to is a standby."""
        return bool(self._rows("SELECT pg_catalog.pg_is_in_recovery()")[0][0])

    def close(self) -> None:
        """End the session."""
        with self._lock:
            self._forget()

    def _now(self) -> float:
        return float(self._rows("SELECT extract(epoch FROM pg_catalog.clock_timestamp())::float8")[0][0])

    def _rows(self, text: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._calling() as session:
            return session.execute(text.replace("?", "%s").encode(), values).fetchall()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Execute]:
        with self._calling() as session, session.transaction():
            yield lambda text, values: session.execute(text.replace("?", "%s").encode(), values)

    @contextlib.contextmanager
    def _calling(self) -> Iterator[Session]:
        """The session for one call, which is cut when it takes too long; within a transaction it is limited already."""
        with self._lock:
            session = self._session()
            if session.info.transaction_status != _IDLE:
                yield session
                return
            try:
                with limited(session, PATIENCE[self._read_only]):
                    yield session
            except psycopg.Error as error:
                raise self._said(statement_reason((error.sqlstate or "").encode()), error.sqlstate) from None
            finally:
                if session.broken:
                    self._forget()

    def _session(self) -> Session:
        """The session as it is, also within a transaction; else a new one. Raises StoreError."""
        if self._open is not None and self._open.info.transaction_status == _IDLE and ended(self._open):
            self._forget()
        if self._open is None:
            if (failure := self._backoff.failure) is not None:
                raise self._said(failure)
            try:
                self._open = self._new()
            except Unavailable as down:
                self._backoff.note(down)
                raise self._said(down) from None
            self._backoff.note(None)
        return self._open

    def _new(self) -> Session:
        """A session with the primary; for reading also with a standby, where no primary answers. Raises Unavailable."""
        failure: Unavailable | None = None
        standbys: list[Session] = []
        for address in self._access.in_order():
            try:
                session = self._login(address)
            except Unavailable as down:
                failure = failure or down
                continue
            if session.info.parameter_status("in_hot_standby") != "on":
                for standby in standbys:
                    standby.close()
                self._access.primary = address
                return self._checked(session)
            standbys.append(session)
        for standby in standbys[1 if self._read_only else 0 :]:
            standby.close()
        if not standbys:
            assert failure is not None
            raise failure
        if not self._read_only:
            raise StoreError(f"{self._where}: only a standby answers, which can't be written to")
        return self._checked(standbys[0])

    def _login(self, address: Address) -> Session:
        access = self._access
        limit = int(PATIENCE[self._read_only] * 1000)
        options = SESSION.format(read_only="on" if self._read_only else "off", limit=limit)
        parameters = {**login(access.user, access.password, access.database, access.tls), "options": options}
        return open_session(address, parameters, Deadline.after(CONNECT))

    def _checked(self, session: Session) -> Session:
        """The session, where the tables are those of this version, and commits wait for the disk."""
        try:
            with limited(session, PATIENCE[self._read_only]):
                if session.execute("SELECT pg_catalog.current_setting('synchronous_commit')").fetchone() == ("off",):
                    session.execute("SET synchronous_commit = on")
                found = session.execute("SELECT version FROM format").fetchall()
        except psycopg.Error as error:
            session.close()
            raise self._said(statement_reason((error.sqlstate or "").encode()), error.sqlstate) from None
        if found != [(FORMAT,)]:
            session.close()
            raise StoreError(f"{self._where}: its tables are not of this version of closewatch")
        return session

    def _forget(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def _said(self, reason: Unavailable, sqlstate: str | None = None) -> StoreError:
        return StoreError(f"{self._where}: {_WORDS.get(sqlstate or '') or reason}")


_IDLE = psycopg.pq.TransactionStatus.IDLE
_TABLES = "run what `closewatch records schema` prints, as the database's owner"
_WORDS = {
    "42P01": f"the tables are not there: {_TABLES}",
    "3F000": f"the tables are not there: {_TABLES}",
    "42501": f"the role may not do that: {_TABLES}",
    "25006": "it can't be written to",
    "53100": "the disk is full",
    "57014": "it took too long",
    "55P03": "another program holds it",
    "23001": "what was to be written is there already, or is kept from being changed",
    "23505": "what was to be written is there already, or is kept from being changed",
}
