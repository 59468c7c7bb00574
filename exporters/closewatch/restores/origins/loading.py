"""Loads a dump as an ordinary role that owns the database: a dump is somebody else's SQL, and is run as nobody special.

Left out is what belongs to the cluster or reaches out of it: owners, rights, tablespaces, publications, subscriptions,
event triggers, users of foreign servers. Extensions that only a superuser may create are created beforehand, from what
is installed. Anything else that a superuser is needed for can't be tested, and that is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from closewatch.restores.origins.script import Command, Copy, Script, Statement
from closewatch.restores.why import Failed, Why
from closewatch.sources.postgresql.script import (
    Refused,
    Session,
    make_extension,
    make_role,
    make_schema,
    own,
    trusted,
    watched,
)

if TYPE_CHECKING:
    from closewatch.restores.scratch import Scratch
    from closewatch.restores.server import Server

LOADER = "closewatch_loader"
"""The role that owns the database and all that is in it."""
COMPLETE = (b"-- PostgreSQL database dump complete",)
_KINDS = (
    "DATABASE|ROLE|EVENT\\s+TRIGGER|PUBLICATION|SUBSCRIPTION|USER\\s+MAPPING|TABLESPACE|DEFAULT\\s+PRIVILEGES|LANGUAGE"
)
_LEFT_OUT = re.compile(
    rf"(?:GRANT|REVOKE|SECURITY\s+LABEL|SET\s+(?:SESSION\s+AUTHORIZATION|ROLE|default_tablespace)|RESET\s+SESSION)\b"
    rf"|(?:CREATE|ALTER|DROP)\s+(?:{_KINDS})\b|ALTER\s.*\sOWNER\s+TO\s|ALTER\s+EXTENSION\b"
    rf"|COMMENT\s+ON\s+(?:{_KINDS}|EXTENSION)\b"
    rf"|DROP\s|ALTER\s+TABLE\s.*\sDROP\s+(?:CONSTRAINT|DEFAULT)\b".encode(),  # of --clean: nothing is there yet
    re.IGNORECASE | re.DOTALL,
)
_NAME = rb'("(?:[^"]|"")+"|[A-Za-z_\x80-\xff][\w$\x80-\xff]*)'
_EXTENSION = re.compile(
    rb"CREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?" + _NAME + rb"(?:\s+WITH\s+SCHEMA\s+" + _NAME + rb")?",
    re.IGNORECASE,
)
_SCHEMA = re.compile(rb"CREATE\s+SCHEMA\s+" + _NAME + rb"$", re.IGNORECASE)
_POLICY = re.compile(rb"CREATE\s+POLICY\s.*?\sTO\s+(.+?)(?:\s+(?:USING|WITH)\s*\(|$)", re.IGNORECASE | re.DOTALL)
_NOT_THERE = ("0A000", "58P01")
"""Of CREATE EXTENSION: it is not installed here, or one of its files isn't."""


class Schemas(NamedTuple):
    """Those that are there before the load, and all that the dump names."""

    made: set[str]
    named: set[str]


class Extension(NamedTuple):
    """What a dump wants created."""

    name: str
    schema: str | None


def prepare(administrator: Any, database: str) -> Session:
    """A session of the role that loads, which owns the database from now on. Raises Failed."""
    try:
        own(administrator, database, LOADER)
        return Session(administrator, LOADER)
    except Refused as error:
        raise Failed(Why.ERROR, f"the throwaway database can't be prepared (SQLSTATE {error.sqlstate})") from None


def load_plain(chunks: Iterator[bytes], server: Server, database: str, scratch: Scratch) -> None:
    """Load plain SQL. Raises Failed: also where it doesn't say at its end that it is complete."""
    with server.connect(database) as administrator:
        session = prepare(administrator, database)
        try:
            script = Script(chunks)
            watched(lambda: _run(script, session, administrator, scratch), session, scratch.watch)
            if not any(words in script.tail for words in COMPLETE):
                raise Failed(Why.UNREADABLE, "the dump doesn't say at its end that it is complete: it was cut short")
        finally:
            session.close()


