"""Chains of hashes as the server hands them over: after an upgrade, in chunks, and of several companies."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from typing import Any

import pytest

from closewatch.books.sample import sample
from closewatch.restores.verify import ledger
from tests.server.restores.conftest import Copy

pytestmark = pytest.mark.server

# The text of version 3 is that of version 4: only the stored form differs. So this is what an upgrade from 17 leaves.
UPGRADED = """
UPDATE account_move SET secure_sequence_number = sequence_number, inalterable_hash = substr(inalterable_hash, 4)
 WHERE journal_id = 1 AND sequence_number <= 10;
UPDATE account_move SET secure_sequence_number = 0 WHERE journal_id = 1 AND sequence_number > 10
"""


def chains(copy: Copy) -> list[tuple[Any, ...]]:
    found = copy.look().ledger
    assert found is not None
    assert found.secured is not None
    return [(each.journal, each.prefix, each.verified, each.bad, each.skipped) for each in found.secured.chains]


def test_a_chain_goes_on_after_an_upgrade(copy: Callable[..., Copy]) -> None:
    made = copy()
    made.sql(UPGRADED)
    assert chains(made) == [
        (1, None, 10, None, 0),
        (1, "HINV/2026/", 40, None, 0),
        (3, "HINV/2026/", 50, None, 0),
    ]


def test_the_last_hash_before_an_upgrade_holds_the_first_after_it(copy: Callable[..., Copy]) -> None:
    made = copy()
    made.sql(UPGRADED)
    tenth, eleventh = (made.entry(f"HINV/2026/{number:05d}", 1) for number in (10, 11))
    made.sql(f"UPDATE account_move SET inalterable_hash = NULL WHERE id = {tenth}")
    assert chains(made)[:2] == [(1, None, 9, None, 0), (1, "HINV/2026/", 0, eleventh, 39)]


@pytest.mark.parametrize("size", [1, 7, 50])
def test_chunks_cut_no_chain(copy: Callable[..., Copy], monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    made = copy()
    whole, payload = chains(made), made.payload()
    monkeypatch.setattr(ledger, "CHUNK", size)
    assert chains(made) == whole
    assert made.payload()["figures"] == payload["figures"]


def test_rows_in_any_order_on_disk_are_read_in_the_order_of_the_chain(copy: Callable[..., Copy]) -> None:
    made = copy()
    whole, ids = chains(made), list(range(1, 201))
    random.Random(5).shuffle(ids)
    for each in ids:
        made.sql(f"UPDATE account_move SET ref = 'moved' WHERE id = {each}")
    assert chains(made) == whole


def test_a_ledger_that_goes_over_a_year_has_a_chain_for_each(copy: Callable[..., Copy]) -> None:
    found = chains(copy(sample(80, start=dt.date(2025, 9, 1))))
    assert [each[:2] for each in found] == [(journal, f"HINV/{year}/") for journal in (1, 3) for year in (2025, 2026)]
    assert (sum(each[2] for each in found), [each[3] for each in found]) == (40, [None] * 4)


def test_an_entry_that_lost_all_its_items_is_counted(copy: Callable[..., Copy]) -> None:
    made = copy()
    made.sql("DELETE FROM account_move_line WHERE move_id = 6")
    assert made.payload()["ledger"]["posted"]["without_items"] == 1
