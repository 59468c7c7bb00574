"""The collector `mail` on real servers: what is due, why it failed, and mailboxes, by version of Odoo."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.server.odoo.conftest import Odoo

VERSIONS = ["15", "16", "17", "18", "19"]
JUST_NOW = {"create_date": "=ago('1 minute')", "write_date": "=ago('1 minute')"}
OLD = {"create_date": "=ago('3 days')", "write_date": "=ago('3 days')"}


@pytest.mark.parametrize("version", VERSIONS)
def test_mail_that_should_have_left(odoo: Callable[..., Odoo], version: str):
    """What is planned for later is not late, and what was planned is late from then on."""
    database = odoo(version, operations=True)
    planned = "scheduled_date"
    database.insert(
        "mail_mail",
        {"state": "outgoing", **JUST_NOW},
        {"state": "outgoing", **OLD, planned: "=date_trunc('second', ago('2 hours'))"},
        {"state": "outgoing", **OLD, planned: "=date_trunc('second', ago('-2 days'))"},
        {"state": "sent", **OLD},
        {"state": "cancel", **OLD},
    )
    facts = database.ask()
    assert facts.failing == {}
    assert facts.one("odoo_mail_outgoing") == 2
    due = database.epoch("SELECT ago('2 hours')")
    assert facts.one("odoo_mail_oldest_due_timestamp_seconds") == pytest.approx(due, abs=30)
    assert sum(facts.all("odoo_mail_failed")) == 0


@pytest.mark.parametrize(
    ("planned", "due"),
    [("", True), ("now", False), ("2020-02-31 10:00:00", True), ("2020-13-01 10:00:00", True), ("x" * 5000, False)],
)
def test_a_plan_that_is_no_time(odoo: Callable[..., Odoo], planned: str, due: bool):
    """In Odoo 15 it is text from a template. Odoo compares it as text, and so does closewatch."""
    database = odoo("15", operations=True)
    database.insert("mail_mail", {"state": "outgoing", **OLD, "scheduled_date": planned})
    facts = database.ask()
    assert facts.failing == {}
    assert facts.one("odoo_mail_outgoing") == due


def test_why_it_failed(odoo: Callable[..., Odoo]):
    database = odoo("18", operations=True)
    kinds = ["mail_smtp", "mail_email_invalid", "mail_email_missing", "mail_from_missing", "mail_spam", "unknown", ""]
    database.insert("mail_mail", *({"state": "exception", "failure_type": kind, **OLD} for kind in kinds))
    database.insert("mail_mail", {"state": "exception", **OLD}, {"state": "cancel", "failure_type": "mail_bl", **OLD})
    facts = database.ask()
    assert facts.one("odoo_mail_failed", reason="connection") == 2, "Odoo 18 gives no type to a refused connection"
    assert facts.one("odoo_mail_failed", reason="recipient") == 2
    assert facts.one("odoo_mail_failed", reason="other") == 4
    assert facts.one("odoo_mail_outgoing") == 0


def test_only_the_newest_are_looked_at(odoo: Callable[..., Odoo]):
    database = odoo("18", operations=True)
    database.sql("INSERT INTO mail_mail (state) SELECT 'exception' FROM generate_series(1, 10050)")
    assert sum(database.ask().all("odoo_mail_failed")) == 10_000


@pytest.mark.parametrize("version", ["15", "18", "19"])
def test_mailboxes(odoo: Callable[..., Odoo], version: str):
    database = odoo(version, operations=True)
    box = {"name": "bills", "active": True, "state": "done", "password": "not-for-us"}
    database.insert(
        "fetchmail_server",
        {**box, "date": "=ago('5 minutes')"},
        {**box, "date": "=ago('7 hours')"},
        {**box, "active": False, "date": "=ago('1 year')"},
        {**box, "state": "draft", "date": "=ago('1 year')"},
        {**box, "server_type": "local"},
    )
    facts = database.ask()
    oldest = database.epoch("SELECT ago('7 hours')")
    assert facts.one("odoo_fetchmail_oldest_fetch_timestamp_seconds") == pytest.approx(oldest, abs=30)
    assert facts.all("odoo_fetchmail_failing") == ([0] if version == "19" else [])


def test_a_mailbox_that_fails(odoo: Callable[..., Odoo]):
    database = odoo("19", operations=True)
    row = {"name": "bills", "active": True, "state": "done", "date": "=ago('5 minutes')"}
    database.insert("fetchmail_server", row, {**row, "error_date": "=ago('5 minutes')", "error_message": "not for us"})
    assert database.ask().one("odoo_fetchmail_failing") == 1


def test_a_mailbox_that_was_never_looked_into(odoo: Callable[..., Odoo]):
    database = odoo("18", operations=True)
    database.insert(
        "fetchmail_server",
        {
            "name": "new",
            "active": True,
            "state": "done",
            "create_date": "=ago('9 days')",
            "write_date": "=ago('2 days')",
        },
    )
    since = database.epoch("SELECT ago('2 days')")
    assert database.ask().one("odoo_fetchmail_oldest_fetch_timestamp_seconds") == pytest.approx(since, abs=30)


def test_without_the_modules(odoo: Callable[..., Odoo]):
    """Mail is a module, and so is fetchmail in Odoo 15 and 16."""
    facts = odoo("16").ask()
    assert facts.failing == {}
    assert facts.all("odoo_mail_outgoing") == []
    database = odoo("16", operations=True)
    database.sql("DROP TABLE fetchmail_server")
    facts = database.ask()
    assert facts.failing == {}
    assert facts.one("odoo_mail_outgoing") == 0


@pytest.mark.parametrize("table", ["mail_mail", "fetchmail_server"])
def test_a_right_that_is_missing_is_no_zero(odoo: Callable[..., Odoo], table: str):
    database = odoo("18", operations=True)
    database.sql(f"REVOKE SELECT (state) ON {table} FROM closewatch")
    assert database.ask().failing == {"mail": "permission"}
