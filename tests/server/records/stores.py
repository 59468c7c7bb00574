"""The stores there are, as a test uses them: opened by who works, by who only reads, and by who owns the tables."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from closewatch.core.records import Chain, Store
from closewatch.core.records.record import timestamp
from closewatch.core.records.sqlite import SqliteStore
from closewatch.engines.postgres import PostgresServer
from closewatch.records.settings import PostgresqlPlace
from closewatch.sources.postgresql.recordtables import script
from tests.fixtures.secrets import NEVER_SHOWN

CHAIN = Chain("restore", "restores", "acme")
WORKER, READER = 'close"worker', "closereader"


def about(at: float = 0.0, result: str = "passed", reason: str | None = None) -> dict[str, object]:
    names = {"check": "restore", "check_version": 1, "kind": "restores", "target": "acme"}
    return {**names, "start": timestamp(at), "end": timestamp(at + 1), "result": result, "reason": reason}


def add(store: Store, at: float, **more: str) -> None:
    lease = store.lease(CHAIN, "me", 60)
    assert lease is not None
    store.append(lease, about(at, **more), {"at": int(at)})


@dataclass
class Place:
    """Where a store is. `keys` are what another process needs to open it."""

    keys: dict[str, Any]
    opened: list[Store] = field(default_factory=list)

    def open(self, *, read_only: bool = False) -> Store:
        self.opened.append(opened(self.keys, read_only=read_only))
        return self.opened[-1]

    def force(self, text: str, *values: str) -> None:
        """Run a statement as who owns the tables. Raises the driver's error."""
        if "path" in self.keys:
            with sqlite3.connect(self.keys["path"]) as connection:
                connection.execute(text, values)
            connection.close()
            return
        with psycopg.connect(self.keys["owner"], autocommit=True) as connection:
            connection.execute("SET search_path = closewatch")
            connection.execute(text.replace("?", "%s").encode(), values)

    def close(self) -> None:
        for store in self.opened:
            store.close()

    def disarm(self) -> None:
        """Take the triggers away, as only the owner can."""
        if "path" in self.keys:
            with sqlite3.connect(self.keys["path"]) as connection:
                for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                    connection.execute(f"DROP TRIGGER {name}")
            connection.close()
            return
        self.force("ALTER TABLE record DISABLE TRIGGER USER")


def opened(keys: dict[str, Any], *, read_only: bool = False) -> Store:
    """The store of a place."""
    if "path" in keys:
        return SqliteStore(Path(keys["path"]), read_only=read_only)
    both = settings(keys, WORKER).model_copy(update={"reader": settings(keys, READER)})
    return both.store(read_only=read_only)


def settings(keys: dict[str, Any], user: str) -> PostgresqlPlace:
    """How a role logs in."""
    login = {"hosts": keys["hosts"], "database": keys["database"], "user": user}
    return PostgresqlPlace.model_validate({**login, "password": {"file": keys["secret"]}})


@contextlib.contextmanager
def in_file(folder: Path) -> Iterator[Place]:
    """A file, which is made."""
    place = Place({"path": str(folder / "records.db")})
    place.open()
    yield place
    place.close()


@contextlib.contextmanager
def in_database(server: PostgresServer, folder: Path) -> Iterator[Place]:
    """A database with the tables, which goes away with its roles."""
    for role in (WORKER, READER):
        server.create_role(role, NEVER_SHOWN)
    server.create_database("records")
    (folder / "secret").write_text(NEVER_SHOWN, encoding="ascii")
    owner = server.dsn("records")
    for _ in range(2):  # what is there already is left as it is
        with psycopg.connect(owner, autocommit=True) as connection:
            connection.execute(script(WORKER, READER).encode())
    keys = {"hosts": [server.address], "database": "records", "secret": str(folder / "secret"), "owner": owner}
    place = Place(keys)
    try:
        yield place
    finally:
        place.close()
        server.drop_database("records")
        for role in (WORKER, READER):
            server.drop_role(role)
