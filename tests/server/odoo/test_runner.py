"""The collector `runner` on real servers: who holds which lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from closewatch.engines.process import wait_until
from tests.server.odoo.conftest import Odoo

KEY = 2293787760715711918


@pytest.fixture
def session() -> Iterator[Callable[[Odoo, str], psycopg.Connection]]:
    """Opens a transaction in which a statement was run, as a runner or a worker of Odoo does."""
    opened: list[psycopg.Connection] = []

    def run(database: Odoo, statement: str) -> psycopg.Connection:
        opened.append(psycopg.connect(database.server.dsn(database.name)))
        opened[-1].execute(statement)
        return opened[-1]

    yield run
    for connection in opened:
        connection.close()


def work(database: Odoo, job: int) -> str:
    """A job in progress, as the statement by which its worker holds it."""
    database.insert("queue_job", {"id": job, "uuid": f"u{job}", "state": "started", "channel": "root"})
    database.insert("queue_job_lock", {"id": job, "queue_job_id": job})
    return f"SELECT * FROM queue_job_lock WHERE queue_job_id = {job} FOR UPDATE"


@pytest.mark.parametrize("version", ["16", "17", "18", "19"])
def test_the_runners_lock(odoo: Callable[..., Odoo], session: Callable, version: str):
    database = odoo(version, queue="2026")
    assert database.ask().one("odoo_queue_runner_alive") == 0
    runner = session(database, f"SELECT pg_try_advisory_lock({KEY})")
    assert database.ask().one("odoo_queue_runner_alive") == 1
    runner.close()
    wait_until(lambda: database.ask().one("odoo_queue_runner_alive") == 0, 20, "the lock is gone with its session")


def test_locks_that_are_not_the_runners(odoo: Callable[..., Odoo], session: Callable):
    database, other = odoo("18", queue="2026"), odoo("18", queue="2026")
    session(other, f"SELECT pg_try_advisory_lock({KEY})")
    session(database, f"SELECT pg_try_advisory_lock({KEY + 1})")
    session(database, f"SELECT pg_try_advisory_lock({KEY >> 32}, {(KEY & 0xFFFFFFFF) - (1 << 32)})")
    assert database.ask().one("odoo_queue_runner_alive") == 0
    assert other.ask().one("odoo_queue_runner_alive") == 1


def test_jobs_that_really_run(odoo: Callable[..., Odoo], session: Callable):
    database = odoo("18", queue="2026")
    first, second, third = (work(database, number) for number in (1, 2, 3))
    facts = database.ask()
    assert facts.one("odoo_queue_running_jobs") == 0, "rows stay when the job is done: they say nothing"
    assert facts.one("odoo_queue_jobs", state="started", channel="root") == 3
    session(database, first)
    session(database, second).execute(second)
    session(database, "SELECT * FROM queue_job_lock")
    runner = session(database, f"SELECT pg_try_advisory_lock({KEY})")
    runner.execute(third.replace("FOR UPDATE", "FOR NO KEY UPDATE SKIP LOCKED"))
    assert database.ask().one("odoo_queue_running_jobs") == 2


def test_older_layouts_have_no_runner_to_see(odoo: Callable[..., Odoo]):
    facts = odoo("17", queue="2024").ask()
    assert facts.failing == {}
    assert facts.all("odoo_queue_runner_alive") == []
    assert "runner" not in facts.labels("collector_success", "collector")


def test_in_odoo_15_a_lock_that_is_not_held_says_nothing(odoo: Callable[..., Odoo]):
    database = odoo("15", queue="2026")
    database.insert("ir_module_module", {"name": "queue_job", "state": "installed", "latest_version": "15.0.2.3.13"})
    facts = database.ask()
    assert facts.all("odoo_queue_runner_alive") == []
    assert facts.one("odoo_queue_running_jobs") == 0
