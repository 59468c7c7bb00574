"""Databases that are not quite Odoo's, or mean harm, and connections that won't do."""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg
import pytest

from closewatch.books.sample import sample
from closewatch.restores.verify import ledger_queries
from closewatch.restores.verify.ledger import compare, look
from tests.server.restores.conftest import Copy

pytestmark = pytest.mark.server


def test_a_database_that_is_not_odoos_has_no_books(copy: Callable[..., Copy]) -> None:
    books = copy("SELECT 1").look()
    assert (books.odoo, books.ledger, books.wrong()) == (None, None, [])
    assert books.payload()["figures"] == {}


@pytest.mark.parametrize(
    "script",
    [
        "DELETE FROM ir_module_module",
        "ALTER TABLE ir_module_module DROP state",
        "ALTER TABLE ir_module_module RENAME TO real; CREATE VIEW ir_module_module AS SELECT * FROM real",
    ],
)
def test_what_only_looks_like_odoo_is_not(copy: Callable[..., Copy], script: str) -> None:
    made = copy(sample(4))
    made.sql(script)
    assert made.look().odoo is None


def test_an_odoo_without_accounting_has_no_ledger(copy: Callable[..., Copy]) -> None:
    made = copy(sample(4))
    made.sql("DROP TABLE account_move, account_move_line; DELETE FROM ir_module_module WHERE name = 'account'")
    books = made.look()
    assert books.odoo is not None
    assert (books.odoo.series, books.ledger, books.wrong()) == ("18.0", None, [])
    assert books.figures()["identity"] == books.odoo.identity


@pytest.mark.parametrize(
    "script",
    [
        "DROP TABLE account_move_line",
        "ALTER TABLE account_move_line DROP balance",
        "ALTER TABLE account_move RENAME TO real; CREATE VIEW account_move AS SELECT * FROM real",
    ],
)
def test_an_odoo_whose_accounting_is_lost_is_wrong(copy: Callable[..., Copy], script: str) -> None:
    made = copy(sample(4))
    before = made.payload()
    made.sql(script)
    books = made.look()
    assert books.wrong() == ["accounting is installed, but its tables are missing or of an unknown form"]
    assert books.payload()["ledger"] is None
    assert len(compare(before, books)) > 2


def test_columns_that_a_version_lacks_are_done_without(copy: Callable[..., Copy]) -> None:
    made = copy(sample(40))
    made.sql("ALTER TABLE account_move DROP secure_sequence_number, DROP posted_before")
    made.sql("ALTER TABLE account_journal DROP restrict_mode_hash_table; DROP TABLE ir_config_parameter, res_company")
    books = made.look()
    assert books.odoo is not None
    assert books.ledger is not None
    assert (books.odoo.identity, books.odoo.neutralised, books.odoo.companies, books.wrong()) == (None, None, None, [])
    made.sql("ALTER TABLE account_move DROP inalterable_hash")
    ledger = made.look().ledger
    assert ledger is not None
    assert ledger.secured is None
    assert made.payload()["ledger"]["hash"] is None


def test_an_odd_version_and_pending_modules_are_said(copy: Callable[..., Copy]) -> None:
    made = copy(sample(4))
    made.sql("UPDATE ir_module_module SET latest_version = 'drop table; 18' WHERE name = 'base'")
    made.sql("UPDATE ir_module_module SET state = 'to install' WHERE name = 'crm'")
    made.sql("UPDATE ir_module_module SET state = 'to upgrade' WHERE name = 'mail'")
    made.sql("INSERT INTO ir_config_parameter (id, key, value) VALUES (2, 'database.is_neutralized', 'true')")
    odoo = made.look().odoo
    assert odoo is not None
    assert (odoo.series, odoo.base, odoo.pending, odoo.modules, odoo.neutralised) == ("unknown", "unknown", 2, 4, True)


def test_functions_of_the_database_are_not_run(copy: Callable[..., Copy]) -> None:
    made = copy(sample(8))
    made.sql(f"ALTER DATABASE {made.name} SET search_path = evil, pg_catalog, public")
    made.sql("""CREATE SCHEMA evil;
    CREATE FUNCTION evil.abs(numeric) RETURNS numeric LANGUAGE plpgsql AS $$BEGIN RAISE 'run'; END$$;
    CREATE FUNCTION evil.to_char(date, text) RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE 'run'; END$$;
    CREATE FUNCTION evil.current_setting(text) RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE 'run'; END$$;
    CREATE FUNCTION evil.ne(numeric, integer) RETURNS bool LANGUAGE plpgsql AS $$BEGIN RAISE 'run'; END$$;
    CREATE OPERATOR evil.<> (LEFTARG = numeric, RIGHTARG = integer, FUNCTION = evil.ne)""")
    assert made.look().wrong() == []


@pytest.mark.parametrize("setting", ["read_only", "isolation"])
def test_a_connection_that_could_write_or_see_two_moments_is_refused(copy: Callable[..., Copy], setting: str) -> None:
    made = copy(sample(4))
    with made.server.connect(made.name, autocommit=False) as connection:
        connection.read_only = setting == "read_only"
        if setting == "isolation":
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with pytest.raises(ValueError, match="REPEATABLE READ"):
            look(connection, time.time())


def test_it_can_be_stopped_and_leaves_the_connection_usable(copy: Callable[..., Copy]) -> None:
    made = copy()
    calls = iter(range(10**6))

    def stop() -> None:
        if next(calls) == 8:
            raise TimeoutError

    with made.open() as connection:
        with pytest.raises(TimeoutError):
            look(connection, time.time(), pause=stop)
        assert look(connection, time.time()).wrong() == []


def test_times_at_the_end_of_time_are_left_out(copy: Callable[..., Copy]) -> None:
    made = copy(sample(20))
    before = made.payload()["ledger"]["posted"]
    made.sql(
        "UPDATE account_move SET create_date = 'infinity', write_date = '-infinity', date = 'infinity' WHERE id = 2"
    )
    after = made.payload()["ledger"]["posted"]
    assert {key: after[key] for key in ("newest_created", "newest_date")} == {
        key: before[key] for key in ("newest_created", "newest_date")
    }


def test_every_column_that_is_asked_for_unconditionally_is_demanded() -> None:
    assert ledger_queries.covers({}, {}) is True
    assert ledger_queries.covers({"a": frozenset({"x"})}, {"a": {"x", "y"}}) is False
    assert ledger_queries.covers({}, {"a": set()}) is True
