"""The collector `jobs` on real servers: how long jobs take, and how full channels are, by layout of queue_job."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.server.odoo.conftest import Odoo

DONE = """
INSERT INTO queue_job (uuid, state, model_name, method_name, channel, exec_time, date_created, date_done)
SELECT gen_random_uuid(), '{state}', 'account.move', '{method}', 'root', {seconds}, ago('2 days'), ago('{ago}')
  FROM generate_series(1, {number}) n
"""


def done(
    database: Odoo, number: int, method: str, seconds: str, *, ago: str = "5 minutes", state: str = "done"
) -> None:
    database.sql(DONE.format(number=number, method=method, seconds=seconds, ago=ago, state=state))


@pytest.mark.parametrize("layout", ["2021", "2024", "2026"])
def test_the_newest_hundred_of_a_method(odoo: Callable[..., Odoo], layout: str):
    database = odoo("17", queue=layout)
    done(database, 300, "send", "1.0")
    done(database, 98, "send", "4.0")
    done(database, 1, "send", "9000")
    done(database, 50, "send", "0", state="failed")
    done(database, 9, "rare", "1")
    done(database, 50, "old", "1", ago="25 hours")
    facts = database.ask()
    assert facts.failing == {}
    assert facts.labels("odoo_queue_job_duration_seconds", "method") == ["account.move.send"]
    assert facts.one("odoo_queue_job_duration_seconds") == 4.0


def test_names_of_any_length(odoo: Callable[..., Odoo]):
    database = odoo("17", queue="2024")
    done(database, 20, "x" * 100_000, "1")
    done(database, 20, "Robert and Jane", "1")
    facts = database.ask()
    assert facts.failing == {}
    assert facts.labels("odoo_queue_job_duration_seconds", "method") == ["account.move." + "x" * 60]


def test_channels_and_those_below_them(odoo: Callable[..., Odoo]):
    database = odoo("18", queue="2026")
    database.sql("UPDATE queue_job_channel SET capacity = 10 WHERE complete_name = 'root'")
    for name, capacity, sequential in [("fin", 4, None), ("bank", 9, True), ("free", None, None), ("none", 0, None)]:
        row = {"name": name, "complete_name": f"root.{name}", "capacity": capacity, "sequential": sequential}
        database.insert("queue_job_channel", row)
    jobs = [("started", "root.fin"), ("enqueued", "root.fin.fec"), ("started", "root.bank"), ("pending", "root.bank"),
            ("started", None), ("started", "root.finance")]  # fmt: skip
    for number, (state, channel) in enumerate(jobs):
        database.insert("queue_job", {"uuid": str(number), "state": state, "channel": channel})
    facts = database.ask()
    assert facts.failing == {}
    assert facts.one("odoo_queue_channel_used_ratio", channel="root") == 0.5
    assert facts.one("odoo_queue_channel_used_ratio", channel="root.fin") == 0.5
    assert facts.one("odoo_queue_channel_used_ratio", channel="root.bank") == 1
    assert len(facts.all("odoo_queue_channel_used_ratio")) == 3


def test_before_2026_nobody_knows_the_capacity(odoo: Callable[..., Odoo]):
    facts = odoo("18", queue="2024").ask()
    assert facts.failing == {}
    assert facts.all("odoo_queue_channel_used_ratio") == []


def test_a_grant_that_is_missing(odoo: Callable[..., Odoo]):
    """After an upgrade of queue_job: the columns are there, and nobody granted them."""
    database = odoo("18", queue="2026")
    database.sql("REVOKE SELECT (capacity) ON queue_job_channel FROM closewatch")
    assert database.ask().failing == {"jobs": "permission"}
