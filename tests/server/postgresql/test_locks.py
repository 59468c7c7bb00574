"""The collector `locks` on real servers: chains, roots, prepared transactions, deadlocks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest

from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from closewatch.postgresql.locks import LOCKS
from tests.fixtures.watch import SECRET
from tests.server.postgresql.conftest import WEAK
from tests.server.postgresql.watching import Watcher, send, sessions

Watch = Callable[..., Watcher]
OLDEST = "postgresql_blocked_oldest_start_timestamp_seconds"
UPDATE = "UPDATE entry SET amount = amount + 1 WHERE id = {}"


@pytest.fixture
def table(lively: PostgresServer) -> Iterator[None]:
    """The table `entry` with three rows."""
    lively.sql("postgres", "CREATE TABLE entry AS SELECT id, 0 AS amount FROM generate_series(1, 3) AS id")
    yield
    lively.sql("postgres", "DROP TABLE entry")


def counts(watcher: Watcher) -> tuple[float, float]:
    facts = watcher.ask(LOCKS)
    return facts.one("postgresql_blocked_sessions"), facts.one("postgresql_blocking_sessions")


def until(watcher: Watcher, blocked: int, blocking: int) -> None:
    wait_until(lambda: counts(watcher) == (blocked, blocking), 20, f"{blocked} blocked by {blocking}")


def now(server: PostgresServer) -> float:
    return server.value("postgres", "SELECT extract(epoch FROM clock_timestamp())::float8")


def test_nobody_waits(lively: PostgresServer, watch: Watch):
    watcher = watch(lively)
    until(watcher, 0, 0)
    assert watcher.ask(LOCKS).all(OLDEST) == []


@pytest.mark.pg(">=14")
def test_while_nobody_waits_the_lock_table_is_not_read(lively: PostgresServer, watch: Watch):
    until(watch(lively), 0, 0)
    query = next(query for query in LOCKS.ask["main"] if query.since <= lively.major * 10_000)
    plan = [line for (line,) in lively.sql("postgres", f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {query.sql}")]
    reads = [line for line in plan if "pg_lock_status" in line]
    assert len(reads) == 1
    assert "never executed" in reads[0]


@pytest.mark.usefixtures("table")
def test_in_a_chain_of_three_there_is_one_root(lively: PostgresServer, watch: Watch):
    watcher = watch(lively)
    with sessions(lively, 3) as (first, second, third):
        first.execute("BEGIN")
        first.execute(UPDATE.format(1))
        second.execute("BEGIN")
        second.execute(UPDATE.format(2))
        before = now(lively)
        send(second, UPDATE.format(1))
        until(watcher, 1, 1)
        between = now(lively)
        send(third, UPDATE.format(2))
        until(watcher, 2, 1)
        assert before <= watcher.ask(LOCKS).one(OLDEST) <= between
        first.execute("COMMIT")
        until(watcher, 1, 1)
        assert between <= watcher.ask(LOCKS).one(OLDEST)
    until(watcher, 0, 0)


@pytest.mark.usefixtures("table")
def test_a_queue_has_one_root_and_two_queues_have_two(lively: PostgresServer, watch: Watch):
    watcher = watch(lively)
    with sessions(lively, 5) as (one, two, *waiting):
        for root, row in ((one, 1), (two, 2)):
            root.execute("BEGIN")
            root.execute(UPDATE.format(row))
        for session, row in zip(waiting, (1, 1, 2), strict=True):
            send(session, UPDATE.format(row))
        until(watcher, 3, 2)


@pytest.mark.usefixtures("table")
def test_more_waiters_than_are_asked_about(lively: PostgresServer, watch: Watch):
    watcher = watch(lively)
    with sessions(lively, 121) as (root, *waiting):
        root.execute("BEGIN")
        root.execute("LOCK TABLE entry")
        for session in waiting:
            send(session, "TABLE entry")
        until(watcher, 120, 1)


@pytest.mark.usefixtures("table")
def test_the_wait_counts_not_the_statement(lively: PostgresServer, watch: Watch):
    """14 and newer know when the wait began; 13 knows the statement alone."""
    watcher = watch(lively)
    with sessions(lively, 2) as (holder, waiter):
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE entry")
        start = now(lively)
        send(waiter, "SELECT pg_sleep(1); TABLE entry")
        until(watcher, 1, 1)
        waited_after = watcher.ask(LOCKS).one(OLDEST) - start
        assert waited_after >= 1 if lively.major >= 14 else waited_after < 1


@pytest.mark.usefixtures("table")
def test_a_prepared_transaction_blocks_too(lively: PostgresServer, watch: Watch):
    watcher = watch(lively)
    with lively.connect() as connection:
        connection.execute("BEGIN")
        connection.execute(UPDATE.format(1))
        connection.execute("PREPARE TRANSACTION 'forgotten'")
    try:
        with sessions(lively, 1) as (waiter,):
            send(waiter, UPDATE.format(1))
            until(watcher, 1, 1)
    finally:
        lively.sql("postgres", "ROLLBACK PREPARED 'forgotten'")


def test_advisory_locks_are_locks(lively: PostgresServer, watch: Watch):
    watcher = watch(lively)
    with sessions(lively, 2) as (holder, waiter):
        holder.execute("SELECT pg_advisory_lock(42)")
        send(waiter, "SELECT pg_advisory_lock(42)")
        until(watcher, 1, 1)


def test_sleeping_is_not_waiting(lively: PostgresServer, watch: Watch):
    watcher = watch(lively)
    with sessions(lively, 1) as (sleeper,):
        send(sleeper, "SELECT pg_sleep(60)")
        active = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        wait_until(lambda: lively.value("postgres", active) == 1, 20, "it sleeps")
        assert counts(watcher) == (0, 0)


@pytest.mark.parametrize(("name", "counted"), [("closewatch", 0), ("psql", 1)])
def test_only_our_role_under_our_name_is_us(lively: PostgresServer, watch: Watch, name: str, counted: int):
    watcher = watch(lively)
    options = {"user": WEAK, "password": SECRET, "application_name": name}
    with sessions(lively, 1) as (holder,), sessions(lively, 1, **options) as (ours,):
        holder.execute("SELECT pg_advisory_lock(42)")
        send(ours, "SELECT pg_advisory_lock(42)")
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        wait_until(lambda: lively.value("postgres", waiting) == 1, 20, "it waits")
        assert watcher.ask(LOCKS).one("postgresql_blocked_sessions") == counted


def test_nobody_hides_behind_our_name(lively: PostgresServer, watch: Watch):
    watcher = watch(lively)
    with sessions(lively, 2, application_name="closewatch") as (holder, waiter):
        holder.execute("SELECT pg_advisory_lock(42)")
        send(waiter, "SELECT pg_advisory_lock(42)")
        until(watcher, 1, 1)


def test_deadlocks_are_counted_and_a_dropped_database_adds_none(lively: PostgresServer, watch: Watch):
    watcher = watch(lively)
    before = watcher.ask(LOCKS).one("postgresql_deadlocks_total")
    lively.create_database("deadlocked")
    deadlock(lively, "deadlocked")
    wait_until(
        lambda: watcher.ask(LOCKS).one("postgresql_deadlocks_total") == before + 1, 20, "the deadlock is counted"
    )
    lively.drop_database("deadlocked")
    total = "SELECT sum(deadlocks)::float8 FROM pg_stat_database"
    wait_until(lambda: lively.value("postgres", total) <= before, 20, "the server has forgotten it")
    assert watcher.ask(LOCKS).one("postgresql_deadlocks_total") == before + 1


def deadlock(server: PostgresServer, database: str) -> None:
    """Two sessions that each hold what the other wants; the server ends one."""
    ended = []

    def want(connection: psycopg.Connection, key: int) -> None:
        try:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [key])
        except psycopg.errors.DeadlockDetected:
            ended.append(key)
        connection.rollback()

    with server.connect(database, autocommit=False) as one, server.connect(database, autocommit=False) as other:
        one.execute("SELECT pg_advisory_xact_lock(1)")
        other.execute("SELECT pg_advisory_xact_lock(2)")
        thread = threading.Thread(target=want, args=(one, 2))
        thread.start()
        want(other, 1)
        thread.join()
    assert len(ended) == 1
