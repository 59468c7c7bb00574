"""Which statements cost the server's time?

    closewatch_postgresql_statement_seconds_total{database="odoo_acme",queryid="-4711"} 310.2
    closewatch_postgresql_statement_seconds_total{database="other",queryid="other"} 95.4

By pg_stat_statements, without any text: the id is what to look up there. The ten statements of a database (the setting
`statements`) that took most time lately are shown by id, all others together as "other". Who is shown keeps its place
until another took twice its time, so that series don't come and go. All count from when closewatch began to count
them: a statement enters with 0, and what it took before stays with the others. So no counter falls because a
statement came or went, and growths add up.

Statements that a function runs are counted in the statement that called it (from version 1.9 of the extension on). Of
a server whose statistics were forgotten in part, some growth may be lost, and none is made up.

Rights: pg_monitor, as ids of others' statements are hidden; USAGE on the extension's schema. The extension must be in
the database of the held session: else there is `statements_tracked` 0 and nothing more. Cost: one pass over the
statements in shared memory every five minutes, 5,000 by default; their texts, which are a file, are not read. Source:
pg_stat_statements(false), pg_stat_statements_info.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory, Reason, Unavailable
from closewatch.core.families import Counter, Gauge, Sample
from closewatch.core.targets import Target
from closewatch.postgresql.counting import total
from closewatch.postgresql.rights import readable
from closewatch.postgresql.shares import Shares, Work
from closewatch.sources.postgresql.query import Query

SECONDS = Counter(
    "closewatch_postgresql_statement_seconds_total",
    'Time spent in a statement since closewatch began to count it; the rest together as "other".',
    ("database", "queryid"),
)
CALLS = Counter(
    "closewatch_postgresql_statement_calls_total",
    'Executions of a statement since closewatch began to count it; the rest together as "other".',
    ("database", "queryid"),
)
TRACKED = Gauge(
    "closewatch_postgresql_statements_tracked",
    "Whether pg_stat_statements counts statements, and can be asked in the database of the held session.",
)
EVICTIONS = Counter(
    "closewatch_postgresql_statement_evictions_total",
    "Times that the server forgot its least used statements to make room: pg_stat_statements.max is too small.",
)
RESET = Gauge(
    "closewatch_postgresql_statements_reset_timestamp_seconds", "When the server's statistics of statements began."
)

EVERY = 300.0
LOOKED = 500
OTHER = "other"

# The extension may be created where its library was not loaded at the start: then its setting doesn't exist.
STATE = Query("""
SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') AS readable,
       (SELECT pg_catalog.has_schema_privilege(extnamespace, 'USAGE')
          FROM pg_catalog.pg_extension WHERE extname = 'pg_stat_statements') AS usable,
       pg_catalog.current_setting('pg_stat_statements.max', true) IS NOT NULL
           AND coalesce(pg_catalog.current_setting('pg_stat_statements.track', true), '') <> 'none'
           AND coalesce(pg_catalog.current_setting('compute_query_id', true), '') <> 'off' AS counting
""")

# The guard comes before the functions, which raise where their library was not loaded.
_SQL = """
WITH loaded AS MATERIALIZED (
    SELECT pg_catalog.current_setting('pg_stat_statements.max', true) IS NOT NULL AS yes
), statement AS MATERIALIZED (
    SELECT dbid, queryid, sum(total_exec_time) / 1000 AS seconds, sum(calls) AS calls
      FROM {schema}.pg_stat_statements(false)
     WHERE (SELECT yes FROM loaded) AND %(toplevel)s
     GROUP BY dbid, queryid
), most AS MATERIALIZED (
    SELECT dbid, queryid, seconds, calls FROM statement WHERE queryid IS NOT NULL ORDER BY seconds DESC LIMIT %(looked)d
), info AS (%(info)s)
SELECT d.datname::text AS database, m.queryid::text AS queryid, m.seconds::float8 AS seconds, m.calls::float8 AS calls,
       NULL::float8 AS evictions, NULL::float8 AS reset, NULL::float8 AS age
  FROM most m JOIN pg_catalog.pg_database d ON d.oid = m.dbid
UNION ALL
SELECT NULL, NULL, coalesce(sum(seconds), 0)::float8, coalesce(sum(calls), 0)::float8,
       (SELECT evictions FROM info), (SELECT extract(epoch FROM reset)::float8 FROM info),
       extract(epoch FROM pg_catalog.statement_timestamp()
                          - coalesce((SELECT reset FROM info), pg_catalog.pg_postmaster_start_time()))::float8
  FROM statement
"""
_INFO = """
    SELECT dealloc::float8 AS evictions, stats_reset AS reset
      FROM {schema}.pg_stat_statements_info WHERE (SELECT yes FROM loaded)"""
_NO_INFO = "SELECT NULL::float8 AS evictions, NULL::timestamptz AS reset"
TOP = (
    Query(
        _SQL % {"looked": LOOKED, "toplevel": "toplevel", "info": _INFO},
        extension="pg_stat_statements 1.9",
        optional=True,
    ),
    Query(
        _SQL % {"looked": LOOKED, "toplevel": "true", "info": _NO_INFO},
        extension="pg_stat_statements 1.8",
        optional=True,
    ),
)


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """What the shown ones and all others took; nothing where the server doesn't count."""
    (state,) = readable(answer)
    if state["usable"] is False:
        raise Unavailable(Reason.PERMISSION, "USAGE on the schema of pg_stat_statements is not granted")
    rows = answer.rows("top")
    tracked = bool(state["counting"]) and bool(rows)
    yield TRACKED(tracked)
    if not tracked:
        return
    (summed,) = (row for row in rows if row["queryid"] is None)
    said: dict[tuple[str, str], Work] = {}
    for row in rows:
        if row["queryid"] is not None:
            key = (row["database"], row["queryid"])
            said[key] = said.get(key, Work()) + Work(row["seconds"], row["calls"])
    shares: Shares = memory.setdefault("shares", Shares())
    shares.update(
        said,
        Work(summed["seconds"], summed["calls"]),
        member=answer.member,
        at=answer.asked_at,
        age=summed["age"],
        most=target.settings.statements,
    )
    for (database, queryid), work in (*shares.shown.items(), ((OTHER, OTHER), shares.other)):
        yield SECONDS(work.seconds, database=database, queryid=queryid)
        yield CALLS(work.calls, database=database, queryid=queryid)
    yield EVICTIONS(total(memory, answer, "evictions", summed["evictions"]))
    yield RESET(summed["reset"])


STATEMENTS = Collector(
    "statements",
    ask={"main": STATE, "top": TOP},
    read=read,
    families=(SECONDS, CALLS, TRACKED, EVICTIONS, RESET),
    every=EVERY,
    budget=0.6,
)
