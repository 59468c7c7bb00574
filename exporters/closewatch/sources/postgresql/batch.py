"""Many collectors, one batch: which queries fit, what they may take, and whose answer is whose."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from closewatch.core.collectors import Answer, Collector, On
from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.source import Outcome
from closewatch.sources.postgresql import extensions as pgextensions
from closewatch.sources.postgresql.connection import Connection, Result, Statement
from closewatch.sources.postgresql.extensions import Extensions
from closewatch.sources.postgresql.query import Query
from closewatch.sources.postgresql.rows import Rows

log = structlog.get_logger(__name__)

HELLO = (
    "SELECT pg_catalog.pg_is_in_recovery() AS standby,"
    " extract(epoch FROM pg_catalog.clock_timestamp())::float8 AS clock"
)

CHECK_INTERVAL = (
    "SELECT pg_catalog.set_config('client_connection_check_interval', '1000', false)"
    " WHERE pg_catalog.current_setting('client_connection_check_interval') = '0'"
)
"""Ends a batch on the server soon after we went away (14 and newer, where the platform has it)."""

COLUMNS = """
SELECT c.relname::text AS "table", a.attname::text AS "column",
       pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT') AS readable
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname IN ({tables})
"""

CHECK_INTERVAL_SINCE = 140_000
HEAD_LIMIT = 0.2

Planned = tuple[Collector, str, Query]
"""Whose query, its name, and which of the alternatives."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What decides which of a collector's queries fit."""

    version: int
    columns: frozenset[str] | None
    extensions: Extensions


UNREADABLE = "!"
"""Marks, among the known columns, one that is there but may not be read: "!table.column"."""


@dataclass(slots=True)
class Asked:
    """What one member, or one database, gave."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    role: On | None = None
    down: Unavailable | None = None
    columns: frozenset[str] | None = None
    extensions: Extensions | None = None
    """Those that were looked for; None where nobody asked."""
    clock_offset: float | None = None
    """Seconds that the server's clock is ahead of ours, as exact as half a round trip."""


def chosen(alternatives: Any) -> tuple[Query, ...]:
    """A collector names a query, alternatives of one, or its SQL: as alternatives."""
    if isinstance(alternatives, str):
        return (Query(alternatives),)
    return (alternatives,) if isinstance(alternatives, Query) else tuple(alternatives)


def ask_all(
    connection: Connection,
    collectors: Sequence[Collector],
    member: str,
    deadline: Deadline,
    *,
    tables: Sequence[str] = (),
    columns: frozenset[str] | None = None,
    extensions: Extensions | None = None,
) -> Asked:
    """Ask on behalf of all collectors in one round trip. Raises nothing.

    `tables` are those whose columns are looked at on the way, for the next visit; `columns` is what the last
    look found. `extensions` likewise; those that the collectors need are looked at again.
    """
    asked = Asked()
    plan: list[Planned] = []
    known = _Known(connection.version, columns, extensions or {})
    for collector in collectors:
        if not collector.applies or columns is None or collector.applies in columns:
            asked.outcomes[collector.name] = _planned(collector, known, plan)
    head = _head(connection, tables, needed_extensions(collectors))
    limits = _limits([collector.budget / len(collector.ask) for collector, _, _ in plan], deadline)
    at = time.time()
    results = connection.batch(
        head + [Statement(query.sql, limit) for (_, _, query), limit in zip(plan, limits, strict=True)], deadline
    )
    if results[0].failure is not None:
        return Asked(down=results[0].failure)
    hello = results[0].rows[0]
    asked.role = On.STANDBY if hello["standby"] else On.PRIMARY
    asked.clock_offset = hello["clock"] - (at + results[0].seconds / 2)
    looks = {statement.sql: result for statement, result in zip(head, results, strict=False)}
    if tables:
        look = looks[_columns_sql(tables)]
        asked.columns = columns if look.failure is not None else readable_columns(look.rows)
    if names := needed_extensions(collectors):
        look = looks[pgextensions.look(names)]
        asked.extensions = extensions if look.failure is not None else pgextensions.found(look.rows)
    _sort(asked, plan, results[len(head) :], Answer({}, connection.version, at, member, columns or frozenset()))
    if connection.closed:
        asked.down = next((result.failure for result in results if result.failure is not None), None)
    return asked


