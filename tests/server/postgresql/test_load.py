"""The collectors `vacuum`, `io`, `storage` and the total of `databases`: what really happened is what they say."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from closewatch.postgresql.databases import DATABASES
from closewatch.postgresql.io import IO
from closewatch.postgresql.storage import STORAGE
from closewatch.postgresql.vacuum import VACUUM
from tests.server.postgresql.conftest import _make_roles
from tests.server.postgresql.watching import Watcher, send, sessions

TABLE = "CREATE TABLE entry AS SELECT i, repeat('x', 200) AS text FROM generate_series(1, 20000) AS i"


def test_vacuum_that_runs_is_seen(lively: PostgresServer, watch: Callable[..., Watcher]):
    watcher = watch(lively)
    quiet = watcher.ask(VACUUM)
    assert quiet.one("postgresql_autovacuum_enabled") == 0
    assert quiet.one("postgresql_autovacuum_workers") == 0
    assert quiet.one("postgresql_autovacuum_workers_max") == 3
    assert quiet.all("postgresql_vacuum_oldest_start_timestamp_seconds") == []
    lively.sql("postgres", f"{TABLE}; DELETE FROM entry WHERE i % 2 = 0")
    try:
        with sessions(lively, 1) as (vacuuming,):
            vacuuming.execute("SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1")
            send(vacuuming, "VACUUM entry")
            wait_until(
                lambda: lively.value("postgres", "SELECT count(*) FROM pg_stat_progress_vacuum"), 20, "VACUUM runs"
            )
            facts = watcher.ask(VACUUM)
            now = lively.value("postgres", "SELECT extract(epoch FROM clock_timestamp())::float8")
            assert now - 60 < facts.one("postgresql_vacuum_oldest_start_timestamp_seconds") <= now
            assert 0 <= facts.one("postgresql_vacuum_oldest_scanned_ratio") < 1
            assert facts.one("postgresql_autovacuum_workers") == 0
    finally:
        lively.sql("postgres", "DROP TABLE entry")


def test_workers_of_autovacuum_are_counted(new_postgres: Callable[..., PostgresServer], watch: Callable[..., Watcher]):
    server = new_postgres(
        autovacuum_naptime="1s",
        autovacuum_max_workers="2",
        autovacuum_vacuum_cost_delay="100ms",
        autovacuum_vacuum_cost_limit="1",
    )
    _make_roles(server)
    for number in range(3):
        server.sql("postgres", f"{TABLE.replace('entry', f'entry{number}')}; DELETE FROM entry{number}")
    watcher = watch(server)
    facts = watcher.until(VACUUM, "both workers run", "postgresql_autovacuum_workers", 2)
    assert facts.one("postgresql_autovacuum_workers_max") == 2
    assert facts.one("postgresql_autovacuum_enabled") == 1
    assert facts.one("postgresql_autovacuum_wraparound_workers") == 0


def test_what_is_read_written_and_sorted_is_counted(
    new_postgres: Callable[..., PostgresServer], watch: Callable[..., Watcher]
):
    server = new_postgres({"shared_buffers": "1MB", "track_io_timing": "on", "autovacuum": "off"})
    _make_roles(server)
    watcher = watch(server)
    before = watcher.ask(IO)
    server.sql("postgres", TABLE)
    server.sql("postgres", "CHECKPOINT")
    server.sql("postgres", "SET work_mem = '64kB'; SELECT count(*) FROM (SELECT text FROM entry ORDER BY text, i) AS a")

    def grown(name: str, **labels: str) -> float:
        return watcher.ask(IO).one(name, **labels) - before.one(name, **labels)

    wait_until(lambda: grown("postgresql_temp_bytes_total") > 1e6, 20, "temporary files are counted")
    wait_until(lambda: grown("postgresql_io_bytes_total", operation="write") > 3e6, 20, "writes are counted")
    wait_until(lambda: grown("postgresql_io_bytes_total", operation="read") > 3e6, 20, "reads are counted")
    assert grown("postgresql_temp_files_total") >= 1
    assert 3e6 < grown("postgresql_wal_bytes_total") < 1e8
    assert grown("postgresql_io_seconds_total", operation="read") > 0
    assert grown("postgresql_cached_read_bytes_total") > 0
    if server.major >= 14:
        assert grown("postgresql_wal_records_total") > 1000
        assert grown("postgresql_wal_full_page_images_total") >= 0
        assert grown("postgresql_wal_buffers_full_total") >= 0
    else:
        assert watcher.ask(IO).all("postgresql_wal_records_total") == []


def test_times_that_nobody_takes_are_no_zero(lively: PostgresServer, watch: Callable[..., Watcher]):
    facts = watch(lively).ask(IO)
    assert facts.all("postgresql_io_seconds_total") == []
    assert facts.all("postgresql_wal_sync_seconds_total") == []
    assert len(facts.all("postgresql_io_bytes_total")) == 2


@pytest.mark.pg(">=14")
def test_the_wait_for_wal_is_counted_where_it_is_timed(
    new_postgres: Callable[..., PostgresServer], watch: Callable[..., Watcher]
):
    server = new_postgres(track_wal_io_timing="on", fsync="on")
    _make_roles(server)
    watcher = watch(server)
    before = watcher.ask(IO).one("postgresql_wal_sync_seconds_total")
    server.sql("postgres", "CREATE TABLE posted AS SELECT 1 AS one")
    wait_until(
        lambda: watcher.ask(IO).one("postgresql_wal_sync_seconds_total") > before, 20, "the wait for WAL is counted"
    )


def test_the_room_that_is_taken(lively: PostgresServer, watch: Callable[..., Watcher]):
    watcher = watch(lively)
    facts = watcher.ask(STORAGE)
    segment = lively.value("postgres", "SELECT setting::int FROM pg_settings WHERE name = 'wal_segment_size'")
    assert facts.one("postgresql_wal_size_bytes") >= segment
    assert facts.one("postgresql_wal_size_bytes") % segment < 4096
    sizes = watcher.ask(DATABASES)
    assert sizes.one("postgresql_databases_size_bytes") == sum(sizes.all("postgresql_database_size_bytes"))
