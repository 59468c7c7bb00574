"""The trial balance: of each company in its currency all accounts together are zero, and each is what it was.

Two trial balances are compared by a digest over account and sum, so that a record shows no turnover.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from closewatch.books.balance import EXACT, off

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Account:
    """One account of a company, summed over its posted items. `account` is None for items without one."""

    company: int | None
    currency: int | None
    decimals: int | None
    account: int | None
    difference: Decimal
    """Debit minus credit."""
    balance: Decimal
    items: int = 0


@dataclass(frozen=True, slots=True)
class Trial:
    """The trial balance of a company in a currency."""

    company: int | None
    currency: int | None
    accounts: int
    items: int
    difference: Decimal
    balance: Decimal
    zero: bool
    digest: str


def trials(accounts: Iterable[Account]) -> list[Trial]:
    """One for each company and currency, in that order. Raises ValueError where an account comes twice."""
    groups: dict[tuple[int, int], list[Account]] = {}
    for each in accounts:
        groups.setdefault((each.company or 0, each.currency or 0), []).append(each)
    return [_trial(groups[key]) for key in sorted(groups)]


def _trial(accounts: list[Account]) -> Trial:
    difference, balance = ZERO, ZERO
    sums: dict[int, tuple[Decimal, Decimal]] = {}
    for each in accounts:
        difference = EXACT.add(difference, each.difference)
        balance = EXACT.add(balance, each.balance)
        if (each.account or 0) in sums:
            raise ValueError("an account comes twice")
        sums[each.account or 0] = each.difference, each.balance
    first = accounts[0]
    return Trial(
        company=first.company,
        currency=first.currency,
        accounts=sum(each.account is not None for each in accounts),
        items=sum(each.items for each in accounts),
        difference=difference,
        balance=balance,
        zero=not (off(difference, first.decimals) or off(balance, first.decimals)),
        digest=fingerprint(sums),
    )


def fingerprint(sums: Mapping[int, tuple[Decimal, ...]]) -> str:
    """SHA-256 over account and sums as text, by account. An account whose sums are all zero counts for nothing."""
    digest = hashlib.sha256()
    for account in sorted(sums):
        if any(sums[account]):
            digest.update(f"{account}={';'.join(map(plain, sums[account]))}\n".encode())
    return digest.hexdigest()


def together(found: Iterable[Trial]) -> str:
    """One digest over several trial balances."""
    text = "".join(f"{each.company or 0}/{each.currency or 0}={each.digest}\n" for each in found)
    return hashlib.sha256(text.encode()).hexdigest()


def plain(amount: Decimal) -> str:
    """The one text of an amount: no exponent, no zeros at the end, no minus before zero."""
    text = format(amount, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