def _run(script: Script, session: Session, administrator: Any, scratch: Scratch) -> None:
    connects = 0
    for part in script.parts():
        if isinstance(part, Command):
            connects += part.name == b"connect"
            if connects > 1:
                raise Failed(Why.CANNOT_TEST, "it holds several databases: only a dump of one can be tested")
            continue
        try:
            if isinstance(part, Copy):
                session.copy(part.text, part.data)
            elif extension := extension_of(part):
                create(extension, administrator, session)
            elif not _LEFT_OUT.match(part.text) and schema_of(part) != "public":
                for role in roles_of(part):
                    make_role(administrator, role)
                session.run(part.text)
        except Refused as error:
            scratch.need()
            raise refused(error.sqlstate) from None


def extension_of(statement: Statement) -> Extension | None:
    """The extension that a statement creates; None where it is another statement."""
    found = _EXTENSION.match(statement.text)
    return Extension(_plain(found[1]), _plain(found[2]) if found[2] else None) if found else None


def schema_of(statement: Statement) -> str | None:
    """The schema that a statement creates."""
    found = _SCHEMA.match(statement.text)
    return _plain(found[1]) if found else None


def roles_of(statement: Statement) -> list[str]:
    """The roles that a policy on rows is for: they must be there, unlike owners and those with rights."""
    found = _POLICY.match(statement.text)
    names = re.findall(_NAME, found[1]) if found else []
    return [name for name in map(_plain, names) if name.lower() not in {"public", "current_user", "session_user"}]


def _plain(name: bytes) -> str:
    text = name.decode("utf-8", "replace")
    return text[1:-1].replace('""', '"') if text.startswith('"') else text


def create(extension: Extension, administrator: Any, session: Session) -> None:
    """Create it as the loading role where that may, else as the superuser. Raises Failed where it isn't installed."""
    may = trusted(administrator, extension.name)
    shown = extension.name if re.fullmatch(r"[A-Za-z0-9_-]{1,63}", extension.name) else "of another name"
    if may is None:
        raise Failed(Why.WRONG_VERSION, f"the extension {shown} is not installed here")
    try:
        if may:
            session.run(_statement(extension))
        else:
            make_extension(administrator, extension.name, extension.schema)
    except Refused as error:
        if error.sqlstate in _NOT_THERE:
            raise Failed(Why.WRONG_VERSION, f"the extension {shown} is not installed here") from None
        raise Failed(Why.WRONG_VERSION, f"the extension {shown} can't be created (SQLSTATE {error.sqlstate})") from None


def _statement(extension: Extension) -> bytes:
    def quoted(name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    schema = f" WITH SCHEMA {quoted(extension.schema)}" if extension.schema else ""
    return f"CREATE EXTENSION IF NOT EXISTS {quoted(extension.name)}{schema}".encode()


def beforehand(script: Script, administrator: Any, session: Session) -> Schemas:
    """From the definitions of an archive: make what its load needs.

    Raises Failed.
    """
    made: set[str] = {"public"}
    schemas: set[str] = {"public"}
    for part in script.parts():
        if isinstance(part, Copy):
            for _ in part.data:
                continue
        elif isinstance(part, Statement):
            try:
                if schema := schema_of(part):
                    schemas.add(schema)
                for role in roles_of(part):
                    make_role(administrator, role)
                extension = extension_of(part)
                if extension is None:
                    continue
                if extension.schema in schemas - made:
                    make_schema(administrator, str(extension.schema), LOADER)
                    made.add(str(extension.schema))
                create(extension, administrator, session)
            except Refused as error:
                raise refused(error.sqlstate) from None
    return Schemas(made, schemas)


def refused(sqlstate: str) -> Failed:
    """What a statement that the server refused says of the dump."""
    if sqlstate.startswith("53"):
        return Failed(Why.NO_SPACE)
    if sqlstate.startswith(("08", "57")):
        return Failed(Why.START_FAILED, "the server ended while the dump was loaded")
    if sqlstate == "42501":
        return Failed(Why.CANNOT_TEST, "the dump holds what only a superuser may create")
    if sqlstate.startswith("23"):
        return Failed(Why.CORRUPT, "rows of the dump contradict its own keys and constraints")
    return Failed(Why.UNREADABLE, f"the server refuses a statement of the dump (SQLSTATE {sqlstate})")
