"""Which Odoo is it, is it a copy for tests, and is it in the middle of an upgrade?

    closewatch_odoo_info{version="18.0",base="18.0.1.3"} 1
    closewatch_odoo_neutralized 0
    closewatch_odoo_modules_pending 0

While a module waits to be installed, upgraded or removed, Odoo's scheduler skips the whole database: no cron runs.

A copy that Odoo has neutralised (16 and newer: crons and mail servers are off on purpose) must not page. It is known
by the parameter database.is_neutralized, and here by the presence of that key alone. Its value can't be asked for
safely: the same column holds database.secret, and a column's grant can't be kept to a row. Nothing is lost by it: Odoo
writes no value but true, unsets a parameter by deleting its row, and itself takes any value for true.

Rights: SELECT on a few columns, never on ir_config_parameter.value. Cost: two small tables. Source: ir_module_module,
ir_config_parameter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.sources.postgresql.query import Query

INFO = Gauge(
    "closewatch_odoo_info",
    "The series of Odoo, and the version of its module base that is installed; always 1.",
    ("version", "base"),
)
NEUTRALIZED = Gauge(
    "closewatch_odoo_neutralized", "Whether the database is marked as a neutralised copy, which must not page anybody."
)
MODULES_PENDING = Gauge(
    "closewatch_odoo_modules_pending",
    "Modules that wait to be installed, upgraded or removed; while there are any, no cron of the database runs.",
)

QUERY = Query(
    """
SELECT (SELECT pg_catalog.left(latest_version, 64)::text
          FROM public.ir_module_module WHERE name = 'base' LIMIT 1) AS base,
       (SELECT pg_catalog.count(*) FROM public.ir_module_module
         WHERE state IN ('to install', 'to upgrade', 'to remove')) AS pending,
       EXISTS (SELECT FROM public.ir_config_parameter WHERE key = 'database.is_neutralized') AS neutralized
""",
    needs=(
        "ir_module_module.name",
        "ir_module_module.state",
        "ir_module_module.latest_version",
        "ir_config_parameter.key",
    ),
)

UNKNOWN = "unknown"
_VERSION = re.compile(r"(?P<series>(?:saas[~-])?[0-9]{1,3}\.[0-9]{1,3})(?:[.+~-][0-9a-z]{1,12}){0,6}")
"""18.0.1.3 is of the series 18.0, saas~18.2.1.3 of saas~18.2."""


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """A version that doesn't look like one of Odoo's is `unknown`: who may write the table doesn't choose the label."""
    row = answer.one()
    if row["base"] is not None:
        found = _VERSION.fullmatch(row["base"])
        yield INFO(1, version=found["series"] if found else UNKNOWN, base=found[0] if found else UNKNOWN)
    yield NEUTRALIZED(row["neutralized"])
    yield MODULES_PENDING(row["pending"])


BASE = Collector("base", {"main": QUERY}, read, (INFO, NEUTRALIZED, MODULES_PENDING))
