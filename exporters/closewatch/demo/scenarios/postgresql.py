"""Faults of the database servers."""

from __future__ import annotations

import contextlib

import psycopg

from closewatch.demo.databases import CELL, ODOO_ROLE, TENANTS
from closewatch.demo.judge import Expected, Told
from closewatch.demo.scenarios.scenario import LOWERED, SERVER, Repair, Scenario, cause
from closewatch.demo.stack import Stack
from closewatch.demo.thresholds import Threshold
from closewatch.demo.watching import ENVIRONMENT
from closewatch.engines.process import EngineError, wait_until

_BLOCKED = 6


def _cut_replication_link(stack: Stack) -> Repair:
    stack.databases.link.refuse()
    return stack.databases.link.accept


def _block_by_lock(stack: Stack) -> Repair:
    """One session holds a table and forgets to end its transaction; others want to write, and wait."""
    holder = stack.databases.as_odoo(application_name="odoo-import")
    holder.execute("BEGIN; LOCK TABLE account_move IN ACCESS EXCLUSIVE MODE")
    waiting = [stack.databases.as_odoo(application_name="odoo-posting") for _ in range(_BLOCKED)]
    for session in waiting:
        session.pgconn.send_query(b"UPDATE account_move SET state = 'posted' WHERE id = 1")
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0"
    wait_until(lambda: stack.databases.primary.value("postgres", blocked) >= _BLOCKED, 15, "sessions wait for the lock")

    def repair() -> None:
        for session in (holder, *waiting):
            session.close()  # without waiting for an answer: the server takes back what was not committed

    return repair


def _exhaust_connections(stack: Stack) -> Repair:
    """An application opens sessions until PostgreSQL has none left for ordinary roles."""
    sessions: list[psycopg.Connection[tuple[object, ...]]] = []
    with contextlib.suppress(psycopg.OperationalError):
        while True:
            sessions.append(stack.databases.as_odoo(application_name="odoo-leak"))
    if not sessions:
        raise EngineError(f"the role {ODOO_ROLE} could not open a single session")

    def repair() -> None:
        for session in sessions:
            session.close()

    return repair


def _break_archive(stack: Stack) -> Repair:
    """The place to which WAL is archived is gone, as an unmounted volume is."""
    archive = stack.databases.archive
    away = archive.with_name("archive-unmounted")
    archive.rename(away)
    _switch_wal(stack)

    def repair() -> None:
        away.rename(archive)
        _switch_wal(stack)  # wakes the archiver, which waits a minute after three failures

    return repair


def _switch_wal(stack: Stack) -> None:
    stack.databases.primary.sql("postgres", "SELECT pg_logical_emit_message(false, 'demo', 'x')")
    stack.databases.primary.sql("postgres", "SELECT pg_switch_wal()")


def _kill_server(stack: Stack) -> Repair:
    """The primary's machine loses its power; nobody fails over."""
    stack.databases.primary.kill()

    def repair() -> None:
        stack.databases.primary.start()

    return repair


SCENARIOS = (
    Scenario(
        "replication-link-cut",
        "the network between the primary and its standby is cut",
        _cut_replication_link,
        f'closewatch_postgresql_standbys_streaming{{target="{CELL}"}} < 1',
        Expected(
            Told("PostgresqlStandbyMissing", "critical", labels=SERVER),
            # The standby's own view, which names it: for the platform team in the morning.
            also=(Told("PostgresqlReplicationLinkDown", "warning", "closewatch-ticket", SERVER),),
        ),
    ),
    Scenario(
        "blocked-by-lock",
        "a session holds a lock on invoices, others wait behind it",
        _block_by_lock,
        f'closewatch_postgresql_blocked_sessions{{target="{CELL}"}} > 0',
        Expected(
            Told("PostgresqlSessionsBlocked", "critical", labels={**SERVER, "cause": "true"}),
            also=cause("PostgresqlSessionsBlocked"),
        ),
    ),
    Scenario(
        "connections-exhausted",
        "an application opens every connection that ordinary roles can get",
        _exhaust_connections,
        f'sum by (target) (closewatch_postgresql_connections{{target="{CELL}"}})'
        f' / on (target) closewatch_postgresql_connections_max{{target="{CELL}"}} > 0.95',
        Expected(
            Told("PostgresqlConnectionsNearLimit", "critical", labels={**SERVER, "cause": "true"}),
            also=cause("PostgresqlConnectionsNearLimit"),
        ),
    ),
    Scenario(
        "wal-archive-failing",
        "the WAL archive's volume is gone",
        _break_archive,
        f'closewatch_postgresql_wal_archive_waiting_segments{{target="{CELL}"}} > 0'
        f' and on (target) increase(closewatch_postgresql_wal_archive_failures_total{{target="{CELL}"}}[30s]) > 0',
        Expected(Told("PostgresqlWalArchiveFailing", "critical", labels={**SERVER, "domain": "recoverability"})),
        note=LOWERED,
        # A WAL segment that waits is not waited for until it is old.
        lowered=(Threshold("postgresql_wal_archive_waiting_seconds", "critical", 8, ENVIRONMENT, "", CELL),),
    ),
    Scenario(
        "server-down",
        f"the server of tenants {' and '.join(TENANTS)} is gone: one page, not three",
        _kill_server,
        f'closewatch_target_up{{target="{CELL}"}} == 0',
        Expected(
            Told("PostgresqlDown", "critical", labels={**SERVER, "cause": "true"}),
            also=cause("PostgresqlDown"),
            hidden=tuple(("OdooDatabaseUnavailable", tenant) for tenant in TENANTS),
        ),
    ),
)
