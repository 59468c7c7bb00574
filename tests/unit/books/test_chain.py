"""The hash chain: all four versions, chains that go on after an upgrade, and each line of the table of tampering."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closewatch.books import chain
from closewatch.books.chain import Chain, verify
from tests.unit.books.ledger import Row, entries, ledger, line, secure


def walk(rows: list[Row]) -> list[Chain]:
    return list(verify(entries(rows)))


def only(rows: list[Row]) -> Chain:
    (found,) = walk(rows)
    return found


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_hashes_of_each_version_are_right(version: int) -> None:
    found = only(secure(ledger(version=version)))
    assert (found.verified, found.bad, found.skipped, found.entries) == (5, None, 0, 5)
    assert found.head is not None
    assert (found.head.number, found.head.lines) == (5, ())


def change(row: int, of: str, value: Any, line: int | None = None) -> Callable[[list[Row]], None]:
    def make(rows: list[Row]) -> None:
        if line is None:
            setattr(rows[row], of, value)
        else:
            rows[row].lines[line][of] = value

    return make


NOTICED = {
    "a cent in the company's currency": change(1, "debit", Decimal("100.10"), line=0),
    "another partner": change(1, "partner", 16, line=0),
    "no partner": change(1, "partner", None, line=0),
    "another account": change(1, "account", 12, line=0),
    "another text": change(1, "name", "other", line=0),
    "another date": change(1, "date", "2026-06-04"),
    "another name": change(1, "name", "HINV/2026/00009"),
    "another company": change(1, "company", 2),
    "a line less": lambda rows: rows[1].lines.pop(),
    "a note more": lambda rows: rows[1].lines.append(line(99, "0.00", account=None)),
    "decimal places edited later": change(1, "currency", "TND", line=0),
}
UNNOTICED = {
    "less than a cent": change(1, "debit", Decimal("100.094"), line=0),
    "less than a yen, though it is of euro": change(1, "debit", Decimal("2.81"), line=2),
}


@pytest.mark.parametrize("what", sorted(NOTICED))
def test_a_change_is_noticed_and_the_rest_of_the_chain_is_not_judged(what: str) -> None:
    rows = secure(ledger())
    NOTICED[what](rows)
    found = only(rows)
    assert (found.verified, found.bad, found.skipped) == (1, rows[1].id, 3)


@pytest.mark.parametrize("what", sorted(UNNOTICED))
def test_what_is_below_the_currencys_unit_is_not_noticed(what: str) -> None:
    rows = secure(ledger())
    UNNOTICED[what](rows)
    assert only(rows).bad is None


def test_old_versions_notice_less_than_a_cent_too() -> None:
    rows = secure(ledger(version=2))
    UNNOTICED["less than a cent"](rows)
    assert only(rows).bad == rows[1].id


def test_a_hash_erased_in_the_middle_is_noticed_at_the_next_entry() -> None:
    rows = secure(ledger())
    rows[2].hash = None
    found = only(rows)
    assert (found.verified, found.bad, found.skipped) == (2, rows[3].id, 1)


@pytest.mark.parametrize("how", ["erased", "deleted"])
def test_the_end_cut_off_is_not_noticed_but_the_head_is_another(how: str) -> None:
    rows = secure(ledger())
    before = only(rows).head
    if how == "erased":
        rows[-1].hash = None
    else:
        rows.pop()
    found = only(rows)
    assert (found.verified, found.bad) == (4, None)
    assert before is not None
    assert found.head is not None
    assert (before.number, found.head.number) == (5, 4)


def test_a_chain_that_was_computed_anew_is_right_but_has_another_head() -> None:
    rows = secure(ledger())
    before = only(rows).head
    change(1, "debit", Decimal("999.00"), line=0)(rows)
    found = only(secure(rows))
    assert (found.verified, found.bad) == (5, None)
    assert before is not None
    assert found.head is not None
    assert before.hash != found.head.hash


def test_two_entries_that_changed_places_are_noticed() -> None:
    rows = secure(ledger())
    rows[1], rows[2] = rows[2], rows[1]
    assert only(rows).bad == rows[1].id


def test_each_prefix_is_a_chain_of_its_own() -> None:
    rows = [*secure(ledger(2)), *secure(ledger(3, prefix="RHINV/2026/")), *secure(ledger(2, journal=17))]
    found = walk(rows)
    assert [(each.journal, each.prefix, each.verified) for each in found] == [
        (16, "HINV/2026/", 2),
        (16, "RHINV/2026/", 3),
        (17, "HINV/2026/", 2),
    ]


def test_one_broken_chain_leaves_the_others_to_be_verified() -> None:
    rows = [*secure(ledger(2)), *secure(ledger(3, prefix="RHINV/2026/"))]
    NOTICED["another date"](rows)
    assert [(each.verified, each.bad) for each in walk(rows)] == [(1, rows[1].id), (3, None)]


def old(versions: tuple[int, ...]) -> list[Row]:
    """A journal's own counter over two prefixes, as up to Odoo 17, in versions that were in use one after the other."""
    rows = []
    for at, version in enumerate(versions, 1):
        (row,) = ledger(1, version=version, secured=at, prefix="RHINV/2026/" if at % 3 == 0 else "HINV/2026/")
        row.id, row.number, row.name = 48 + at, at, f"{row.prefix}{at:05d}"
        for each in row.lines:
            each["id"] += at * 10
        rows.append(row)
    return secure(rows)


