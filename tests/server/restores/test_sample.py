"""The sample ledger on real servers: a drill builds on it, so it must be what it says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from closewatch.books.sample import FIRST_ADDED, GAP, GAP_JOURNAL, entry, sample
from closewatch.engines.postgres import PostgresServer

pytestmark = pytest.mark.server


def test_it_loads_through_psql_and_as_one_query(
    postgres_server: PostgresServer, database: Callable[..., str], tmp_path: Path
) -> None:
    script = sample(60, [("ab/ab12", 3), ("cd/it's", 4)])
    (tmp_path / "sample.sql").write_text(script, encoding="utf-8")
    by_psql, by_query = database(load=tmp_path / "sample.sql"), database()
    postgres_server.sql(by_query, script)
    for name in (by_psql, by_query):
        assert postgres_server.value(name, "SELECT count(*) FROM account_move") == 60
        files = postgres_server.sql(name, "SELECT store_fname, file_size FROM ir_attachment ORDER BY id")
        assert files == [("ab/ab12", 3), ("cd/it's", 4)]


def test_it_is_balanced_but_for_nothing_and_has_one_gap(
    postgres_server: PostgresServer, database: Callable[..., str]
) -> None:
    name = database()
    postgres_server.sql(name, sample(90))
    unbalanced = "SELECT move_id FROM account_move_line GROUP BY 1 HAVING sum(debit - credit) <> 0 OR sum(balance) <> 0"
    assert postgres_server.sql(name, unbalanced) == []
    numbers = f"SELECT sequence_number FROM account_move WHERE journal_id = {GAP_JOURNAL} ORDER BY 1"
    assert [number for (number,) in postgres_server.sql(name, numbers)][:4] == [1, 2, GAP + 1, GAP + 2]
    currencies = (
        "SELECT DISTINCT c.name FROM account_move_line l JOIN res_currency c ON c.id = l.currency_id ORDER BY 1"
    )
    assert postgres_server.sql(name, currencies) == [("EUR",), ("JPY",), ("USD",)]


def test_an_entry_more_is_balanced_and_the_newest(
    postgres_server: PostgresServer, database: Callable[..., str]
) -> None:
    name = database()
    postgres_server.sql(name, sample(8))
    at = dt.datetime(2026, 11, 22, 7, 20, 0, 123456, tzinfo=dt.UTC)
    postgres_server.sql(name, entry(1, at))
    postgres_server.sql(name, entry(2))
    newest = "SELECT id FROM account_move ORDER BY create_date DESC LIMIT 1"
    first = f"SELECT create_date FROM account_move WHERE id = {FIRST_ADDED + 1}"
    assert postgres_server.value(name, newest) in {FIRST_ADDED + 1, FIRST_ADDED + 2}
    assert postgres_server.value(name, first) == at.replace(tzinfo=None)
    lines = f"SELECT count(*), sum(debit - credit), sum(balance) FROM account_move_line WHERE move_id > {FIRST_ADDED}"
    assert postgres_server.sql(name, lines) == [(4, 0, 0)]
