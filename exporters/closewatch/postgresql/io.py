"""How much is read and written, how much WAL comes of it, and how long does the disk take?

    closewatch_postgresql_io_bytes_total{operation="read"} 7.1e+10
    closewatch_postgresql_io_seconds_total{operation="read"} 812.4
    closewatch_postgresql_wal_bytes_total 3.3e+11

Reads are what wasn't in shared buffers; the system's own cache may still have had it, so that the time for each tells
slow storage better than their number. Times are known only with track_io_timing (and track_wal_io_timing, 14 and
newer) on: else they are absent, not 0. Temporary files are sorts and joins that work_mem was too small for, and are
not among the bytes read and written.

From 16 on the server counts by what it does (pg_stat_io); before, writes are those of checkpoints, of the background
writer and of sessions, and the time of writes is that of sessions alone.

Rights: none. Cost: less than a hundred rows from shared memory. Source: pg_stat_io (16), pg_stat_database,
pg_stat_bgwriter (before 16), pg_stat_wal (14), pg_current_wal_lsn().
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Counter, Sample
from closewatch.core.targets import Target
from closewatch.postgresql.counting import total
from closewatch.sources.postgresql.query import Query

BYTES = Counter(
    "closewatch_postgresql_io_bytes_total",
    "Bytes of tables and indexes that the primary read into shared buffers, or wrote.",
    ("operation",),
)
SECONDS = Counter(
    "closewatch_postgresql_io_seconds_total",
    "Time spent reading or writing tables and indexes; absent while track_io_timing is off.",
    ("operation",),
)
CACHED_BYTES = Counter(
    "closewatch_postgresql_cached_read_bytes_total", "Bytes of tables and indexes that were in shared buffers already."
)
WAL_BYTES = Counter("closewatch_postgresql_wal_bytes_total", "Bytes by which the WAL grew.")
WAL_RECORDS = Counter("closewatch_postgresql_wal_records_total", "WAL records written; absent before version 14.")
WAL_IMAGES = Counter(
    "closewatch_postgresql_wal_full_page_images_total",
    "Whole pages written to the WAL, each at its first change after a checkpoint; absent before version 14.",
)
WAL_BUFFERS_FULL = Counter(
    "closewatch_postgresql_wal_buffers_full_total",
    "Times that WAL had to be written because its buffers were full; absent before version 14.",
)
WAL_SYNC_SECONDS = Counter(
    "closewatch_postgresql_wal_sync_seconds_total",
    "Time spent waiting for the disk to have WAL; absent while track_wal_io_timing is off, and before version 14.",
)
TEMP_FILES = Counter("closewatch_postgresql_temp_files_total", "Temporary files made, in all databases.")
TEMP_BYTES = Counter("closewatch_postgresql_temp_bytes_total", "Bytes written to temporary files, in all databases.")

_SQL = """
WITH counted AS MATERIALIZED (
    SELECT sum(blks_read)::float8 AS reads, sum(blks_hit)::float8 AS hits, sum(temp_files)::float8 AS temp_files,
           sum(temp_bytes)::float8 AS temp_bytes, sum(blk_read_time)::float8 / 1000 AS read_seconds,
           sum(blk_write_time)::float8 / 1000 AS write_seconds
      FROM pg_catalog.pg_stat_database
), setting AS (
    SELECT pg_catalog.current_setting('block_size')::float8 AS block,
           pg_catalog.current_setting('track_io_timing') = 'on' AS timed,
           coalesce(pg_catalog.current_setting('track_wal_io_timing', true), '') = 'on' AS wal_timed
), io AS MATERIALIZED ({io})
SELECT io.read_bytes, io.write_bytes,
       CASE WHEN timed THEN io.read_seconds END AS read_seconds,
       CASE WHEN timed THEN io.write_seconds END AS write_seconds,
       counted.hits * block AS cached_bytes, counted.temp_files, counted.temp_bytes,
       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0')::float8 AS wal_bytes,
       {records} AS wal_records, {images} AS wal_images, {full} AS wal_buffers_full,
       CASE WHEN wal_timed THEN {sync} END AS wal_sync_seconds
  FROM setting CROSS JOIN counted CROSS JOIN io {wal}
