"""Odoo databases on real servers, watched as closewatch does it: by the weak role, with the grants of grants.sql.

The small ones are made of tests/data/odoo_*.sql for any version of Odoo and queue_job, and run everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import closewatch.odoo
from closewatch.core.scrape import Scrape
from closewatch.engines.postgres import PostgresServer
from tests.fixtures.watch import ROLE, Facts, Watched, grant

DATA = Path(__file__).parents[2] / "data"
GRANTS = Path(closewatch.odoo.__file__).with_name("grants.sql")
QUEUES = {"2021": ("2024", "2021"), "2024": ("2024",), "2026": ("2024", "2026")}
"""The files that make a layout of queue_job."""
OPERATIONS = {"15": ("15",), "16": ("16",), "17": ("16",), "18": ("16",), "19": ("16", "19")}
"""The files that make mail and accounting of a version of Odoo."""


@dataclass
class Odoo:
    """A database, and what closewatch says of it."""

    server: PostgresServer
    name: str
    watched: Watched

    def sql(self, text: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """Run statements as the administrator."""
        return self.server.sql(self.name, text, parameters)

    def value(self, text: str) -> Any:
        """The first column of the first row."""
        return self.sql(text)[0][0]

    def epoch(self, text: str) -> float:
        """A time in Odoo's tables, which is UTC without a zone, as seconds."""
        return float(self.value(f"SELECT extract(epoch FROM ({text}) AT TIME ZONE 'UTC')::float8"))

    def grant(self) -> None:
        """Run grants.sql, as after an upgrade."""
        self.server.load(self.name, GRANTS, role=ROLE)

    def ask(self) -> Facts:
        """A scrape by the weak role; twice more where a machine that is busy let a statement run into its limit."""
        facts = self.watched.ask(self.name)
        for _ in range(2):
            if "timeout" in facts.failing.values():
                self.watched.due(self.name)
                facts = self.watched.ask(self.name)
        return facts

    @property
    def scrape(self) -> Scrape:
        return self.watched.scrape(self.name)

    def insert(self, table: str, *rows: dict[str, Any]) -> None:
        """Write rows. A text that begins with = is SQL: `eta="=ago('1 hour')"`."""
        for row in rows:
            values = [value[1:] if str(value).startswith("=") else "%s" for value in row.values()]
            plain = [value for value in row.values() if not str(value).startswith("=")]
            self.sql(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(values)})", plain)


AGO = """
CREATE FUNCTION ago(text) RETURNS timestamp LANGUAGE sql STABLE
AS $$ SELECT (now() AT TIME ZONE 'UTC') - $1::interval $$
"""


@pytest.fixture
def watch_database(
    postgres_server: PostgresServer, database: Callable[..., str], watching: Callable[..., Watched]
) -> Callable[..., Odoo]:
    """Makes an empty database in a server, once for each version; watched, but without any grants on its tables."""

    def make(name: str | None = None) -> Odoo:
        grant(postgres_server)
        made = database(name)
        server = {"kind": "postgresql", "name": "pg", "hosts": [postgres_server.address]}
        watched = watching(server, {"kind": "odoo", "name": made, "server": "pg", "database": made})
        odoo = Odoo(postgres_server, made, watched)
        odoo.sql(AGO)
        return odoo

    return make


@pytest.fixture
def odoo(watch_database: Callable[..., Odoo]) -> Callable[..., Odoo]:
    """Makes a small Odoo database: `odoo("18")`, `odoo("17", queue="2024")`, or `odoo("16", operations=True)`.

    With `operations` it has mail, files and the accounting; with `feeds` also the modules that fetch bank statements.
    """

    def make(version: str = "18", queue: str | None = None, *, operations: bool = False, feeds: bool = False) -> Odoo:
        made = watch_database()
        files = ["core", version, *(f"queue_job_{layout}" for layout in QUEUES.get(queue or "", ()))]
        if operations or feeds:
            files += ["operations", *(f"operations_{layout}" for layout in OPERATIONS[version])]
        files += ["bank_feeds"] if feeds else []
        for file in files:
            made.sql((DATA / f"odoo_{file}.sql").read_text(encoding="utf-8"))
        made.grant()
        return made

    return make