def test_a_journals_own_counter_is_one_chain_over_its_prefixes() -> None:
    found = only(old((2, 2, 2, 2, 2, 2)))
    assert (found.prefix, found.verified, found.bad) == (None, 6, None)


def test_versions_may_change_upwards_within_a_chain() -> None:
    assert only(old((1, 1, 2, 2, 3, 3))).verified == 6


def test_a_version_that_goes_back_is_a_break() -> None:
    rows = old((1, 2, 3, 2, 3))
    assert only(rows).bad == rows[3].id


def test_what_two_versions_print_alike_does_not_exclude_the_older() -> None:
    """In a currency of one decimal place, 100.5 is the same in 2 and 3."""
    rows = old((2, 2))
    for row in rows:
        for each in row.lines:
            each.update(currency="ONE", debit=Decimal("100.5"), credit=Decimal("0.0"))
    rows[1].lines[0]["currency"] = "EUR"
    assert only(secure(rows)).verified == 2


def test_a_chain_goes_on_after_the_upgrade_from_the_last_of_its_prefix() -> None:
    before = old((2, 2, 2, 3, 3))
    last = {row.prefix: row.hash for row in before}
    assert before[-1].prefix == "HINV/2026/"
    after = []
    for prefix in ("HINV/2026/", "RHINV/2026/"):
        rows = ledger(2, prefix=prefix)
        for row in rows:
            row.number += 10
        after += secure(rows, last[prefix] or "")
    found = walk([*before, *after])
    assert [(each.prefix, each.verified, each.bad) for each in found] == [
        (None, 5, None),
        ("HINV/2026/", 2, None),
        ("RHINV/2026/", 2, None),
    ]
    alone = walk(after)
    assert [each.bad is None for each in alone] == [False, False]


def test_a_counter_of_zero_is_none() -> None:
    assert only(secure(ledger(secured=0))).prefix == "HINV/2026/"


def test_a_newer_version_is_unknown_not_broken() -> None:
    rows = secure(ledger())
    rows[1].hash = "$5$" + "0" * 64
    secure(rows[2:], "0" * 64)
    found = only(rows)
    assert (found.verified, found.unknown, found.bad, found.entries) == (4, 1, None, 5)


@pytest.mark.parametrize("garbage", ["x", "$4$", "$4", "$$", "$4$" + "0" * 64, "$99999$x", "é" * 64])
def test_garbage_in_place_of_a_hash_is_a_break(garbage: str) -> None:
    rows = secure(ledger())
    rows[1].hash = garbage
    assert only(rows).bad == rows[1].id


def test_an_entry_without_lines_and_one_with_unset_amounts_have_a_text() -> None:
    bare = entries(secure([Row(1, 1)]))[0]
    assert chain.text(bare, 3) == ('{"company_id":"1","date":"2026-06-03","journal_id":"16","name":"HINV/2026/00001"}')
    unset = chain.Line(5, None, None, None, None, None, 2)
    empty = chain.Entry(1, 1, None, "", 0, None, None, None, "x", (unset,))
    assert '"line_5_debit":"0.00"' in chain.text(empty, 4)
    assert '"line_5_credit":"0.0"' in chain.text(empty, 2)
    assert '"company_id":"False"' in chain.text(empty, 1)


def test_any_number_of_decimal_places_can_be_printed() -> None:
    for places in (-5, 10**9):
        odd = chain.Entry(1, 1, 1, "", 0, None, None, None, "x", (chain.Line(5, 1.5, 0.0, 1, 1, None, places),))
        assert "line_5_debit" in chain.text(odd, 4)


def test_entries_are_taken_one_at_a_time() -> None:
    endless = itertools.chain.from_iterable(
        entries(secure(ledger(3, journal=journal))) for journal in itertools.count(1)
    )
    found = list(itertools.islice(verify(endless), 4))
    assert [each.verified for each in found] == [3, 3, 3, 3]


AMOUNTS = st.decimals(min_value=0, max_value=10**9, places=3)


@given(
    st.lists(
        st.tuples(AMOUNTS, st.sampled_from(["EUR", "JPY", "TND", "ONE"]), st.one_of(st.none(), st.text(min_size=1))),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([1, 2, 3, 4]),
)
def test_any_entry_hashes_as_the_other_writer_says(lines: list[tuple[Decimal, str, str | None]], version: int) -> None:
    made = [line(at, str(amount), currency=currency, name=name) for at, (amount, currency, name) in enumerate(lines)]
    rows = secure([Row(1, 1, version=version, lines=made), Row(2, 2, version=version, lines=[])])
    assert only(rows).verified == 2


@given(st.integers(0, 4), st.integers(0, 3), st.decimals(min_value="0.01", max_value=10**6, places=2))
def test_any_change_of_an_amount_in_the_companys_currency_is_noticed(row: int, line: int, by: Decimal) -> None:
    rows = ledger()
    for each in rows:
        each.lines[2]["currency"] = "EUR"
    secure(rows)
    rows[row].lines[line]["debit"] += by
    assert only(rows).bad == rows[row].id
