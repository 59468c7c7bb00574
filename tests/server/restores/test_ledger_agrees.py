"""What the server sums up is what plain reading of all rows gives, whatever was done to the rows."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from closewatch.books.sample import sample
from closewatch.books.trial import fingerprint
from closewatch.restores.verify.books import Ledger
from tests.server.restores.conftest import Copy

pytestmark = pytest.mark.server

CHANGES = (
    "UPDATE account_move_line SET debit = debit + {amount} WHERE id = {line} AND credit = 0",
    "UPDATE account_move_line SET balance = balance - {amount} WHERE id = {line}",
    "UPDATE account_move_line SET debit = NULL WHERE id = {line} AND debit = 0",
    "UPDATE account_move_line SET account_id = 13 WHERE id = {line} AND account_id IS NOT NULL",
    "UPDATE account_move_line SET date = date - 1 WHERE id = {line}",
    "UPDATE account_move_line SET company_id = NULL WHERE id = {line}",
    "UPDATE account_move_line SET company_currency_id = 25 WHERE move_id = {move}",
    "DELETE FROM account_move_line WHERE id = {line}",
    "DELETE FROM account_move WHERE id = {move}",
    "UPDATE account_move SET state = 'draft' WHERE id = {move}",
    "UPDATE account_move SET state = 'draft', posted_before = NULL WHERE id = {move}",
    "UPDATE account_move SET state = 'cancel' WHERE id = {move}",
    "UPDATE account_move SET sequence_number = sequence_number + 7 WHERE id = {move}",
    "UPDATE account_move SET name = '/' WHERE id = {move}",
)
ITEMS = """
SELECT m.id, m.company_id, m.date, m.state, l.company_id, l.date, l.parent_state, COALESCE(c.decimal_places, 2),
       COALESCE(l.debit, 0), COALESCE(l.credit, 0), COALESCE(l.balance, 0), l.account_id, l.company_currency_id
  FROM account_move_line l JOIN account_move m ON m.id = l.move_id
  LEFT JOIN res_currency c ON c.id = l.company_currency_id
"""
NUMBERS = (
    "SELECT journal_id, sequence_prefix, sequence_number, state, posted_before FROM account_move WHERE name <> '/'"
)


@pytest.mark.parametrize("seed", range(4))
def test_the_servers_sums_are_those_of_plain_reading(copy: Callable[..., Copy], seed: int) -> None:
    made, dice = copy(sample(60)), random.Random(seed)
    for _ in range(40):
        amount = dice.choice(("0.01", "0.004", "5", "-0.3", "0.5"))
        change = dice.choice(CHANGES)
        made.sql(change.format(amount=amount, line=dice.randint(1, 180), move=dice.randint(1, 60)))
    ledger = made.look().ledger
    assert ledger is not None
    items = [row for row in made.sql(ITEMS) if row[3] == "posted"]
    by_entry(items, ledger)
    by_account(items, ledger)
    by_sequence(made.sql(NUMBERS), ledger)


def by_entry(items: list[tuple[Any, ...]], ledger: Ledger) -> None:
    entries: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in items:
        entries[row[0]].append(row)
    unbalanced, drifted, strayed = set(), set(), set()
    for entry, rows in entries.items():
        half = Decimal("0.5") / 10 ** max(row[7] for row in rows)
        if abs(sum(row[8] - row[9] for row in rows)) >= half or abs(sum(row[10] for row in rows)) >= half:
            unbalanced.add(entry)
        if any(abs(row[10] - row[8] + row[9]) >= half for row in rows):
            drifted.add(entry)
        if any((row[1], row[2], row[3]) != (row[4], row[5], row[6]) for row in rows):
            strayed.add(entry)
    found = ledger.balance
    assert unbalanced
    for expected, seen in ((unbalanced, found.unbalanced), (drifted, found.drifted), (strayed, found.strayed)):
        assert (seen.count, seen.first) == (len(expected), sorted(expected)[:5])


def by_account(items: list[tuple[Any, ...]], ledger: Ledger) -> None:
    sums: dict[Any, dict[int, tuple[Decimal, Decimal]]] = defaultdict(dict)
    for row in items:
        own = sums[row[1], row[12]]
        before = own.get(row[11] or 0, (Decimal(0), Decimal(0)))
        own[row[11] or 0] = (before[0] + row[8] - row[9], before[1] + row[10])
    found = {(each.company, each.currency): each.digest for each in ledger.trials}
    assert found == {key: fingerprint(own) for key, own in sums.items()}
    assert ledger.items == len(items)


def by_sequence(rows: list[tuple[Any, ...]], ledger: Ledger) -> None:
    taken: dict[Any, set[int]] = defaultdict(set)
    for journal, prefix, number, state, posted_before in rows:
        if state in {"posted", "cancel"} or posted_before:
            taken[journal, prefix].add(number)
    missing = {key: set(range(min(numbers), max(numbers))) - numbers for key, numbers in taken.items()}
    assert {(each.journal, each.prefix): each.missing for each in ledger.numbering.sequences} == {
        key: len(numbers) for key, numbers in missing.items()
    }
    for sequence, holes in ledger.numbering.holes:
        shown = {number for first, last in holes for number in range(first, last + 1)}
        assert shown <= missing[sequence.journal, sequence.prefix]
        assert len(holes) == 5 or shown == missing[sequence.journal, sequence.prefix]