def needed_extensions(collectors: Sequence[Collector]) -> tuple[str, ...]:
    """The names of the extensions that any query of these collectors needs."""
    asks = (alternatives for collector in collectors for alternatives in collector.ask.values())
    return pgextensions.needed(query for alternatives in asks for query in chosen(alternatives))


def _head(connection: Connection, tables: Sequence[str], extensions: Sequence[str]) -> list[Statement]:
    """What goes before the collectors' queries, each with the same short limit."""
    sql = [HELLO]
    if connection.version >= CHECK_INTERVAL_SINCE and connection.round_trips == 0:
        sql.append(CHECK_INTERVAL)
    if tables:
        sql.append(_columns_sql(tables))
    if extensions:
        sql.append(pgextensions.look(extensions))
    return [Statement(one, HEAD_LIMIT) for one in sql]


def _columns_sql(tables: Sequence[str]) -> str:
    return COLUMNS.format(tables=", ".join(f"'{name}'" for name in tables))


def _sort(asked: Asked, plan: Sequence[Planned], results: Sequence[Result], blank: Answer) -> None:
    """Give each collector its own rows, or its own failure."""
    tables: dict[str, dict[str, Rows]] = {name: {} for name in asked.outcomes}
    for (collector, name, query), result in zip(plan, results, strict=True):
        outcome = asked.outcomes[collector.name]
        outcome.seconds += result.seconds
        if result.failure is None:
            tables[collector.name][name] = result.rows
        elif not (query.optional and result.failure.reason in (Reason.MISSING, Reason.PERMISSION)):
            outcome.failure = outcome.failure or result.failure
    for collector_name, outcome in asked.outcomes.items():
        if outcome.failure is None:
            outcome.answers.append(replace(blank, tables=tables[collector_name]))


def _planned(collector: Collector, known: _Known, plan: list[Planned]) -> Outcome:
    """Add the collector's fitting queries to the plan; an outcome that has failed already where one doesn't fit."""
    mine: list[Planned] = []
    for name, alternatives in collector.ask.items():
        why = Unavailable(Reason.MISSING, f"query {name!r} needs another server version")
        for query in chosen(alternatives):
            lacking = _lacking(query, known.columns)
            fitted = pgextensions.fitted(query, known.extensions)
            if query.since <= known.version < query.until and lacking is None and fitted is not None:
                mine.append((collector, name, fitted))
                break
            why = lacking or (Unavailable(Reason.MISSING, query.extension) if fitted is None else why)
            if lacking is not None and lacking.reason is Reason.PERMISSION and not query.optional:
                return Outcome(failure=lacking)  # a poorer question would hide that a grant is missing
        else:
            if not any(query.optional for query in chosen(alternatives)):
                return Outcome(failure=why)
    plan += mine
    return Outcome()


def _lacking(query: Query, columns: frozenset[str] | None) -> Unavailable | None:
    if columns is None:
        return None
    for need in query.needs:
        if need not in columns:
            reason = Reason.PERMISSION if UNREADABLE + need in columns else Reason.MISSING
            return Unavailable(reason, f"{need} is needed")
    return None


def readable_columns(rows: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The rows of `COLUMNS` as "table", "table.column", or, where it may not be read, "!table.column"."""
    found = set()
    for row in rows:
        found.add(row["table"])
        if row["column"] is not None:
            found.add(("" if row["readable"] else UNREADABLE) + f"{row['table']}.{row['column']}")
    return frozenset(found)


def _limits(budgets: Sequence[float], deadline: Deadline) -> list[float]:
    """The budgets, all made smaller where together they could take longer than there is."""
    total = sum(budgets)
    room = 0.9 * deadline.left()
    factor = min(1.0, room / total) if total else 1.0
    return [max(0.005, budget * factor) for budget in budgets]
