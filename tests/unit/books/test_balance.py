"""Entries that don't balance, items that contradict themselves, and what is too small to count."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closewatch.books.balance import FEW, Balance, Sums, judge, off, tolerance

ZERO = Decimal(0)
AMOUNTS = st.decimals(min_value=-(10**12), max_value=10**12, places=2)


def sums(entry: int = 1, decimals: int | None = 2, **amounts: str | int) -> Sums:
    found = {key: Decimal(value) for key, value in amounts.items() if key != "strayed"}
    return Sums(
        entry, decimals, found.get("difference", ZERO), found.get("balance", ZERO), found.get("drift", ZERO),
        int(amounts.get("strayed", 0)),
    )  # fmt: skip


@pytest.mark.parametrize(("decimals", "half"), [(2, "0.005"), (0, "0.5"), (3, "0.0005"), (None, "0.005"), (-1, "0.5")])
def test_half_of_the_smallest_unit_is_tolerated(decimals: int | None, half: str) -> None:
    assert tolerance(decimals) == Decimal(half)
    assert off(Decimal(half), decimals)
    assert off(-Decimal(half), decimals)
    assert not off(Decimal(half) - Decimal("0.00001"), decimals)


def test_a_currency_of_any_decimals_has_a_tolerance() -> None:
    assert tolerance(10**9) == Decimal(5).scaleb(-31)


def test_an_entry_that_is_right_in_all_is_not_found() -> None:
    assert judge([sums(), sums(2)]) == Balance()


@pytest.mark.parametrize("key", ["difference", "balance"])
def test_an_entry_is_unbalanced_by_debit_and_credit_as_by_balance(key: str) -> None:
    found = judge([sums(7, **{key: "-0.01"})])
    assert (found.unbalanced.count, found.unbalanced.first) == (1, [7])
    assert found.drifted.count == found.strayed.count == found.finer.count == 0


def test_an_item_that_contradicts_itself_is_found_in_an_entry_that_balances() -> None:
    found = judge([sums(7, drift="0.30")])
    assert (found.unbalanced.count, found.drifted.count) == (0, 1)


def test_what_is_too_small_to_count_is_counted_apart() -> None:
    found = judge([sums(7, difference="0.004", drift="0.004")])
    assert (found.unbalanced.count, found.drifted.count, found.finer.first) == (0, 0, [7])


def test_a_currency_without_decimals_has_a_wider_tolerance() -> None:
    assert judge([sums(decimals=0, difference="0.49")]).unbalanced.count == 0
    assert judge([sums(decimals=0, difference="0.5")]).unbalanced.count == 1


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_does_not_balance(value: str) -> None:
    assert judge([sums(difference=value)]).unbalanced.count == 1


def test_strayed_items_are_no_matter_of_amounts() -> None:
    found = judge([sums(3, strayed=2)])
    assert (found.strayed.first, found.unbalanced.count, found.finer.count) == ([3], 0, 0)


def test_all_are_counted_and_a_few_are_shown() -> None:
    found = judge(sums(number, difference=1) for number in range(100))
    assert (found.unbalanced.count, found.unbalanced.first) == (100, list(range(FEW)))


@given(st.lists(AMOUNTS, min_size=1, max_size=8))
def test_an_entry_made_to_balance_balances_and_one_unit_more_does_not(amounts: list[Decimal]) -> None:
    items = [*amounts, -sum(amounts, ZERO)]
    assert judge([sums(difference=str(sum(items, ZERO)))]).unbalanced.count == 0
    items[0] += Decimal("0.01")
    assert judge([sums(difference=str(sum(items, ZERO)))]).unbalanced.count == 1
