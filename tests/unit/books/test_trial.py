"""Trial balances, and the digests by which two of them are compared."""

from __future__ import annotations

import dataclasses
import hashlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closewatch.books.trial import Account, fingerprint, plain, together, trials

AMOUNTS = st.decimals(min_value=-(10**15), max_value=10**15, places=3)


def account(number: int | None, amount: str | int | Decimal, company: int = 1, currency: int = 125) -> Account:
    return Account(company, currency, 2, number, Decimal(amount), Decimal(amount), items=2)


GOOD = [account(11, "120.50"), account(12, "-100.50"), account(13, "-20"), account(None, "0")]


def test_accounts_that_sum_to_zero() -> None:
    (found,) = trials(GOOD)
    assert (found.zero, found.accounts, found.items, found.difference) == (True, 3, 8, 0)


@pytest.mark.parametrize("changed", [{"difference": Decimal("120.51")}, {"balance": Decimal("120.49")}])
def test_debit_and_credit_must_sum_to_zero_and_so_must_balances(changed: dict[str, Decimal]) -> None:
    (found,) = trials([dataclasses.replace(GOOD[0], **changed), *GOOD[1:]])
    assert not found.zero


def test_companies_and_currencies_are_apart() -> None:
    found = trials([account(11, 5, company=2), account(12, -5, company=1), account(12, 3, company=1, currency=1)])
    assert [(each.company, each.currency, each.zero) for each in found] == [
        (1, 1, False),
        (1, 125, False),
        (2, 125, False),
    ]


def test_an_account_that_comes_twice_is_a_fault_of_the_caller() -> None:
    with pytest.raises(ValueError, match="twice"):
        trials([account(11, 1), account(11, 1)])


def test_a_digest_does_not_depend_on_the_order() -> None:
    assert trials(GOOD)[0].digest == trials(reversed(GOOD))[0].digest


def test_money_moved_between_accounts_changes_the_digest_though_all_sums_to_zero() -> None:
    moved = [account(11, "110.50"), account(12, "-90.50"), *GOOD[2:]]
    assert trials(moved)[0].zero
    assert trials(moved)[0].digest != trials(GOOD)[0].digest
    assert together(trials(moved)) != together(trials(GOOD))


def test_an_account_of_zero_is_as_none() -> None:
    assert trials([*GOOD, account(99, "0.000")])[0].digest == trials(GOOD)[0].digest


def test_the_digest_is_the_documented_one() -> None:
    expected = hashlib.sha256(b"11=120.5;120.5\n12=-100.5;-100.5\n13=-20;-20\n").hexdigest()
    assert trials(GOOD)[0].digest == expected


@pytest.mark.parametrize(
    ("amount", "text"),
    [("1.10", "1.1"), ("100", "100"), ("-0.00", "0"), ("1E+3", "1000"), ("0.000001", "0.000001"), ("NaN", "NaN")],
)
def test_an_amount_has_one_text(amount: str, text: str) -> None:
    assert plain(Decimal(amount)) == text


@given(AMOUNTS, st.integers(0, 9))
def test_zeros_at_the_end_change_no_text_and_no_digit_is_lost(amount: Decimal, zeros: int) -> None:
    longer = Decimal(f"{amount:f}" + "0" * zeros) if "." in f"{amount:f}" else amount
    assert plain(longer) == plain(amount)
    assert Decimal(plain(amount)) == amount


@given(st.dictionaries(st.integers(1, 50), AMOUNTS, min_size=1), st.data())
def test_any_change_of_one_account_changes_the_fingerprint(sums: dict[int, Decimal], data: st.DataObject) -> None:
    changed = data.draw(st.sampled_from(sorted(sums)))
    by = data.draw(AMOUNTS.filter(bool))
    before = {each: (amount,) for each, amount in sums.items()}
    after = {**before, changed: (sums[changed] + by,)}
    assert fingerprint(before) != fingerprint(after)


@given(st.lists(AMOUNTS, min_size=1, max_size=30))
def test_sums_are_exact(amounts: list[Decimal]) -> None:
    rows = [account(number, amount) for number, amount in enumerate(amounts, 1)]
    closing = -sum(amounts, Decimal(0))
    (found,) = trials([*rows, account(999, closing)])
    assert found.difference == 0
    assert found.zero
