"""How statements of a dump are run: as they are, one after the other, in a session that nothing of it can leave.

The session is that of an ordinary role, and not of psql: neither the server's superuser nor a shell is within reach of
what a dump says. The caller's thread watches while another works: what it raises closes the connection.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
from psycopg import sql

from closewatch.sources.postgresql.session import cut

TICK = 0.2
GOODBYE = 5.0
CONNECTION = "08006"
"""The SQLSTATE of a lost connection, which has none of its own."""


class Refused(Exception):
    """The server refused a statement, with this SQLSTATE; its text, which may show rows, is not kept."""

    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate
        super().__init__(sqlstate)


class Session:
    """A session for a script. Made from a connection of the superuser to the same database, which stays as it is."""

    def __init__(self, administrator: Any, role: str) -> None:
        about = administrator.info
        try:
            self._connection = psycopg.connect(
                about.dsn, user=role, autocommit=True, prepare_threshold=None, application_name="closewatch"
            )
        except psycopg.Error as error:
            raise Refused(error.sqlstate or CONNECTION) from None

    def run(self, text: bytes) -> None:
        """Run one statement. Raises Refused."""
        try:
            self._connection.execute(text)
        except psycopg.Error as error:
            raise Refused(error.sqlstate or CONNECTION) from None

    def copy(self, text: bytes, data: Iterator[bytes]) -> None:
        """Run COPY … FROM stdin. Raises Refused, and what `data` raises."""
        try:
            with self._connection.cursor() as cursor, cursor.copy(text) as copy:
                for part in data:
                    copy.write(part)
        except psycopg.Error as error:
            raise Refused(error.sqlstate or CONNECTION) from None

    def cut(self) -> None:
        """End what is running in another thread: its connection is gone at once."""
        cut(self._connection)

    def close(self) -> None:
        """End the session."""
        self._connection.close()


def watched(work: Callable[[], None], session: Session, need: Callable[[], object]) -> None:
    """Run `work` aside, and ask `need` all the while: what it raises ends the session. Raises what `work` raises."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again by the caller's thread
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            need()
            thread.join(TICK)
    except BaseException:
        session.cut()
        thread.join(GOODBYE)
        raise
    if failed:
        raise failed[0]


def own(administrator: Any, database: str, role: str) -> None:
    """Make the role if it isn't there, a login without any right but on its own database. Raises Refused."""
    name, of = sql.Identifier(role), sql.Identifier(database)
    make_role(administrator, role, login=True)
    try:
        administrator.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(of, name))
        administrator.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(name))
    except psycopg.Error as error:
        raise Refused(error.sqlstate or CONNECTION) from None


def make_role(administrator: Any, role: str, *, login: bool = False) -> None:
    """Make a role if it isn't there. Raises Refused."""
    options = "LOGIN" if login else "NOLOGIN"
    statement = sql.SQL("CREATE ROLE {} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION " + options)
    try:
        if not administrator.execute("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s", [role]).fetchone():
            administrator.execute(statement.format(sql.Identifier(role)))
    except psycopg.errors.DuplicateObject:
        return
    except psycopg.Error as error:
        raise Refused(error.sqlstate or CONNECTION) from None


def make_extension(administrator: Any, extension: str, schema: str | None) -> None:
    """Create an extension as the superuser, from what is installed on this machine. Raises Refused."""
    statement = sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(extension))
    if schema is not None:
        statement += sql.SQL(" WITH SCHEMA {}").format(sql.Identifier(schema))
    try:
        administrator.execute(statement)
    except psycopg.Error as error:
        raise Refused(error.sqlstate or CONNECTION) from None


def make_schema(administrator: Any, schema: str, owner: str) -> None:
    """Create a schema for a role. Raises Refused."""
    statement = sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}")
    try:
        administrator.execute(statement.format(sql.Identifier(schema), sql.Identifier(owner)))
    except psycopg.Error as error:
        raise Refused(error.sqlstate or CONNECTION) from None


def trusted(administrator: Any, extension: str) -> bool | None:
    """Whether the owner of a database may create the extension; None where it is not installed on this machine."""
    question = (
        "SELECT v.trusted FROM pg_catalog.pg_available_extensions e"
        " JOIN pg_catalog.pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version"
        " WHERE e.name = %s"
    )
    try:
        row = administrator.execute(question, [extension]).fetchone()
    except psycopg.Error as error:
        raise Refused(error.sqlstate or CONNECTION) from None
    return None if row is None else bool(row[0])
