"""The collector `queue` on real servers: which jobs count, which are late, and which will never run."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tests.server.odoo.conftest import Odoo

OLDEST = "odoo_queue_oldest_runnable_timestamp_seconds"
LAYOUTS = [
    ("15", "2021"),
    ("15", "2024"),
    ("16", "2024"),
    ("17", "2026"),
    ("18", "2024"),
    ("18", "2026"),
    ("19", "2026"),
]
_numbers = itertools.count(1)


def add(database: Odoo, state: str, channel: str | None = "root", created: str = "1 hour", **more: Any) -> None:
    """A job that was created so long ago."""
    row = {"uuid": f"job{next(_numbers)}", "state": state, "channel": channel, "date_created": f"=ago('{created}')"}
    database.insert("queue_job", {**row, **more})


def created(database: Odoo, where: str) -> float:
    return database.epoch(f"SELECT date_created FROM queue_job WHERE {where}")


@pytest.mark.parametrize(("version", "layout"), LAYOUTS)
def test_each_layout(odoo: Callable[..., Odoo], version: str, layout: str):
    database = odoo(version, queue=layout)
    for state, channel, count in [
        ("pending", "root", 3),
        ("pending", "root.fin", 2),
        ("enqueued", "root", 1),
        ("started", "root.fin", 1),
        ("failed", "root", 4),
        ("wait_dependencies", "root", 1),
        ("cancelled", "root", 2),
        ("done", "root", 9),
    ]:
        for _ in range(count):
            add(database, state, channel)
    facts = database.ask()
    assert facts.failing == {}
    assert facts.one("odoo_queue_jobs", state="pending", channel="root") == 3
    assert facts.one("odoo_queue_jobs", state="pending", channel="root.fin") == 2
    assert facts.one("odoo_queue_jobs", state="enqueued", channel="root") == 1
    assert facts.one("odoo_queue_jobs", state="started", channel="root.fin") == 1
    assert facts.one("odoo_queue_jobs", state="failed", channel="root") == 4
    assert facts.one("odoo_queue_jobs", state="cancelled", channel="root") == 2
    assert sum(facts.all("odoo_queue_jobs")) == 14, "done jobs don't count"
    assert facts.all("odoo_queue_jobs", channel="other") == [0] * 6
    assert facts.one("odoo_queue_counts_capped") == 0
    assert facts.one("odoo_queue_details_capped") == 0
    assert facts.one(OLDEST) == pytest.approx(created(database, "state = 'pending' ORDER BY date_created LIMIT 1"))
    classes = facts.all("odoo_queue_failed_jobs")
    assert classes == ([] if layout == "2021" else [4, 0])
    assert facts.all("odoo_queue_dead_dependency_jobs") == ([] if layout == "2021" else [0])


def test_a_database_without_queue_job(odoo: Callable[..., Odoo]):
    facts = odoo("18").ask()
    assert facts.failing == {}
    assert "queue" not in facts.labels("collector_success", "collector")


def test_an_empty_queue(odoo: Callable[..., Odoo]):
    facts = odoo("18", queue="2026").ask()
    assert sum(facts.all("odoo_queue_jobs")) == 0
    assert not [s for s in facts.samples if "queue" in s.family.name and "timestamp" in s.family.name]


def test_the_time_a_job_waits_begins_at_its_eta(odoo: Callable[..., Odoo]):
    database = odoo("18", queue="2024")
    add(database, "pending", created="3 days", eta="=ago('-2 days')")
    assert database.ask().all(OLDEST) == []
    add(database, "pending", created="2 days", eta="=ago('10 minutes')")
    eta = database.epoch("SELECT eta FROM queue_job WHERE eta < ago('0')")
    assert database.ask().one(OLDEST) == pytest.approx(eta)
    add(database, "pending", created="15 minutes", eta="=ago('2 hours')")
    assert database.ask().one(OLDEST) == pytest.approx(created(database, "eta < ago('1 hour')"))
    add(database, "pending", created="1 hour", channel=None)
    assert database.ask().one(OLDEST) == pytest.approx(created(database, "channel IS NULL"))


@pytest.mark.parametrize("channel", ["root.fec", "root.fec.de", "root.fec.de.bank", "fec", "fec.de"])
def test_a_paused_channel_and_those_below_it_are_not_late(odoo: Callable[..., Odoo], channel: str):
    database = odoo("18", queue="2026")
    database.insert("queue_job_channel", {"name": "fec", "complete_name": "root.fec", "paused": True})
    add(database, "pending", channel, created="2 days")
    facts = database.ask()
    assert facts.all(OLDEST) == []
    assert facts.one("odoo_queue_jobs", state="pending", channel=channel) == 1
    database.sql("UPDATE queue_job_channel SET paused = NULL")
    assert database.ask().one(OLDEST) == pytest.approx(created(database, "true"))


@pytest.mark.parametrize("channel", ["root", None, "", "root.bank", "root.fecx", "root.other.fec", "bank"])
def test_channels_beside_a_paused_one_are_late(odoo: Callable[..., Odoo], channel: str | None):
    database = odoo("18", queue="2026")
    database.insert("queue_job_channel", {"name": "fec", "complete_name": "root.fec", "paused": True})
    database.insert("queue_job_channel", {"name": "bank", "complete_name": "root.bank", "paused": False})
    add(database, "pending", channel, created="2 days")
    assert database.ask().one(OLDEST) == pytest.approx(created(database, "true"))


@pytest.mark.parametrize("channel", ["root", "root.bank", "bank", None])
def test_a_paused_root_pauses_all(odoo: Callable[..., Odoo], channel: str | None):
    database = odoo("18", queue="2026")
    database.sql("UPDATE queue_job_channel SET paused = true")
    add(database, "pending", channel)
    assert database.ask().all(OLDEST) == []


def test_handed_out_and_started(odoo: Callable[..., Odoo]):
    database = odoo("17", queue="2024")
    for hours in (1, 6, 3):
        add(database, "enqueued", created="9 hours", date_enqueued=f"=ago('{hours} hours')", eta="=ago('-1 day')")
        add(database, "started", created="9 hours", date_started=f"=ago('{hours} minutes')")
    facts = database.ask()
    enqueued = database.epoch("SELECT min(date_enqueued) FROM queue_job")
    started = database.epoch("SELECT min(date_started) FROM queue_job")
    assert facts.one("odoo_queue_oldest_enqueued_timestamp_seconds") == pytest.approx(enqueued)
    assert facts.one("odoo_queue_oldest_started_timestamp_seconds") == pytest.approx(started)


def test_failed_jobs_by_class(odoo: Callable[..., Odoo]):
    database = odoo("18", queue="2024")
    for number in range(9):
        for _ in range(number + 1):
            add(database, "failed", exc_name=f"Error{number}")
    add(database, "failed", exc_name=None)
    add(database, "pending", exc_name="Error0")
    facts = database.ask()
    assert [facts.one("odoo_queue_failed_jobs", **{"class": f"Error{n}"}) for n in range(4, 9)] == [5, 6, 7, 8, 9]
    assert facts.one("odoo_queue_failed_jobs", **{"class": "other"}) == 1 + 2 + 3 + 4 + 1
    assert sum(facts.all("odoo_queue_failed_jobs")) == sum(facts.all("odoo_queue_jobs", state="failed")) == 46


def test_graphs_in_which_a_job_failed(odoo: Callable[..., Odoo]):
    database = odoo("18", queue="2024")
    for graph, states in {
        "well": ["done", "pending", "wait_dependencies", "wait_dependencies"],
        "failed": ["done", "failed", "wait_dependencies", "wait_dependencies", "wait_dependencies"],
        "cancelled": ["cancelled", "wait_dependencies"],
        "both": ["cancelled", "failed", "failed", "wait_dependencies"],
        "over": ["failed", "done"],
    }.items():
        for state in states:
            add(database, state, graph_uuid=graph)
    add(database, "wait_dependencies", graph_uuid=None)
    add(database, "failed", graph_uuid=None)
    assert database.ask().one("odoo_queue_dead_dependency_jobs") == 3 + 1 + 1


def test_the_last_job_done_is_found_behind_a_new_backlog(odoo: Callable[..., Odoo]):
    """At month's end the newest 1000 jobs all wait: jobs are done all the same, and that must be seen."""
    database = odoo("18", queue="2024")
    database.sql(
        "INSERT INTO queue_job (uuid, state, channel, date_created, date_done)"
        " SELECT 'd' || n, 'done', 'root', ago('2 hours'), ago((500 - n) * interval '1 minute' || '')"
        "   FROM generate_series(1, 500) n"
    )
    newest = database.epoch("SELECT max(date_done) FROM queue_job")
    assert database.ask().one("odoo_queue_last_done_timestamp_seconds") == pytest.approx(newest)
    database.sql(
        "INSERT INTO queue_job (uuid, state, channel, date_created)"
        " SELECT 'p' || n, 'pending', 'root', ago('1 hour') FROM generate_series(1, 3000) n"
    )
    assert database.ask().one("odoo_queue_last_done_timestamp_seconds") == pytest.approx(newest)
    database.sql("UPDATE queue_job SET state = 'done', date_done = ago('3 minutes') WHERE uuid = 'p1200'")
    database.sql("UPDATE queue_job SET state = 'started', date_started = ago('1 minute') WHERE uuid = 'p1201'")
    newest = database.epoch("SELECT date_done FROM queue_job WHERE uuid = 'p1200'")
    assert database.ask().one("odoo_queue_last_done_timestamp_seconds") == pytest.approx(newest)


