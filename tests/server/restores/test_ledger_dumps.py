"""The books of real Odoo databases. Their dumps lie beside the repository; where they don't, these tests skip."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from closewatch.restores.verify.ledger import compare
from tests.server.restores.conftest import Copy

pytestmark = pytest.mark.server

HINV = 16
"""The secured journal of company 1."""


@pytest.fixture
def odoo18(copy: Callable[..., Copy], shared_odoo: Path) -> Copy:
    return copy(load=shared_odoo / "odoo18.sql.gz")


def test_odoo_18(odoo18: Copy) -> None:
    assert odoo18.look().wrong() == []
    found = odoo18.payload()
    assert (found["odoo"]["series"], found["odoo"]["companies"]) == ("18.0", 2)
    ledger = found["ledger"]
    assert (ledger["hash"]["verified"], ledger["hash"]["chains"], ledger["hash"]["entries"]) == (90, 25, 90)
    assert (ledger["posted"]["count"], ledger["numbering"]["missing"]) == (182, 70)
    (gap,) = ledger["numbering"]["gaps"]
    assert (gap["prefix"], gap["holes"]) == ("INV/2026/", [[29, 98]])
    assert [each["zero"] for each in ledger["trial"]] == [True, True]


def test_odoo_15(copy: Callable[..., Copy], shared_odoo: Path) -> None:
    made = copy(load=shared_odoo / "odoo15.sql.gz")
    assert made.look().wrong() == []
    found = made.payload()
    assert found["odoo"]["series"] == "15.0"
    ledger = found["ledger"]
    assert (ledger["hash"]["verified"], ledger["hash"]["chains"], ledger["hash"]["entries"]) == (8, 1, 8)
    assert (ledger["posted"]["count"], ledger["numbering"]["gaps"][0]["holes"]) == (77, [[29, 98]])


def test_the_old_chain_of_odoo_15_notices_a_change(copy: Callable[..., Copy], shared_odoo: Path) -> None:
    made = copy(load=shared_odoo / "odoo15.sql.gz")
    made.sql(
        "UPDATE account_move_line SET name = 'x' WHERE id = (SELECT min(l.id) FROM account_move_line l"
        " JOIN account_move m ON m.id = l.move_id WHERE m.secure_sequence_number = 3)"
    )
    found = made.payload()["ledger"]["hash"]
    assert (found["verified"], found["skipped"], found["first_bad"][0]["prefix"]) == (2, 5, None)


def test_a_cent_more_breaks_the_balance_and_the_hash(odoo18: Copy) -> None:
    move = odoo18.entry("HINV/2026/00001", HINV)
    odoo18.sql(
        f"UPDATE account_move_line SET debit = debit + 0.01 WHERE id ="
        f" (SELECT min(id) FROM account_move_line WHERE move_id = {move} AND debit > 0)"
    )
    books = odoo18.look()
    assert books.wrong() == [
        "1 posted entry does not balance",
        "in 1 posted entry a balance is not debit minus credit",
        "the trial balance of company 1 is not zero",
        "1 chain of hashes is broken",
    ]
    assert books.ledger is not None
    assert books.ledger.balance.unbalanced.first == [move]
    assert odoo18.payload()["ledger"]["hash"]["first_bad"][0]["entry"] == move


def test_an_amount_on_a_line_in_yen_breaks_the_balance_not_the_hash(odoo18: Copy) -> None:
    move = odoo18.entry("HINV/2026/00003", HINV)
    odoo18.sql(f"UPDATE account_move_line SET debit = 2.81 WHERE move_id = {move} AND debit = 2.51")
    books = odoo18.look()
    assert [each.split(" ")[-1] for each in books.wrong()] == ["balance", "credit", "zero"]
    assert odoo18.payload()["ledger"]["hash"]["broken"] == 0


def test_the_last_hash_erased_is_noticed_by_what_was_recorded(odoo18: Copy) -> None:
    before = odoo18.payload()
    highest = odoo18.entry("HINV/2026/00007", HINV)
    odoo18.sql(f"UPDATE account_move SET inalterable_hash = NULL WHERE id = {highest}")
    books = odoo18.look(before)
    assert books.wrong() == []
    assert compare(before, books) == ["a secured sequence of journal 16 ends at 6, before the 7 recorded"]
    assert odoo18.payload()["ledger"]["hash"]["first_dropped"] == [highest]


@pytest.mark.parametrize(
    "how", ["DELETE FROM account_move", "UPDATE account_move SET name = NULL, sequence_number = 0"]
)
def test_a_number_taken_out_of_the_middle_is_a_gap(odoo18: Copy, how: str) -> None:
    move = odoo18.entry("INV/2026/00020", 1)
    odoo18.sql(f"SET session_replication_role = replica; {how} WHERE id = {move}")
    (gap,) = odoo18.payload()["ledger"]["numbering"]["gaps"]
    assert (gap["missing"], gap["holes"]) == (71, [[20, 20], [29, 98]])


def test_another_trial_balance_of_the_same_entries_is_noticed(odoo18: Copy) -> None:
    before = odoo18.payload()
    odoo18.sql(
        "UPDATE account_move_line l SET account_id = (SELECT min(id) FROM account_account) FROM account_move m"
        " WHERE m.id = l.move_id AND m.state = 'posted' AND m.inalterable_hash IS NULL AND l.account_id IS NOT NULL"
    )
    books = odoo18.look(before)
    assert books.wrong() == []
    assert compare(before, books) == ["the accounts have other sums than recorded, though no entry came or changed"]
