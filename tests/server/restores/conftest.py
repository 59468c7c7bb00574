"""Odoo databases on real servers, looked into as into a restored copy; and places to restore into."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from closewatch.books.sample import sample
from closewatch.core.deadline import Deadline
from closewatch.engines.postgres import PostgresServer
from closewatch.restores.scratch import Scratch
from closewatch.restores.verify.books import Books
from closewatch.restores.verify.ledger import look


@dataclass
class Copy:
    """A database, and what is found in it."""

    server: PostgresServer
    name: str

    def sql(self, text: str) -> list[tuple[Any, ...]]:
        return self.server.sql(self.name, text)

    def value(self, text: str) -> Any:
        return self.sql(text)[0][0]

    @contextmanager
    def open(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """A connection as `look` wants it."""
        with self.server.connect(self.name, autocommit=False) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            yield connection

    def look(self, before: Mapping[str, Any] | None = None) -> Books:
        with self.open() as connection:
            return look(connection, time.time(), before=before)

    def payload(self) -> Any:
        """As a record gives it back."""
        return json.loads(json.dumps(self.look().payload()))

    def entry(self, name: str, journal: int) -> int:
        """The id of an entry by its name."""
        return int(self.value(f"SELECT id FROM account_move WHERE name = '{name}' AND journal_id = {journal}"))


@pytest.fixture
def copy(postgres_server: PostgresServer, database: Callable[..., str]) -> Callable[..., Copy]:
    """Makes a database of a dump (`load`), or of a script; without either, of the sample ledger."""

    def make(script: str | None = None, *, load: Path | None = None) -> Copy:
        name = database(load=load)
        if load is None:
            postgres_server.sql(name, sample() if script is None else script)
        return Copy(postgres_server, name)

    return make


@pytest.fixture
def scratch_parent() -> Iterator[Path]:
    """A folder with a short name that anybody may reach."""
    with tempfile.TemporaryDirectory(prefix="cw-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def scratch(scratch_parent: Path) -> Iterator[Scratch]:
    """The place of a restore test."""
    with Scratch.create(
        scratch_parent,
        disk=2 * 1024**3,
        deadline=Deadline.after(60),
        stop=threading.Event(),
        progress=lambda phase, share: None,
    ) as made:
        yield made
