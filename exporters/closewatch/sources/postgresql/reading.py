"""One read-only transaction that sees one moment, for what reads a whole database once: figures of the books.

Never by a scrape. The server ends it by itself at the deadline, and where the one who asks is gone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources.postgresql.access import Access, login

CONNECT = 10
LOCK = "100ms"


@contextlib.contextmanager
def one_moment(access: Access, database: str, deadline: Deadline) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A connection in REPEATABLE READ, READ ONLY, to the first member that answers. Raises Unavailable."""
    with _connected(access, database, deadline) as connection:
        try:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield connection
        except psycopg.errors.InsufficientPrivilege:
            raise Unavailable(Reason.PERMISSION, "a column of the books can't be read by this role") from None
        except psycopg.errors.QueryCanceled:
            raise Unavailable(Reason.TIMEOUT, "the database took too long") from None
        except psycopg.errors.LockNotAvailable:
            raise Unavailable(Reason.LOCKED, "a table is locked, such as by an upgrade") from None
        except psycopg.Error as error:
            raise Unavailable(Reason.SERVER_ERROR, f"SQLSTATE {error.sqlstate or 'unknown'}") from None


def _connected(access: Access, database: str, deadline: Deadline) -> psycopg.Connection[tuple[Any, ...]]:
    limit = int(deadline.need() * 1000)
    options = f"-c statement_timeout={limit} -c lock_timeout={LOCK} -c default_transaction_read_only=on"
    parameters: dict[str, Any] = {**login(access.user, access.password, database, access.tls)}
    for address in access.in_order():
        try:
            return psycopg.connect(
                **parameters, host=address.host, port=address.port, connect_timeout=CONNECT, options=options
            )
        except psycopg.OperationalError:
            continue  # another member may answer; libpq's text may hold what the server said
    raise Unavailable(Reason.UNREACHABLE, "no member of the cluster let us in")
