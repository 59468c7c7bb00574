"""Faults that no scenario of the demo has, each real, for the panels that show only them."""

from __future__ import annotations

import contextlib
import os
import threading
import time

import psycopg
import redis

from closewatch.demo.databases import ODOO_ROLE, ROLE, TENANTS
from closewatch.demo.stack import Stack

MEGABYTE = 2**20
POPULATED = 120
"""Megabytes of sessions: fragmentation is shown above 100."""


def do(stack: Stack, undo: contextlib.ExitStack) -> None:
    """Do all of them; `undo` takes what takes them back."""
    _cut_a_dump(stack, undo)
    _take_a_right(stack, undo)
    _lose_a_slot(stack, undo)
    _stop_the_scheduler(stack, undo)
    _vacuum_slowly(stack, undo)
    _fill_the_sessions(stack, undo)


def _cut_a_dump(stack: Stack, undo: contextlib.ExitStack) -> None:
    whole = next(stack.backups.folder.glob("*.dump"))
    cut = whole.with_name("cut.dump")
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    os.utime(cut, (time.time() - 7200,) * 2)
    undo.callback(cut.unlink)


def _take_a_right(stack: Stack, undo: contextlib.ExitStack) -> None:
    """On the second cell alone, so that the first still shows what the right is for."""
    stack.databases.other.sql("postgres", f"REVOKE pg_monitor FROM {ROLE}")
    undo.callback(stack.databases.other.sql, "postgres", f"GRANT pg_monitor TO {ROLE}")


def _lose_a_slot(stack: Stack, undo: contextlib.ExitStack) -> None:
    """A consumer that never comes, and a limit to what is kept for it."""
    server = stack.databases.primary
    server.sql("postgres", "ALTER SYSTEM SET max_slot_wal_keep_size = '4MB'")
    server.sql("postgres", "SELECT pg_reload_conf()")
    undo.callback(server.sql, "postgres", "SELECT pg_reload_conf()")
    undo.callback(server.sql, "postgres", "ALTER SYSTEM RESET max_slot_wal_keep_size")
    server.sql("postgres", "SELECT pg_create_physical_replication_slot('never_comes', true)")
    undo.callback(server.sql, "postgres", "SELECT pg_drop_replication_slot('never_comes')")
    for _ in range(20):  # a megabyte each
        server.sql("postgres", "SELECT pg_logical_emit_message(false, 'test', 'x')")
        server.sql("postgres", "SELECT pg_switch_wal()")
    server.sql("postgres", "CHECKPOINT")


def _stop_the_scheduler(stack: Stack, undo: contextlib.ExitStack) -> None:
    """Scheduled actions of the second tenant fall due, and their scheduler may not run them."""
    server, database = stack.databases.primary, f"odoo_{TENANTS[1]}"
    server.sql(database, f"REVOKE UPDATE ON ir_cron FROM {ODOO_ROLE}")
    undo.callback(server.sql, database, f"GRANT UPDATE ON ir_cron TO {ODOO_ROLE}")
    server.sql(database, "UPDATE ir_cron SET nextcall = now() AT TIME ZONE 'utc' - interval '1 minute'")


def _vacuum_slowly(stack: Stack, undo: contextlib.ExitStack) -> None:
    session = stack.databases.primary.connect(f"odoo_{TENANTS[0]}")
    session.autocommit = True
    session.execute("CREATE TABLE pages AS SELECT repeat('x', 1000) FROM generate_series(1, 20000)")
    session.execute("SET vacuum_cost_delay = '100ms'; SET vacuum_cost_limit = 1")

    def vacuum() -> None:
        with contextlib.suppress(psycopg.Error):
            session.execute("VACUUM (FREEZE, DISABLE_PAGE_SKIPPING) pages")

    thread = threading.Thread(target=vacuum, daemon=True)
    thread.start()

    def end() -> None:
        session.cancel()
        thread.join(10)
        session.execute("DROP TABLE pages")
        session.close()

    undo.callback(end)


def _fill_the_sessions(stack: Stack, undo: contextlib.ExitStack) -> None:
    server = stack.sessions.server
    server.command("CONFIG", "SET", "latency-monitor-threshold", "1")
    with server.client() as client:
        client.eval("local n = 0 for i = 1, 20000000 do n = n + i end return n", 0)
        for number in range(POPULATED):
            client.set(f"large:{number}", "x" * MEGABYTE)

    def empty() -> None:
        with contextlib.suppress(redis.RedisError), server.client() as client:
            client.delete(*(f"large:{number}" for number in range(POPULATED)))

    undo.callback(empty)