def test_many_jobs_are_counted_and_some_looked_at(odoo: Callable[..., Odoo]):
    database = odoo("18", queue="2024")
    database.sql(
        "INSERT INTO queue_job (uuid, state, channel, date_created, eta)"
        " SELECT n, 'pending', CASE WHEN n > 5990 THEN 'root.new' ELSE 'root' END, ago(6000 - n || ' minutes'),"
        "        CASE WHEN n <= 5990 THEN ago('-1 day') END"
        "   FROM generate_series(1, 6000) n"
    )
    facts = database.ask()
    assert sum(facts.all("odoo_queue_jobs", state="pending")) == 6000
    assert facts.one("odoo_queue_jobs", state="pending", channel="root.new") == 10
    assert facts.one("odoo_queue_jobs", state="pending", channel="other") == 4000
    assert facts.one("odoo_queue_counts_capped") == 0
    assert facts.one("odoo_queue_details_capped") == 1
    # A pile that is planned for tomorrow doesn't hide what came after it and waits.
    assert facts.one(OLDEST) == pytest.approx(created(database, "uuid = '5991'"))


HOSTILE = [
    'quo"te',
    "br{ace}",
    "line\nbreak",
    "back\\slash",
    "<script>alert(1)</script>",
    "é\u202e",
    "'; DROP TABLE x; --",
]


