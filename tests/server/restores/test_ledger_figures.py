"""The books against the figures that were recorded earlier: what contradicts them, and what is only newer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from closewatch.books.sample import GAP_JOURNAL, LOAD_JOURNAL, entry, sample
from closewatch.restores.verify.ledger import another, compare, figures, look
from tests.server.restores.conftest import Copy

pytestmark = pytest.mark.server

HINV = 1
LAST = "HINV/2026/00050"


def test_drafts_are_not_judged(copy: Callable[..., Copy]) -> None:
    made = copy()
    before = made.payload()
    made.sql(entry(1, dt.datetime(2026, 11, 22, tzinfo=dt.UTC)))
    made.sql(f"UPDATE account_move SET state = 'draft', posted_before = false WHERE journal_id = {LOAD_JOURNAL}")
    made.sql("UPDATE account_move_line SET debit = debit + 5 WHERE name = 'load' AND debit > 0")
    books = made.look()
    assert (books.wrong(), compare(before, books)) == ([], [])
    assert books.figures() == before["figures"]


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
