"""PostgreSQL's load and capacity: what costs the time, what goes to the disk, does vacuum keep up, is there room?"""

from __future__ import annotations

from dashboards.limits import limits
from dashboards.measures import NAME
from dashboards.odoo import ODOO, top
from dashboards.parts import TARGET, YELLOW, Column, Limits, Panel, chart, query, table
from dashboards.postgresql import PG

NOT_COUNTED = "No server here counts statements: pg_stat_statements is missing in the database of the held session."
NOT_TIMED = "track_io_timing is off: nobody knows."
UNLIMITED = "No storage_limit is configured."
WEEK = 7 * 86_400
BUSY = 2  # sessions of one statement, from which it is a finding (statement_heavy)


def panels() -> list[Panel]:
    """What costs the time first, then where it goes."""
    return [*_statements(), *_disk(), *_wal(), *_vacuum(), *_storage()]


def _statement(metric: str) -> str:
    return (
        f"max by ({TARGET}, database, queryid) (rate(closewatch_postgresql_statement_{metric}_total{{@server}}[15m]))"
    )


def _statements() -> list[Panel]:
    busy, calls = _statement("seconds"), _statement("calls")
    return [
        table(
            "Statements that cost most",
            "Of each server the statements that take most time, by their id in pg_stat_statements, and all the rest as "
            "other. Busy sessions are seconds spent in each second, over 15 minutes.",
            [
                query(busy, ref="A", table=True),
                query(calls, ref="B", table=True),
                query(f"{busy} / ({calls} > 0)", ref="C", table=True),
            ],
            [
                Column("target", "Cluster"),
                Column("database", "Database"),
                Column("queryid", "Statement"),
                Column("Value #A", "Busy sessions", width=120, steps=((BUSY, YELLOW),)),
                Column("Value #B", "Calls", unit="cps", width=100),
                Column("Value #C", "Time of a call", unit="s", width=120),
                Column("cell", "Cell"),
                Column("tenant", "Tenant"),
                Column("environment", "Environment"),
            ],
            none=NOT_COUNTED,
            sort=("Busy sessions", True),
            size=(16, 8),
        ),
        chart(
            "Time in statements",
            "How many sessions are busy with each statement, on average over 15 minutes.",
            "none",
            [query(f"topk(20, {busy})", "{{database}} {{queryid}} " + NAME)],
            stacked=True,
            none=NOT_COUNTED,
        ),
    ]


def _disk() -> list[Panel]:
    cached = PG.rate("closewatch_postgresql_cached_read_bytes_total")
    moved = PG.rate("closewatch_postgresql_io_bytes_total", "operation")
    read = (
        f'max by ({TARGET}) (rate(closewatch_postgresql_io_bytes_total{{@server,operation="read"}}[$__rate_interval]))'
    )
    return [
        chart(
            "Read and written",
            "Tables and indexes, read into shared buffers and written. Reads may come from the system's cache.",
            "Bps",
            [query(moved, NAME + " {{operation}}")],
        ),
        chart(
            "Waiting for the disk",
            "Sessions that wait for reads, writes or the WAL's sync, on average.",
            "none",
            [
                query(PG.rate("closewatch_postgresql_io_seconds_total", "operation"), NAME + " {{operation}}"),
                query(PG.rate("closewatch_postgresql_wal_sync_seconds_total"), NAME + " WAL sync", ref="B"),
            ],
            none=NOT_TIMED,
        ),
        chart(
            "Found in shared buffers",
            "Share of what was looked for that was there. A fall means that more is read than fits.",
            "percentunit",
            [query(f"{cached} / ({cached} + {read} > 0)", NAME)],
            top=1,
            none="Nothing was read.",
        ),
    ]