def test_hostile_names(odoo: Callable[..., Odoo]):
    database = odoo("18", queue="2026")
    long = "x" * 10_000
    for name in (*HOSTILE[:3], long + "a", long + "b"):
        add(database, "pending", name)
        add(database, "failed", "root", exc_name=name)
    facts = database.ask()
    channels = {name for name in facts.labels("odoo_queue_jobs", "channel") if name not in {"other", "root"}}
    assert len(channels) == 4, "with root that makes five"
    assert len({name for name in facts.labels("odoo_queue_failed_jobs", "class") if name != "other"}) == 5
    assert max(map(len, channels)) < 500
    assert sum(facts.all("odoo_queue_jobs")) == 10
    for name in HOSTILE[3:]:
        add(database, "failed", "root", exc_name=name)
        assert database.ask().failing == {}


def test_an_upgrade_that_holds_the_table_makes_queue_unavailable(odoo: Callable[..., Odoo]):
    database = odoo("18", queue="2024")
    assert database.ask().failing == {}
    with database.server.connect(database.name, autocommit=False) as upgrade:
        upgrade.execute("ALTER TABLE queue_job ADD more integer")
        facts = database.ask()
        assert facts.failing == {"queue": "locked"}
        assert facts.all("odoo_queue_jobs") == []
        assert facts.one("odoo_cron_overdue") == 0
    assert database.ask().failing == {}
