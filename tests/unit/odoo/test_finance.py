"""The collector `finance`."""

from __future__ import annotations

from typing import Any

from closewatch.odoo.finance import FINANCE
from tests.unit.odoo.reading import read

ANSWERS: dict[str, dict[str, Any]] = {
    "bank": {"oldest": None},
    "rates": {"currencies": 0, "without": 0, "oldest": None},
    "postings": {"overdue": 0},
    "links": {"broken": 0, "oldest": None},
    "providers": {"broken": 0, "oldest": None},
}


def lines(*without: str, **answers: dict[str, Any]) -> list[str]:
    tables = {name: [{**row, **answers.get(name, {})}] for name, row in ANSWERS.items() if name not in without}
    return read(FINANCE, tables=tables)


def test_one_currency_no_bank_and_nothing_overdue():
    assert lines("links", "providers") == ["postings_overdue 0"]


def test_banks_rates_and_postings():
    assert lines(
        "links",
        "providers",
        bank={"oldest": 1_795_000_000.0},
        rates={"currencies": 3, "without": 1, "oldest": 1_794_000_000.0},
        postings={"overdue": 12},
    ) == [
        "bank_oldest_import_timestamp_seconds 1795000000",
        "foreign_currencies_without_rate 1",
        "currency_rate_oldest_timestamp_seconds 1794000000",
        "postings_overdue 12",
    ]


def test_feeds_of_both_kinds_are_one():
    found = lines(links={"broken": 2, "oldest": 1_795_000_000.0}, providers={"oldest": 1_794_000_000.0})
    assert found[:2] == ["bank_feeds_broken 2", "bank_feed_oldest_success_timestamp_seconds 1794000000"]


def test_feeds_that_never_succeeded_have_no_time():
    assert lines("providers", links={"broken": 1})[:1] == ["bank_feeds_broken 1"]