def _wal() -> list[Panel]:
    return [
        chart(
            "WAL written",
            "Bytes of WAL a second: what standbys, archive and backups have to take.",
            "Bps",
            [query(PG.rate("closewatch_postgresql_wal_bytes_total"), NAME)],
        ),
        chart(
            "WAL records and whole pages",
            "Many whole pages: checkpoints come too often. Full buffers: wal_buffers is too small.",
            "cps",
            [
                query(PG.rate("closewatch_postgresql_wal_records_total"), NAME + " records"),
                query(PG.rate("closewatch_postgresql_wal_full_page_images_total"), NAME + " whole pages", ref="B"),
                query(PG.rate("closewatch_postgresql_wal_buffers_full_total"), NAME + " buffers full", ref="C"),
            ],
            none="Not counted before version 14.",
        ),
        chart(
            "Temporary files",
            "What sorts and joins wrote because it didn't fit into work_mem.",
            "Bps",
            [
                query(PG.rate("closewatch_postgresql_temp_bytes_total"), NAME),
                query(PG.rate("closewatch_postgresql_temp_files_total"), NAME + " files a second", ref="B"),
            ],
        ),
    ]


def _vacuum() -> list[Panel]:
    workers, most = "closewatch_postgresql_autovacuum_workers", "closewatch_postgresql_autovacuum_workers_max"
    return [
        chart(
            "Autovacuum workers busy",
            "Share of the workers that run. At 1 for hours, tables wait for their turn.",
            "percentunit",
            [
                query(f"{PG.worst(workers)} / {PG.worst(most)}", NAME),
                query(
                    f"{PG.worst('closewatch_postgresql_autovacuum_wraparound_workers')} / {PG.worst(most)}",
                    NAME + " against wraparound",
                    ref="B",
                ),
            ],
            limits=limits("postgresql_autovacuum_workers_used_ratio"),
            top=1,
        ),
        chart(
            "Longest vacuum",
            "How long the vacuum of a table runs that began first, and the share of the table that it has scanned.",
            "s",
            [
                query(PG.age("closewatch_postgresql_vacuum_oldest_start_timestamp_seconds"), NAME),
                query(
                    PG.worst("closewatch_postgresql_vacuum_oldest_scanned_ratio"), NAME + " scanned (0 to 1)", ref="B"
                ),
            ],
            none="No vacuum runs.",
        ),
        chart(
            "Tables that wait for vacuum",
            "Dead rows of the worst table against those at which autovacuum comes, and how many tables are past that.",
            "short",
            [
                query(top(ODOO.worst("closewatch_odoo_vacuum_overdue_ratio")), NAME + " worst"),
                query(top(ODOO.worst("closewatch_odoo_vacuum_overdue_tables")), NAME + " tables", ref="B"),
            ],
            limits=limits("postgresql_vacuum_overdue_ratio"),
            none="No Odoo database is watched here.",
        ),
    ]


def _storage() -> list[Panel]:
    databases, wal = (
        PG.worst("closewatch_postgresql_databases_size_bytes"),
        PG.worst("closewatch_postgresql_wal_size_bytes"),
    )
    limit = PG.worst("closewatch_postgresql_storage_limit_bytes")
    soon = (
        f"max by ({TARGET}) (predict_linear(closewatch_postgresql_databases_size_bytes{{@server}}[$__range], {WEEK}))"
    )
    return [
        chart(
            "Storage used",
            "Databases and WAL against the storage that the configuration says there is for them.",
            "percentunit",
            [query(f"({databases} + {wal}) / {limit}", NAME)],
            limits=limits("postgresql_storage_used_ratio"),
            none=UNLIMITED,
            top=1,
        ),
        chart(
            "Databases and WAL",
            "Their size together, and the limit where one is configured.",
            "bytes",
            [
                query(f"{databases} + {wal}", NAME),
                query(wal, NAME + " WAL", ref="B"),
                query(limit, NAME + " limit", ref="C"),
            ],
        ),
        chart(
            "Storage in seven days",
            "Share of the limit that databases and WAL will take in a week, at the pace of the time shown here.",
            "percentunit",
            [query(f"({soon} + {wal}) / {limit}", NAME)],
            limits=Limits(alerts=("PostgresqlStorageFilling",)),
            none=UNLIMITED,
            top=1,
        ),
    ]
