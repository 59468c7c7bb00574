"""The books of a restored database, on real servers: right ones are found right, and each wrong is found."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from closewatch.books.sample import GAP_JOURNAL, LOAD_JOURNAL, entry, sample
from closewatch.restores.verify import ledger_queries
from closewatch.restores.verify.ledger import another, compare, figures, look
from tests.server.restores.conftest import Copy

pytestmark = pytest.mark.server

HINV = 1
MIDDLE, LAST = "HINV/2026/00025", "HINV/2026/00050"


def first_line(copy: Copy, name: str, where: str = "debit > 0") -> str:
    move = copy.entry(name, HINV)
    return f"id = (SELECT min(id) FROM account_move_line WHERE move_id = {move} AND {where})"


def test_right_books_are_right(copy: Callable[..., Copy]) -> None:
    books = copy().look()
    assert books.wrong() == []
    found: Any = books.payload()
    assert (found["odoo"]["series"], found["odoo"]["base"], found["odoo"]["modules"]) == ("18.0", "18.0.1.3", 4)
    assert (found["odoo"]["pending"], found["odoo"]["neutralised"], found["odoo"]["companies"]) == (0, False, 2)
    ledger = found["ledger"]
    assert ledger["posted"]["by_company"] == {"1": 100, "2": 100}
    assert [(each["company"], each["currency"], each["zero"]) for each in ledger["trial"]] == [
        (1, 125, True),
        (2, 1, True),
    ]
    assert (ledger["hash"]["chains"], ledger["hash"]["verified"], ledger["hash"]["entries"]) == (2, 100, 100)
    assert ledger["numbering"]["missing"] == 1
    assert ledger["numbering"]["gaps"] == [
        {"journal": GAP_JOURNAL, "prefix": "BNK1/2026/", "missing": 1, "holes": [[3, 3]]}
    ]


def test_a_payload_has_no_float_and_survives_a_record(copy: Callable[..., Copy]) -> None:
    def plain(value: Any) -> bool:
        if isinstance(value, dict):
            return all(isinstance(key, str) and plain(each) for key, each in value.items())
        return all(map(plain, value)) if isinstance(value, list) else value is None or type(value) in {str, int, bool}

    made = copy()
    assert plain(made.look().payload())
    assert made.payload()["ledger"] == made.look().payload()["ledger"]
    assert compare(made.payload(), made.look()) == []


def test_the_newest_entry_is_told_to_the_microsecond(copy: Callable[..., Copy]) -> None:
    made = copy(sample(20))
    at = dt.datetime(2026, 11, 22, 7, 20, 0, 123456, tzinfo=dt.UTC)
    made.sql(
        f"ALTER DATABASE {made.name} SET TimeZone = 'Asia/Tokyo'; ALTER DATABASE {made.name} SET DateStyle = 'SQL'"
    )
    made.sql(entry(1, at))
    made.sql("UPDATE account_move SET write_date = timestamp '2026-11-22 08:00' WHERE id = 1")
    ledger = made.look().ledger
    assert ledger is not None
    posted = ledger.posted
    assert posted.newest_created == "2026-11-22T07:20:00.123456Z"
    assert (posted.newest_written, posted.newest_date) == ("2026-11-22T08:00:00.000000Z", "2026-11-22")


def test_entries_from_the_future_are_counted(copy: Callable[..., Copy]) -> None:
    made = copy(sample(20, start=dt.date(2024, 1, 1)))
    for number, ahead in enumerate((-60, 60, 4000), 1):
        made.sql(entry(number, dt.datetime.fromtimestamp(time.time() + ahead, dt.UTC)))
    ledger = made.look().ledger
    assert ledger is not None
    assert ledger.posted.future == 1


BALANCE, ITEM, TRIAL, HASH = (
    "1 posted entry does not balance",
    "in 1 posted entry a balance is not debit minus credit",
    "the trial balance of company 1 is not zero",
    "1 chain of hashes is broken",
)
LINE = "UPDATE account_move_line SET {change} WHERE {{line}}"
TWICE = """
DROP INDEX account_move_unique_name;
UPDATE account_move SET name = 'BNK1/2026/00001', sequence_number = 1 WHERE name = 'BNK1/2026/00002'
"""
NO_NUMBER = "ALTER TABLE account_move_line DROP CONSTRAINT account_move_line_check; "
WRONG = {
    "debit": (LINE.format(change="debit = debit + 0.01"), [BALANCE, ITEM, TRIAL, HASH]),
    "balance": (LINE.format(change="balance = balance + 0.01"), [BALANCE, ITEM, TRIAL]),
    "account": (LINE.format(change="account_id = 12"), [HASH]),
    "text": (LINE.format(change="name = 'x'"), [HASH]),
    "no number": (NO_NUMBER + LINE.format(change="debit = 'NaN'"), [BALANCE, ITEM, TRIAL, HASH]),
    "hash": ("UPDATE account_move SET inalterable_hash = NULL WHERE id = {move}", [HASH]),
    "item": ("DELETE FROM account_move_line WHERE {line}", [BALANCE, TRIAL, HASH]),
    "items": ("TRUNCATE account_move_line", ["the posted entries have no items", "2 chains of hashes are broken"]),
    "number": (TWICE, ["1 number is held by several posted entries of one journal"]),
}


@pytest.mark.parametrize("what", sorted(WRONG))
def test_wrong_books_are_wrong(copy: Callable[..., Copy], what: str) -> None:
    made = copy()
    script, words = WRONG[what]
    made.sql(script.format(line=first_line(made, MIDDLE), move=made.entry(MIDDLE, HINV)))
    assert made.look().wrong() == words


def test_a_broken_chain_says_where_and_how_much_is_not_known(copy: Callable[..., Copy]) -> None:
    made = copy()
    made.sql(f"UPDATE account_move_line SET name = 'x' WHERE {first_line(made, MIDDLE)}")
    found = made.payload()["ledger"]["hash"]
    expected = {"journal": HINV, "prefix": "HINV/2026/", "verified": 24, "skipped": 25}
    assert found["first_bad"] == [{**expected, "entry": made.entry(MIDDLE, HINV)}]
    assert (found["verified"], found["skipped"], found["broken"]) == (74, 25, 1)


def test_copies_that_strayed_are_found_but_not_wrong(copy: Callable[..., Copy]) -> None:
    made = copy()
    for number, change in enumerate(("parent_state = 'draft'", "date = date + 1", "company_id = 2"), 5):
        move = f"(SELECT id FROM account_move WHERE name = 'BNK1/2026/{number:05d}')"
        made.sql(f"UPDATE account_move_line SET {change} WHERE move_id = {move}")
    books = made.look()
    assert books.ledger is not None
    assert (books.ledger.balance.strayed.count, books.wrong()) == (3, [])


def test_less_than_a_cent_is_a_finding(copy: Callable[..., Copy]) -> None:
    made = copy()
    made.sql(f"UPDATE account_move_line SET debit = debit + 0.004 WHERE {first_line(made, MIDDLE)}")
    books = made.look()
    assert books.ledger is not None
    assert (books.ledger.balance.finer.first, books.wrong()) == ([made.entry(MIDDLE, HINV)], [])


def test_drafts_are_not_judged(copy: Callable[..., Copy]) -> None:
    made = copy()
    before = made.payload()
    made.sql(entry(1, dt.datetime(2026, 11, 22, tzinfo=dt.UTC)))
    made.sql(f"UPDATE account_move SET state = 'draft', posted_before = false WHERE journal_id = {LOAD_JOURNAL}")
    made.sql("UPDATE account_move_line SET debit = debit + 5 WHERE name = 'load' AND debit > 0")
    books = made.look()
    assert (books.wrong(), compare(before, books)) == ([], [])
    assert books.figures() == before["figures"]


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ("DELETE FROM account_move WHERE name = 'BNK1/2026/00010'", 2),
        ("UPDATE account_move SET state = 'cancel' WHERE name = 'BNK1/2026/00010'", 1),
        ("UPDATE account_move SET state = 'draft' WHERE name = 'BNK1/2026/00010'", 1),
        ("UPDATE account_move SET state = 'draft', posted_before = NULL WHERE name = 'BNK1/2026/00010'", 2),
        ("ALTER TABLE account_move DROP posted_before", 1),
        ("DELETE FROM account_move WHERE name = 'BNK1/2026/00051'", 1),
    ],
)
def test_a_number_is_there_while_an_entry_that_was_posted_has_it(
    copy: Callable[..., Copy], change: str, missing: int
) -> None:
    made = copy()
    made.sql(change)
    assert made.payload()["ledger"]["numbering"]["missing"] == missing


def test_entries_without_a_hash_are_told_from_those_that_lost_it(copy: Callable[..., Copy]) -> None:
    made = copy()
    before = made.payload()
    move = made.entry(LAST, HINV)
    made.sql(f"UPDATE account_move SET inalterable_hash = NULL WHERE id = {move}")
    made.sql(f"UPDATE account_journal SET restrict_mode_hash_table = true WHERE id = {GAP_JOURNAL}")
    books = made.look()
    assert books.wrong() == []
    secured = made.payload()["ledger"]["hash"]
    assert (secured["unsecured"], secured["dropped"], secured["first_dropped"]) == (51, 1, [move])
    assert compare(before, books) == ["a secured sequence of journal 1 ends at 49, before the 50 recorded"]


def test_what_came_later_contradicts_nothing_and_what_is_gone_does(copy: Callable[..., Copy]) -> None:
    made = copy()
    made.sql(entry(1, dt.datetime(2026, 11, 22, 7, tzinfo=dt.UTC)))
    before = made.payload()
    made.sql(entry(2, dt.datetime(2026, 11, 22, 8, tzinfo=dt.UTC)))
    assert compare(before, made.look(before)) == []
    assert compare(made.payload(), made.look()) == []
    made.sql(f"DELETE FROM account_move WHERE journal_id = {LOAD_JOURNAL}")
    said = compare(before, made.look(before))
    assert len(said) == 4
    assert "company 1 has 100 posted entries, fewer than the 101 recorded" in said


def test_a_recorded_hash_is_found_again_in_a_chain_that_grew(copy: Callable[..., Copy]) -> None:
    whole = copy(sample(200))
    early = copy(sample(200))
    early.sql("DELETE FROM account_move_line WHERE move_id > 100; DELETE FROM account_move WHERE id > 100")
    before = early.payload()
    assert compare(before, whole.look(before)) == []
    before["figures"]["heads"][0][3] = "$4$" + "0" * 64
    assert ["no longer has the hash" in each for each in compare(before, whole.look(before))] == [True]


def test_another_database_is_known_as_another(copy: Callable[..., Copy]) -> None:
    before = copy().payload()
    books = copy(sample(name="other")).look()
    assert another(before, books)
    assert compare(before, books) == ["the database's identity is another than recorded"]
    assert not another(before, copy().look())
    assert not another({}, books)


def test_figures_at_the_time_of_a_backup_are_the_payload_of_a_look(copy: Callable[..., Copy]) -> None:
    made = copy(sample(40))
    with made.open() as connection:
        assert figures(connection, 1.0) == look(connection, 1.0).payload()


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
    made.sql("DROP TABLE account_move, account_move_line")
    books = made.look()
    assert books.odoo is not None
    assert (books.odoo.series, books.ledger, books.wrong()) == ("18.0", None, [])
    assert books.figures()["identity"] == books.odoo.identity


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
