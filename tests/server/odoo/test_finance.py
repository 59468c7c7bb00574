"""The collector `finance` on real servers: bank statements, rates and automatic postings, by version of Odoo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.server.odoo.conftest import Odoo

VERSIONS = ["15", "16", "17", "18", "19"]
EUR, USD, JPY, CHF = 1, 2, 3, 4
BANK, CASH, MISC = 1, 2, 3


@pytest.fixture
def books(odoo: Callable[..., Odoo]) -> Callable[..., Odoo]:
    """Makes a database with a company in euros, a bank, a cash box, and a journal for the rest."""

    def make(version: str = "18", **more: Any) -> Odoo:
        database = odoo(version, operations=True, **more)
        database.sql("INSERT INTO res_currency (name, active) VALUES ('EUR', true), ('USD', true), ('JPY', true)")
        database.sql("INSERT INTO res_currency (name, active) VALUES ('CHF', false)")
        database.insert("res_company", {"name": "acme", "currency_id": EUR})
        for kind in ("bank", "cash", "general"):
            journal = {"code": kind[:5], "type": kind, "active": True, "company_id": 1}
            database.insert("account_journal", journal)
        return database

    return make


def entries(database: Odoo, number: int, **values: Any) -> None:
    """Write entries; `create_date="=..."` may use n, which counts from 1."""
    row = {
        "date": "=current_date",
        "state": "posted",
        "journal_id": MISC,
        "company_id": 1,
        "currency_id": EUR,
        **values,
    }
    fields = [value[1:] if str(value).startswith("=") else f"'{value}'" for value in row.values()]
    database.sql(
        f"INSERT INTO account_move ({', '.join(row)}) SELECT {', '.join(fields)} FROM generate_series(1, {number}) n"
    )


def automatic(version: str) -> str:
    return "true" if version == "15" else "at_date"


@pytest.mark.parametrize("version", VERSIONS)
def test_entries_that_were_not_posted(books: Callable[..., Odoo], version: str):
    database = books(version)
    day = "=(now() AT TIME ZONE 'UTC')::date - 40 + n"
    entries(database, 60, date=day, state="draft", auto_post=automatic(version))
    entries(database, 60, date=day, state="draft", auto_post="false" if version == "15" else "no")
    entries(database, 60, date=day, state="posted", auto_post=automatic(version))
    entries(database, 60, date=day, state="cancel", auto_post=automatic(version))
    facts = database.ask()
    assert facts.failing == {}
    assert facts.one("odoo_postings_overdue") == 39, "those of today have the whole day"


def test_a_draft_with_nothing_in_auto_post(books: Callable[..., Odoo]):
    database = books("15")
    entries(database, 5, date="=current_date - 9", state="draft")
    assert database.ask().one("odoo_postings_overdue") == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_a_bank_that_went_silent(books: Callable[..., Odoo], version: str):
    database = books(version)
    line = "=n"
    entries(
        database, 30, journal_id=BANK, statement_line_id=line, create_date="=ago('6 days') - n * interval '8 hours'"
    )
    entries(database, 30, journal_id=CASH, statement_line_id=line, create_date="=ago('90 days') - n * interval '1 day'")
    entries(database, 50, journal_id=BANK, create_date="=ago('1 hour')")  # payments, which nobody imports
    facts = database.ask()
    assert facts.failing == {}
    newest = database.epoch("SELECT ago('6 days 8 hours')")
    assert facts.one("odoo_bank_oldest_import_timestamp_seconds") == pytest.approx(newest, abs=30)


def test_a_bank_counts_when_statements_come_regularly(books: Callable[..., Odoo]):
    database = books()
    entries(database, 30, journal_id=BANK, statement_line_id="=n", create_date="=ago('90 days')")
    assert database.ask().all("odoo_bank_oldest_import_timestamp_seconds") == [], "all came on one day"
    busy = books()
    entries(busy, 300, journal_id=BANK, statement_line_id="=n", create_date="=ago('90 days')")
    assert len(busy.ask().all("odoo_bank_oldest_import_timestamp_seconds")) == 1, "so many that it is a feed"


def test_a_bank_that_was_archived(books: Callable[..., Odoo]):
    database = books()
    entries(database, 30, journal_id=BANK, statement_line_id="=n", create_date="=ago('9 days') - n * interval '1 day'")
    database.sql("UPDATE account_journal SET active = false WHERE type = 'bank'")
    assert database.ask().all("odoo_bank_oldest_import_timestamp_seconds") == []


def test_feeds(books: Callable[..., Odoo]):
    database = books(feeds=True)
    assert database.ask().failing == {}
    database = books(feeds=True)
    for state, automatically, ago in [
        ("connected", True, "1 hour"), ("error", True, "6 days"), ("connected", False, "90 days"),
        ("disconnected", True, "900 days"),
    ]:  # fmt: skip
        row = {"state": state, "auto_sync": automatically, "last_refresh": f"=ago('{ago}')", "access_token": "secret"}
        database.insert("account_online_link", row)
    provider = {"journal_id": BANK, "active": True, "last_successful_run": "=ago('2 hours')", "next_run": "=ago('0')"}
    database.insert("online_bank_statement_provider", provider)
    facts = database.ask()
    assert facts.failing == {}
    assert facts.one("odoo_bank_feeds_broken") == 2
    oldest = database.epoch("SELECT ago('6 days')")
    assert facts.one("odoo_bank_feed_oldest_success_timestamp_seconds") == pytest.approx(oldest, abs=30)


@pytest.mark.parametrize("version", VERSIONS)
def test_rates_of_the_currencies_in_use(books: Callable[..., Odoo], version: str):
    database = books(version)
    for currency, days in [(USD, 3), (USD, 10), (USD, -5), (CHF, 900), (EUR, 2000)]:
        rate = {"name": f"=current_date - {days}", "rate": 1.1, "currency_id": currency, "company_id": 1}
        database.insert("res_currency_rate", rate)
    entries(database, 3)
    assert database.ask().all("odoo_currency_rate_oldest_timestamp_seconds") == [], "all is in euros"
    database = books(version)
    for currency, days in [(USD, 3), (USD, 10), (USD, -5), (CHF, 900), (EUR, 2000)]:
        rate = {"name": f"=current_date - {days}", "rate": 1.1, "currency_id": currency, "company_id": 1}
        database.insert("res_currency_rate", rate)
    entries(database, 3, currency_id=USD)
    entries(database, 3, currency_id=JPY)
    entries(database, 3, currency_id=CHF)
    facts = database.ask()
    assert facts.failing == {}
    newest = database.epoch("SELECT current_date - 3")
    assert facts.one("odoo_currency_rate_oldest_timestamp_seconds") == newest
    assert facts.one("odoo_foreign_currencies_without_rate") == 1, "yen; francs are archived"


def test_each_company_has_rates_of_its_own(books: Callable[..., Odoo]):
    database = books()
    database.insert(
        "res_company", {"name": "usa", "currency_id": USD}, {"name": "branch", "currency_id": USD, "parent_id": 2}
    )
    for company, currency, days in [(1, USD, 1), (2, EUR, 20)]:
        rate = {"name": f"=current_date - {days}", "currency_id": currency, "company_id": company}
        database.insert("res_currency_rate", rate)
    entries(database, 1, currency_id=USD)
    entries(database, 1, currency_id=EUR, company_id=2)
    entries(database, 1, currency_id=EUR, company_id=3)
    facts = database.ask()
    assert facts.one("odoo_currency_rate_oldest_timestamp_seconds") == database.epoch("SELECT current_date - 20")
    assert facts.one("odoo_foreign_currencies_without_rate") == 0, "a branch uses the rates above it"


def test_a_rate_that_is_older_than_what_is_looked_at(books: Callable[..., Odoo]):
    database = books()
    entries(database, 1, currency_id=JPY)
    database.sql(
        "INSERT INTO res_currency_rate (name, currency_id, company_id)"
        " SELECT current_date - n % 100, 2, n FROM generate_series(1, 10000) n"
    )
    facts = database.ask()
    assert facts.one("odoo_currency_rate_oldest_timestamp_seconds") == database.epoch("SELECT current_date - 99")


def test_without_accounting(odoo: Callable[..., Odoo]):
    facts = odoo("17").ask()
    assert facts.failing == {}
    assert facts.all("odoo_postings_overdue") == []
