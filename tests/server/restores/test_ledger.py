"""The books of a restored database, on real servers: right ones are found right, and each wrong is found."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from typing import Any

import pytest

from closewatch.books.sample import GAP_JOURNAL, entry, sample
from closewatch.restores.verify.ledger import compare
from tests.server.restores.conftest import Copy

pytestmark = pytest.mark.server

HINV = 1
MIDDLE = "HINV/2026/00025"


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
