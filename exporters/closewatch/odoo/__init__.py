"""Odoo: is the work done that nobody waits for at a screen, and will it be done tonight?

Watches the operations of one database: background jobs (OCA's queue_job), scheduled actions, mail, what the accounting
waits for from outside, the growth of its files, an upgrade under way, and whether it is a copy for tests. Odoo 15 to
19. Columns are probed, never assumed: stable branches get columns of newer ones, and customers add their own. Times in
Odoo's tables are UTC, without a zone.

It reads single columns (`grants.sql`): never a password, a key, a parameter's value, a job's arguments, or what an
error said.
"""

from collections.abc import Mapping

from closewatch.core.collectors import Collector
from closewatch.odoo.base import BASE
from closewatch.odoo.cron import CRON
from closewatch.odoo.finance import FINANCE
from closewatch.odoo.growth import GROWTH
from closewatch.odoo.jobs import JOBS
from closewatch.odoo.mail import MAIL
from closewatch.odoo.queue import QUEUE
from closewatch.odoo.runner import RUNNER
from closewatch.odoo.tables import TABLES

# The cheapest first: a batch that is cut short by its deadline has answered what it could.
COLLECTORS: tuple[Collector, ...] = (BASE, RUNNER, CRON, QUEUE, MAIL, FINANCE, JOBS, TABLES, GROWTH)


def _needed_columns() -> Mapping[str, tuple[str, ...]]:
    needed: dict[str, set[str]] = {}
    for collector in COLLECTORS:
        for alternatives in collector.ask.values():
            for query in alternatives if isinstance(alternatives, tuple) else (alternatives,):
                for table, column in (need.split(".") for need in query.needs if "." in need):
                    needed.setdefault(table, set()).add(column)
    return {table: tuple(sorted(columns)) for table, columns in sorted(needed.items())}


GRANTS: Mapping[str, tuple[str, ...]] = _needed_columns()
"""The columns to grant, by table: all that is read of any version. `grants.sql` says the same."""
