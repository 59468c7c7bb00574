"""Are there tables that autovacuum should have cleaned long ago?

    closewatch_odoo_vacuum_overdue_tables 2
    closewatch_odoo_vacuum_overdue_ratio 14.2

A table is due when its dead rows are more than autovacuum_vacuum_threshold plus autovacuum_vacuum_scale_factor of its
rows (at most autovacuum_vacuum_max_threshold, 18); what is set for a table wins. Due for a minute is normal. Ten times
the threshold is not: autovacuum is off for the table, too slow, or something keeps the dead rows in use.

TOAST tables count as tables of their own, as autovacuum treats them, with their table's options unless they have some.

Rights: none; all may read what is counted of tables, and that shows no row. Cost: one pass over the catalog and the
counts in shared memory every five minutes, about 20 ms for a thousand tables and their TOAST; no lock on any of them.
Source: pg_class, pg_stat_get_dead_tuples().
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.sources.postgresql.query import Query

OVERDUE = Gauge(
    "closewatch_odoo_vacuum_overdue_tables", "Tables with more dead rows than those at which autovacuum should come."
)
WORST = Gauge(
    "closewatch_odoo_vacuum_overdue_ratio",
    "Dead rows against those at which autovacuum should come, of the table that is worst.",
)
DISABLED = Gauge("closewatch_odoo_vacuum_disabled_tables", "Tables for which autovacuum was switched off.")

EVERY = 300.0

# Never counted is -1 rows, and means none. Without track_counts nothing is counted, and nothing is said. A setting of
# a table is taken as it stands; a maximum of -1 is none.
QUERY = Query("""
WITH setting AS (
  SELECT pg_catalog.current_setting('autovacuum_vacuum_threshold')::float8 AS base,
         pg_catalog.current_setting('autovacuum_vacuum_scale_factor')::float8 AS scale,
         COALESCE(pg_catalog.current_setting('autovacuum_vacuum_max_threshold', true)::float8, -1) AS most,
         pg_catalog.current_setting('track_counts') = 'on' AS counting
), relation AS (
  SELECT pg_catalog.pg_stat_get_dead_tuples(c.oid) AS dead, GREATEST(c.reltuples, 0)::float8 AS live,
         COALESCE(c.reloptions, main.reloptions) AS options, c.relkind = 't' AS texts
    FROM pg_catalog.pg_class c
    LEFT JOIN pg_catalog.pg_class main ON c.relkind = 't' AND main.reltoastrelid = c.oid
   WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence <> 't'
), own AS (
  SELECT r.dead, r.live, o.base, o.scale, o.most, NOT r.texts AND NOT COALESCE(o.enabled, true) AS disabled
    FROM relation r
    LEFT JOIN LATERAL (
      SELECT pg_catalog.max(option_value) FILTER (WHERE option_name = 'autovacuum_vacuum_threshold')::float8 AS base,
             pg_catalog.max(option_value)
               FILTER (WHERE option_name = 'autovacuum_vacuum_scale_factor')::float8 AS scale,
             pg_catalog.max(option_value)
               FILTER (WHERE option_name = 'autovacuum_vacuum_max_threshold')::float8 AS most,
             pg_catalog.max(option_value) FILTER (WHERE option_name = 'autovacuum_enabled')::bool AS enabled
        FROM pg_catalog.pg_options_to_table(r.options)) o ON r.options IS NOT NULL
), due AS (
  SELECT o.dead, o.disabled, s.counting,
         CASE WHEN COALESCE(o.most, s.most) >= 0 THEN LEAST(t.rows, COALESCE(o.most, s.most)) ELSE t.rows END AS rows
    FROM own o CROSS JOIN setting s
   CROSS JOIN LATERAL (SELECT COALESCE(o.base, s.base) + COALESCE(o.scale, s.scale) * o.live AS rows) t
)
SELECT CASE WHEN pg_catalog.bool_and(counting) THEN pg_catalog.count(*) FILTER (WHERE dead > rows) END AS overdue,
       CASE WHEN pg_catalog.bool_and(counting) THEN pg_catalog.max(dead / GREATEST(rows, 1)) END AS worst,
       pg_catalog.count(*) FILTER (WHERE disabled) AS disabled
  FROM due
""")


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """How many are due, how much the worst is, and for how many nobody comes."""
    row = answer.one()
    yield OVERDUE(row["overdue"])
    yield WORST(row["worst"])
    yield DISABLED(row["disabled"])


TABLES = Collector("tables", {"main": QUERY}, read, (OVERDUE, WORST, DISABLED), every=EVERY, budget=0.5)
