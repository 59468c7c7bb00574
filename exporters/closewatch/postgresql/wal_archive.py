"""Does WAL leave the server? Without it there is no recovery to a point in time.

    closewatch_postgresql_wal_archive_waiting_segments 3
    closewatch_postgresql_wal_archive_oldest_waiting_timestamp_seconds 1.7324e+09

The oldest file that waits is what to judge by. A command that hangs, and one that is empty, count no failure; and a
quiet server archives nothing for hours, and is well. What waits is shown whenever archive_mode is on, whether or not
anything is set up to take it: don't make a rule about it depend on `wal_archive_enabled`.

Rights: pg_monitor, for pg_ls_archive_statusdir(). Cost: looks at each file in pg_wal/archive_status, a few
microseconds each; no lock. Source: pg_stat_archiver, pg_ls_archive_statusdir().
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Counter, Gauge, Sample
from closewatch.core.targets import Target
from closewatch.postgresql.counting import total
from closewatch.sources.postgresql.query import Query

ENABLED = Gauge(
    "closewatch_postgresql_wal_archive_enabled",
    "Whether WAL is archived: archive_mode is on, and there is a command or a library to do it.",
)
LAST_SUCCESS = Gauge(
    "closewatch_postgresql_wal_archive_last_success_timestamp_seconds",
    "When a WAL file was last archived; absent if never.",
)
LAST_FAILURE = Gauge(
    "closewatch_postgresql_wal_archive_last_failure_timestamp_seconds",
    "When archiving a WAL file last failed; absent if never.",
)
SUCCESSES = Counter("closewatch_postgresql_wal_archive_successes_total", "WAL files that were archived.")
FAILURES = Counter("closewatch_postgresql_wal_archive_failures_total", "Attempts to archive a WAL file that failed.")
WAITING = Gauge(
    "closewatch_postgresql_wal_archive_waiting_segments",
    "Complete WAL files, timeline histories and backup labels included, that are not archived yet.",
)
OLDEST_WAITING = Gauge(
    "closewatch_postgresql_wal_archive_oldest_waiting_timestamp_seconds",
    "Since when the oldest of the files that wait to be archived is complete; absent while none waits.",
)

# archive_library exists from 15 on.
QUERY = Query("""
WITH setting AS (
    SELECT pg_catalog.current_setting('archive_mode') <> 'off' AS archiving,
           pg_catalog.concat(pg_catalog.current_setting('archive_command'),
                             pg_catalog.current_setting('archive_library', true)) <> '' AS possible
), waiting AS (
    SELECT count(*) AS files, extract(epoch FROM min(modification))::float8 AS oldest
      FROM pg_catalog.pg_ls_archive_statusdir()
     WHERE name LIKE '%.ready'
)
SELECT archiving AND possible AS enabled, archived_count, failed_count,
       extract(epoch FROM last_archived_time)::float8 AS last_archived,
       extract(epoch FROM last_failed_time)::float8 AS last_failed,
       CASE WHEN archiving THEN files END AS files, CASE WHEN archiving THEN oldest END AS oldest
  FROM setting CROSS JOIN waiting CROSS JOIN pg_catalog.pg_stat_archiver
""")


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """What the archiver did, and what waits for it."""
    row = answer.one()
    yield ENABLED(row["enabled"])
    yield LAST_SUCCESS(row["last_archived"])
    yield LAST_FAILURE(row["last_failed"])
    yield SUCCESSES(total(memory, answer, "successes", row["archived_count"]))
    yield FAILURES(total(memory, answer, "failures", row["failed_count"]))
    yield WAITING(row["files"])
    yield OLDEST_WAITING(row["oldest"])


WAL_ARCHIVE = Collector(
    "wal_archive",
    ask={"main": QUERY},
    read=read,
    families=(ENABLED, LAST_SUCCESS, LAST_FAILURE, SUCCESSES, FAILURES, WAITING, OLDEST_WAITING),
    budget=1.0,  # with a hundred thousand files waiting the answer is needed most
)
