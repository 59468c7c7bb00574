"""Does each entry balance? Odoo checks it in Python alone: SQL, or a bad module, can break it unseen.

Reports read `balance`, the hash covers `debit` and `credit`: an item in which these say different things is as wrong
as an entry that doesn't sum to zero. Less than half of the currency's smallest unit is not an error; it is counted.
An item also holds copies of its entry's state, date and company; reports filter by the copies.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Context, Decimal

FEW = 5
"""Ids that are shown of what may be many."""
PLACES = 2
"""Decimal places where the currency is not known."""
EXACT = Context(prec=400, traps=[])
"""Sums of amounts are never rounded."""


@dataclass(frozen=True, slots=True)
class Sums:
    """An entry, summed over its items. `decimals` are those of the company's currency."""

    entry: int
    decimals: int | None
    difference: Decimal
    """Debit minus credit."""
    balance: Decimal
    drift: Decimal
    """The most by which an item's balance is not its debit minus its credit, without sign."""
    strayed: int = 0
    """Items whose state, date or company is not their entry's."""


@dataclass(slots=True)
class Seen:
    """How many entries, and the first few of them."""

    count: int = 0
    first: list[int] = field(default_factory=list)

    def add(self, entry: int) -> None:
        """One more."""
        self.count += 1
        if len(self.first) < FEW:
            self.first.append(entry)


@dataclass(slots=True)
class Balance:
    """What is wrong in which entries. An entry may be under several."""

    unbalanced: Seen = field(default_factory=Seen)
    drifted: Seen = field(default_factory=Seen)
    strayed: Seen = field(default_factory=Seen)
    finer: Seen = field(default_factory=Seen)
    """Off by less than counts, but off."""


def tolerance(decimals: int | None) -> Decimal:
    """Half of the smallest unit: 0.005 of a currency with two decimal places."""
    places = PLACES if decimals is None else min(max(decimals, 0), 30)
    return Decimal(5).scaleb(-places - 1)


def off(amount: Decimal, decimals: int | None) -> bool:
    """Whether it is not zero. What is no number at all is not."""
    return not amount.is_finite() or abs(amount) >= tolerance(decimals)


def judge(entries: Iterable[Sums]) -> Balance:
    """Go along entries; those that are right in all may be left out."""
    found = Balance()
    for each in entries:
        unbalanced = off(each.difference, each.decimals) or off(each.balance, each.decimals)
        drifted = off(each.drift, each.decimals)
        if unbalanced:
            found.unbalanced.add(each.entry)
        if drifted:
            found.drifted.add(each.entry)
        if each.strayed:
            found.strayed.add(each.entry)
        if not (unbalanced or drifted) and (each.difference or each.balance or each.drift):
            found.finer.add(each.entry)
    return found
