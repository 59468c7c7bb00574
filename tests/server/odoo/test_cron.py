"""The collector `cron` on real servers: what Odoo would run now, in each version, and what it would not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.server.odoo.conftest import Odoo

COUNTING = ["15", "16", "17"]
FAILING = ["18", "19"]


def cron(database: Odoo, late: str = "-1 hour", every: str = "5 minutes", **more: Any) -> int:
    """A cron whose next call was so long ago."""
    number, kind = every.split()
    calls = {"numbercall": -1} if database.value(
        "SELECT count(*) FROM pg_attribute WHERE attrelid = 'ir_cron'::regclass AND attname = 'numbercall'"
    ) else {}  # fmt: skip
    row = {"active": True, "interval_number": int(number), "interval_type": kind, "nextcall": f"=ago('{late}')"}
    database.insert("ir_cron", {**row, **calls, **more})
    return int(database.value("SELECT max(id) FROM ir_cron"))


@pytest.mark.parametrize("version", [*COUNTING, *FAILING])
def test_what_is_due_and_what_is_late(odoo: Callable[..., Odoo], version: str):
    database = odoo(version)
    cron(database)
    assert database.ask().all("odoo_cron_oldest_due_timestamp_seconds") == []
    cron(database, "3 minutes")
    cron(database, "20 minutes")
    cron(database, "90 minutes", "1 hours")
    cron(database, "9 days", "1 weeks")
    cron(database, "3 days", active=False)
    cron(database, "3 days", active=None)
    facts = database.ask()
    assert facts.failing == {}
    assert facts.one("odoo_crons", active="true") == 5
    assert facts.one("odoo_crons", active="false") == 2
    assert facts.one("odoo_cron_overdue") == 1, "of 3 min at 5, 20 at 5, 90 at 60, and 9 days at 7 only the second"
    due = database.epoch("SELECT min(nextcall) FROM ir_cron WHERE active")
    assert facts.one("odoo_cron_oldest_due_timestamp_seconds") == pytest.approx(due)


@pytest.mark.parametrize(
    ("every", "late", "overdue"),
    [
        ("1 minutes", "14 minutes", 0),
        ("1 minutes", "16 minutes", 1),
        ("10 minutes", "19 minutes", 0),
        ("10 minutes", "21 minutes", 1),
        ("2 hours", "3 hours 59 minutes", 0),
        ("2 hours", "4 hours 1 minute", 1),
        ("1 days", "47 hours", 0),
        ("1 days", "49 hours", 1),
        ("1 weeks", "13 days", 0),
        ("1 weeks", "15 days", 1),
        ("1 months", "59 days", 0),
        ("1 months", "61 days", 1),
        ("9999 months", "300 days", 0),
    ],
)
def test_how_late_is_too_late(odoo: Callable[..., Odoo], every: str, late: str, overdue: int):
    database = odoo("18")
    cron(database, late, every)
    assert database.ask().one("odoo_cron_overdue") == overdue


def test_an_interval_that_makes_no_sense_gets_the_least_patience(odoo: Callable[..., Odoo]):
    database = odoo("16")
    cron(database, "16 minutes", "1 fortnights")
    cron(database, "16 minutes", "-3 days")
    cron(database, "16 minutes", interval_number=None)
    assert database.ask().one("odoo_cron_overdue") == 3


@pytest.mark.parametrize("version", COUNTING)
def test_a_cron_that_has_no_calls_left_is_not_due(odoo: Callable[..., Odoo], version: str):
    database = odoo(version)
    spent = cron(database, "2 days", numbercall=0)
    cron(database, "2 days", numbercall=None)
    database.insert("ir_cron_trigger", {"cron_id": spent, "call_at": "=ago('2 days')"})
    facts = database.ask()
    assert facts.one("odoo_cron_overdue") == 0
    assert facts.all("odoo_cron_oldest_due_timestamp_seconds") == []
    assert facts.all("odoo_cron_failing") == []


def test_a_numbercall_left_behind_by_an_upgrade_says_nothing(odoo: Callable[..., Odoo]):
    database = odoo("18")
    database.sql("ALTER TABLE ir_cron ADD numbercall integer")
    database.grant()
    cron(database, "2 hours", numbercall=0)
    assert database.ask().one("odoo_cron_overdue") == 1


@pytest.mark.parametrize("version", ["15", "19"])
def test_a_trigger_makes_a_cron_due(odoo: Callable[..., Odoo], version: str):
    database = odoo(version)
    daily = cron(database, "-20 hours", "1 days")
    database.insert("ir_cron_trigger", {"cron_id": daily, "call_at": "=ago('-1 hour')"})
    assert database.ask().all("odoo_cron_oldest_due_timestamp_seconds") == []
    database.insert("ir_cron_trigger", *({"cron_id": daily, "call_at": f"=ago('{n} hours')"} for n in (1, 7, 3)))
    asleep = cron(database, "-20 hours", "1 days", active=False)
    database.insert("ir_cron_trigger", {"cron_id": asleep, "call_at": "=ago('9 hours')"})
    due = database.epoch(f"SELECT min(call_at) FROM ir_cron_trigger WHERE cron_id = {daily}")
    assert database.ask().one("odoo_cron_oldest_due_timestamp_seconds") == pytest.approx(due)


@pytest.mark.parametrize("version", FAILING)
def test_failures(odoo: Callable[..., Odoo], version: str):
    database = odoo(version)
    cron(database, failure_count=0)
    facts = database.ask()
    assert facts.one("odoo_cron_failing") == 0
    assert facts.all("odoo_cron_oldest_failure_timestamp_seconds") == []
    cron(database, failure_count=3, first_failure_date="=ago('2 hours')")
    cron(database, failure_count=19, first_failure_date="=ago('9 hours')")
    cron(database, failure_count=1, first_failure_date="=ago('3 days')", active=False)
    facts = database.ask()
    assert facts.one("odoo_cron_failing") == 2
    first = database.epoch("SELECT min(first_failure_date) FROM ir_cron WHERE active")
    assert facts.one("odoo_cron_oldest_failure_timestamp_seconds") == pytest.approx(first)


@pytest.mark.parametrize(("version", "hours"), [("18", 9), ("19", 0)])
def test_the_first_failure_is_in_the_sessions_zone_in_18_only(odoo: Callable[..., Odoo], version: str, hours: int):
    database = odoo(version)
    database.sql(f"ALTER DATABASE {database.name} SET timezone = 'Asia/Tokyo'")
    cron(database, failure_count=3, first_failure_date="2026-11-22 09:00:00", lastcall="2026-11-22 00:30:00")
    facts = database.ask()
    written = database.epoch("SELECT first_failure_date FROM ir_cron")
    assert facts.one("odoo_cron_oldest_failure_timestamp_seconds") == written - hours * 3600
    assert facts.one("odoo_cron_last_attempt_timestamp_seconds") == database.epoch("SELECT lastcall FROM ir_cron")


def test_the_last_attempt_of_any(odoo: Callable[..., Odoo]):
    database = odoo("17")
    assert database.ask().all("odoo_cron_last_attempt_timestamp_seconds") == []
    cron(database, lastcall="=ago('3 hours')")
    cron(database, lastcall="=ago('2 minutes')", active=False)
    cron(database, lastcall=None)
    last = database.epoch("SELECT max(lastcall) FROM ir_cron")
    assert database.ask().one("odoo_cron_last_attempt_timestamp_seconds") == pytest.approx(last)
