"""Real Odoo databases, dumped at a fixed time. They lie beside the repository; where they don't, these tests skip."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures.watch import Facts
from tests.server.odoo.conftest import Odoo
from tests.server.odoo.test_grants import denied

SHIFT = """
DO $$
DECLARE place record;
BEGIN
  FOR place IN SELECT table_name AS relation, column_name AS field FROM information_schema.columns
                WHERE table_schema = 'public' AND data_type = 'timestamp without time zone'
                  AND table_name IN ('account_move', 'ir_cron', 'ir_cron_trigger', 'mail_mail', 'queue_job')
  LOOP
    EXECUTE format('UPDATE %I SET %I = %I + ((now() AT TIME ZONE ''UTC'') - timestamp ''{at}'')',
                   place.relation, place.field, place.field);
  END LOOP;
END $$
"""


@pytest.fixture
def dump(watch_database: Callable[..., Odoo], shared_odoo: Path) -> Callable[..., Odoo]:
    """Loads a dump as if it were so late now: `dump("odoo18", at="2026-11-22 07:20:00")`."""

    def load(*names: str, at: str) -> Odoo:
        database = watch_database()
        for name in names:
            database.sql("DROP TABLE IF EXISTS queue_job, queue_job_channel, queue_job_function CASCADE")
            database.server.load(database.name, shared_odoo / f"{name}.sql.gz")
        database.sql("SET search_path = public; " + SHIFT.format(at=at))
        database.grant()
        return database

    return load


def jobs(facts: Facts) -> dict[str, float]:
    """Jobs by state, less the states that have none."""
    states = dict.fromkeys(facts.labels("odoo_queue_jobs", "state"))
    return {state: total for state in states if (total := sum(facts.all("odoo_queue_jobs", state=state)))}


def test_odoo_18(dump: Callable[..., Odoo]):
    database = dump("odoo18", at="2026-11-22 08:00:00")
    facts = database.ask()
    assert facts.failing == {}
    assert facts.one("odoo_info", version="18.0", base="18.0.1.3") == 1
    assert facts.one("odoo_neutralized") == 0
    assert facts.one("odoo_modules_pending") == 0
    assert jobs(facts) == {
        "pending": 6, "enqueued": 1, "started": 1, "wait_dependencies": 1, "failed": 5, "cancelled": 1,
    }  # fmt: skip
    assert facts.all("odoo_queue_oldest_runnable_timestamp_seconds") == [], "all of the six have an eta to come"
    assert facts.one("odoo_queue_failed_jobs", **{"class": "odoo.exceptions.MissingError"}) == 1
    assert facts.all("odoo_queue_runner_alive") == []
    assert facts.one("odoo_cron_failing") == 1, "another one that failed is inactive"
    # 50 minutes late at one minute, three of them, and 41 at ten; the hourly ones have time left.
    assert facts.one("odoo_cron_overdue") == 4
    due = database.epoch("SELECT min(nextcall) FROM ir_cron WHERE active")
    assert facts.one("odoo_cron_oldest_due_timestamp_seconds") == pytest.approx(due)
    assert facts.one("odoo_crons", active="true") + facts.one("odoo_crons", active="false") == 30
    assert facts.one("odoo_mail_failed", reason="connection") == 36, "the server was refused; Odoo gives no type"
    assert facts.one("odoo_mail_outgoing") == 0, "the two that wait are planned for 2027"
    assert facts.one("odoo_foreign_currencies_without_rate") == 3
    assert facts.one("odoo_postings_overdue") == 0
    count, size = database.sql("SELECT count(*), sum(file_size) FROM public.ir_attachment")[0]
    assert facts.one("odoo_attachments") == count
    assert facts.one("odoo_attachments_bytes") == size


def test_a_cron_of_9999_months_is_not_due(dump: Callable[..., Odoo]):
    facts = dump("odoo18", at="2026-11-22 07:10:05").ask()
    assert facts.all("odoo_cron_oldest_due_timestamp_seconds") == []
    assert facts.one("odoo_cron_overdue") == 0


def test_odoo_15(dump: Callable[..., Odoo]):
    facts = dump("odoo15", at="2026-11-22 07:20:00").ask()
    assert facts.failing == {}
    assert facts.one("odoo_info", version="15.0", base="15.0.1.3") == 1
    assert jobs(facts) == {"pending": 1, "enqueued": 1, "started": 1, "failed": 2}
    assert facts.all("odoo_cron_failing") == [], "Odoo 15 keeps no trace of a failure"
    assert facts.one("odoo_cron_last_attempt_timestamp_seconds") > 0
    assert facts.one("odoo_mail_failed", reason="connection") == 9
    assert facts.one("odoo_currency_rate_oldest_timestamp_seconds") == 1_262_304_000, "nobody fetches rates there"


def test_queue_job_of_2026(dump: Callable[..., Odoo]):
    database = dump("odoo18", "queue_job-18.0.4", at="2026-11-22 07:20:00")
    for number, channel in enumerate(["root.fec", "root.fec.de"]):
        row = {"id": 1000 + number, "uuid": f"late{number}", "state": "pending", "channel": channel}
        database.insert("queue_job", {**row, "date_created": "=ago('2 days')"})
    facts = database.ask()
    assert facts.failing == {}
    assert jobs(facts) == {"pending": 7, "enqueued": 1, "started": 2, "failed": 5, "cancelled": 1}
    assert facts.all("odoo_queue_oldest_runnable_timestamp_seconds") == [], "root.fec is paused"
    assert facts.one("odoo_queue_runner_alive") == 0
    assert facts.one("odoo_queue_running_jobs") == 0, "rows of finished jobs stay in queue_job_lock"
    started = database.epoch("SELECT min(date_started) FROM public.queue_job WHERE state = 'started'")
    assert facts.one("odoo_queue_oldest_started_timestamp_seconds") == pytest.approx(started)
    assert facts.one("odoo_queue_channel_used_ratio", channel="root") == 0.75
    assert facts.all("odoo_queue_job_duration_seconds", method="res.partner.search_count") != []


@pytest.mark.parametrize("name", ["odoo15", "odoo18"])
def test_the_role_reads_no_secret_of_a_real_database(dump: Callable[..., Odoo], name: str):
    database = dump(name, at="2026-11-22 07:20:00")
    assert database.ask().failing == {}
    for column, table in [
        ("password", "res_users"),
        ("totp_secret", "res_users"),
        ("value", "ir_config_parameter"),
        ("kwargs", "queue_job"),
        ("args", "queue_job"),
        ("exc_info", "queue_job"),
        ("*", "queue_job"),
        ("*", "account_move"),
        ("amount_total", "account_move"),
        ("body_html", "mail_mail"),
        ("email_to", "mail_mail"),
        ("failure_reason", "mail_mail"),
        ("password", "fetchmail_server"),
        ("store_fname", "ir_attachment"),
    ]:
        assert denied(database, f"SELECT {column} FROM public.{table}")


@pytest.mark.parametrize(("names", "most"), [(["odoo15"], 85), (["odoo18"], 85), (["odoo18", "queue_job-18.0.4"], 100)])
def test_a_real_database_stays_in_its_budget_of_series(dump: Callable[..., Odoo], names: list[str], most: int):
    facts = dump(*names, at="2026-11-22 08:00:00").ask()
    assert len([sample for sample in facts.samples if sample.value is not None]) <= most
