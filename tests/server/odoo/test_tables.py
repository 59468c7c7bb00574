"""The collector `tables`: what autovacuum would say, by its own reckoning, on tables made to be overdue."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from closewatch.engines.postgres import PostgresServer
from closewatch.odoo.tables import TABLES
from tests.fixtures.watch import ROLE, SECRET, Facts, grant
from tests.server.odoo.conftest import Odoo
from tests.server.postgresql.watching import Watcher

OVERDUE, WORST, DISABLED = "odoo_vacuum_overdue_tables", "odoo_vacuum_overdue_ratio", "odoo_vacuum_disabled_tables"


class Books:
    """A database without autovacuum in its server, and what closewatch says of its tables."""

    def __init__(self, server: PostgresServer, name: str) -> None:
        self.server, self.name = server, name
        self.watcher = Watcher(server, ROLE, SECRET, name)

    def sql(self, text: str) -> None:
        self.server.sql(self.name, text)

    def table(self, name: str, rows: int, dead: int, options: str = "") -> None:
        """A table that was vacuumed with so many rows, of which so many are dead since."""
        with_options = f"WITH ({options})" if options else ""
        self.sql(f"CREATE TABLE {name} {with_options} AS SELECT i, ''::text AS note FROM generate_series(1, {rows}) i")
        self.sql(f"VACUUM ANALYZE {name}")
        self.sql(f"DELETE FROM {name} WHERE i <= {dead}")

    def ask(self) -> Facts:
        return self.watcher.ask(TABLES)

    def until(self, name: str, expected: float) -> Facts:
        return self.watcher.until(TABLES, f"{name} is {expected}", name, expected)


@pytest.fixture
def books(new_postgres: Callable[..., PostgresServer]):
    server = new_postgres({"autovacuum": "off"})
    grant(server)
    server.create_database("books")
    made = Books(server, "books")
    yield made
    made.watcher.close()


def test_nothing_is_overdue_in_a_new_database(books: Books):
    facts = books.ask()
    assert facts.one(OVERDUE) == 0
    assert facts.one(WORST) < 1
    assert facts.one(DISABLED) == 0


def test_dead_rows_count_against_threshold_and_share(books: Books):
    """50 + 20 % of 1,000 rows: 250 dead ones are not more, 251 are."""
    books.table("account_move", 1_000, 250)
    books.until(WORST, 1.0)
    assert books.ask().one(OVERDUE) == 0
    books.sql("DELETE FROM account_move WHERE i = 251")
    assert books.until(WORST, 251 / 250).one(OVERDUE) == 1
    books.sql("VACUUM account_move")
    assert books.until(OVERDUE, 0).one(WORST) < 1


def test_what_is_set_for_a_table_wins(books: Books):
    books.table("late", 1_000, 100, "autovacuum_vacuum_threshold = 10, autovacuum_vacuum_scale_factor = 0")
    books.table("lax", 1_000, 900, "autovacuum_vacuum_scale_factor = 0.9")
    books.table("never", 100, 0, "autovacuum_enabled = off")
    facts = books.until(WORST, 10.0)
    assert facts.one(OVERDUE) == 1
    assert facts.one(DISABLED) == 1


@pytest.mark.pg(">=18")
def test_a_maximum_bounds_the_threshold(books: Books):
    books.table("wide", 20_000, 2_000)
    books.table("own", 20_000, 2_000, "autovacuum_vacuum_max_threshold = -1")
    books.table("tight", 20_000, 2_000, "autovacuum_vacuum_max_threshold = 500")
    assert books.until(WORST, 4.0).one(OVERDUE) == 1
    books.server.configure(autovacuum_vacuum_max_threshold="1000")
    assert books.until(OVERDUE, 2).one(WORST) == 4.0


def test_the_texts_beside_a_table_are_a_table_with_its_options(books: Books):
    books.sql("CREATE TABLE mail_message (i int, body text) WITH (autovacuum_vacuum_threshold = 9)")
    books.sql("ALTER TABLE mail_message ALTER body SET STORAGE EXTERNAL, SET (autovacuum_vacuum_scale_factor = 0)")
    books.sql("INSERT INTO mail_message SELECT i, repeat('x', 9000) FROM generate_series(1, 100) i")
    books.sql("VACUUM mail_message")
    books.sql("UPDATE mail_message SET body = repeat('y', 9000) WHERE i <= 9")
    # Each text takes several rows of 2,000 bytes: nine dead rows aren't more than nine, those of its texts are.
    assert books.until(OVERDUE, 1).one(WORST) > 4


def test_without_counts_nothing_is_said(books: Books):
    books.table("account_move", 100, 100)
    books.until(OVERDUE, 1)
    books.server.configure(track_counts="off")
    assert Books(books.server, "books").until(DISABLED, 0).all(OVERDUE) == []


def test_a_scrape_of_an_odoo_database_has_them_with_its_grants(odoo: Callable[..., Odoo]):
    facts = odoo("18", queue="2026").ask()
    assert facts.failing == {}
    assert facts.one(DISABLED) == 0
    assert len(facts.all(OVERDUE)) == len(facts.all(WORST)) == 1