"""
_BEFORE_16 = """
    SELECT counted.reads * block AS read_bytes, counted.read_seconds, counted.write_seconds,
           (buffers_checkpoint + buffers_clean + buffers_backend)::float8 * block AS write_bytes
      FROM pg_catalog.pg_stat_bgwriter CROSS JOIN counted CROSS JOIN setting"""
# What can't happen is NULL there. WAL has rows of its own from 18 on.
_IO = """
    SELECT sum({read}) FILTER (WHERE {data})::float8 AS read_bytes,
           sum({write}) FILTER (WHERE {data})::float8 AS write_bytes,
           sum(read_time) FILTER (WHERE {data}) / 1000 AS read_seconds,
           sum(coalesce(write_time, 0) + coalesce(extend_time, 0)) FILTER (WHERE {data}) / 1000 AS write_seconds,
           {sync} AS wal_sync_seconds
      FROM pg_catalog.pg_stat_io"""
_WAL = {"records": "wal.wal_records", "images": "wal.wal_fpi", "full": "wal.wal_buffers_full"}
_FROM_WAL = "CROSS JOIN pg_catalog.pg_stat_wal wal"
_WAL_SYNC = "wal.wal_sync_time / 1000"
QUERIES = (
    Query(
        _SQL.format(
            io=_IO.format(
                read="read_bytes",
                write="coalesce(write_bytes, 0) + coalesce(extend_bytes, 0)",
                data="object <> 'wal'",
                sync="sum(fsync_time) FILTER (WHERE object = 'wal') / 1000",
            ),
            sync="io.wal_sync_seconds",
            wal=_FROM_WAL,
            **_WAL,
        ),
        since=180_000,
    ),
    Query(
        _SQL.format(
            io=_IO.format(
                read="reads * op_bytes",
                write="(coalesce(writes, 0) + coalesce(extends, 0)) * op_bytes",
                data="true",
                sync="NULL::float8",
            ),
            sync=_WAL_SYNC,
            wal=_FROM_WAL,
            **_WAL,
        ),
        since=160_000,
    ),
    Query(_SQL.format(io=_BEFORE_16, sync=_WAL_SYNC, wal=_FROM_WAL, **_WAL), since=140_000),
    Query(
        _SQL.format(io=_BEFORE_16, sync="NULL::float8", wal="", **dict.fromkeys(_WAL, "NULL::bigint")),
    ),
)


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """The counters under one name, whatever view the version keeps them in."""
    row = answer.one()

    def counted(name: str) -> float | None:
        return total(memory, answer, name, row[name])

    for operation in ("read", "write"):
        yield BYTES(counted(f"{operation}_bytes"), operation=operation)
        yield SECONDS(counted(f"{operation}_seconds"), operation=operation)
    yield CACHED_BYTES(counted("cached_bytes"))
    yield WAL_BYTES(counted("wal_bytes"))
    yield WAL_RECORDS(counted("wal_records"))
    yield WAL_IMAGES(counted("wal_images"))
    yield WAL_BUFFERS_FULL(counted("wal_buffers_full"))
    yield WAL_SYNC_SECONDS(counted("wal_sync_seconds"))
    yield TEMP_FILES(counted("temp_files"))
    yield TEMP_BYTES(counted("temp_bytes"))


IO = Collector(
    "io",
    ask={"main": QUERIES},
    read=read,
    families=(
        BYTES,
        SECONDS,
        CACHED_BYTES,
        WAL_BYTES,
        WAL_RECORDS,
        WAL_IMAGES,
        WAL_BUFFERS_FULL,
        WAL_SYNC_SECONDS,
        TEMP_FILES,
        TEMP_BYTES,
    ),
)
