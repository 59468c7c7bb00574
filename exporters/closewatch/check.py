"""`closewatch check --connect`: can every target be asked, and which grants are missing, as SQL to paste."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from closewatch import odoo
from closewatch.core.config import Config
from closewatch.core.deadline import Deadline
from closewatch.core.labels import clean
from closewatch.core.problems import printable
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.scrape import Scrape
from closewatch.explain import wrong
from closewatch.odoo.settings import OdooTarget
from closewatch.registry import Registry
from closewatch.sources.pgaccess import Access
from closewatch.sources.pgbatch import COLUMNS, UNREADABLE, readable_columns
from closewatch.sources.pgconn import Connection, Statement

MONITORS = "SELECT pg_catalog.pg_has_role(current_user, 'pg_monitor', 'USAGE') AS has"


def summary(config: Config) -> str:
    """A configuration that is good, in a line."""
    kinds: dict[str, int] = {}
    for target in config.targets:
        kinds[target.kind] = kinds.get(target.kind, 0) + 1
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "none"
    return f"{config.path}: good; targets: {counted}; files: {len(config.files)}"


def check_targets(config: Config, deadline: Deadline, say: Callable[[str], object]) -> bool:
    """Ask every target once and say what is wrong and which grants are missing. True where all is well."""
    registry = Registry(config)
    well = True
    grants: dict[str, list[str]] = {}
    try:
        for scrape in registry.discovering():
            scrape.run(deadline.sooner(10))
        for scrape in registry.scrapes():
            if scrape.status is None:
                scrape.run(Deadline.after(10))
            problems = wrong(scrape.status) if scrape.status else []
            say(
                f"{scrape.target.kind} {printable(clean(scrape.target.name))}: " + ("well" if not problems else "WRONG")
            )
            for problem in problems:
                say(f"  {problem}")
            well = well and not problems
            for database, statements in missing_grants(registry, scrape).items():
                grants.setdefault(database, []).extend(statements)
    finally:
        registry.close()
    if grants:
        say("\n-- Missing grants; run as the owner or a superuser:")
        for database, statements in grants.items():
            say(f"\\connect {quoted(database)}")
            for statement in dict.fromkeys(statements):
                say(statement)
    return well and not grants


def missing_grants(registry: Registry, scrape: Scrape) -> dict[str, list[str]]:
    """The SQL that would give the role what it lacks for this target, by the database to run it in."""
    access = registry.access(scrape.target)
    settings = scrape.target.settings
    database = settings.database
    why = scrape.status.down if scrape.status else None
    if why is not None and why.reason is Reason.PERMISSION:
        return {database: [f"GRANT CONNECT ON DATABASE {quoted(database)} TO {quoted(access.user)};"]}
    connection = _open(access, database)
    if connection is None:
        return {}
    try:
        if isinstance(settings, OdooTarget):
            statements = _column_grants(connection, odoo.GRANTS, access.user)
        else:
            statements = _monitor_grant(connection, access.user)
    finally:
        connection.close()
    return {database: statements} if statements else {}


def _open(access: Access, database: str) -> Connection | None:
    for address in access.in_order():
        try:
            return access.open(address, database, Deadline.after(5))
        except Unavailable:
            continue
    return None


def _monitor_grant(connection: Connection, user: str) -> list[str]:
    outcome = connection.batch([Statement(MONITORS, 1.0)], Deadline.after(5))[0]
    if outcome.failure is not None or outcome.rows[0]["has"]:
        return []
    return [f"GRANT pg_monitor TO {quoted(user)};"]


def _column_grants(connection: Connection, needed: Mapping[str, Sequence[str]], user: str) -> list[str]:
    tables = ", ".join(f"'{table}'" for table in needed)
    outcome = connection.batch([Statement(COLUMNS.format(tables=tables), 1.0)], Deadline.after(5))[0]
    found = readable_columns(outcome.rows)
    statements = []
    for table, columns in needed.items():
        lacking = [column for column in columns if f"{UNREADABLE}{table}.{column}" in found]
        if lacking:
            listed = ", ".join(quoted(column) for column in lacking)
            statements.append(f"GRANT SELECT ({listed}) ON public.{quoted(table)} TO {quoted(user)};")
    return statements


def quoted(name: str) -> str:
    """A name as an SQL identifier: bare where that is safe."""
    if name.isascii() and name.islower() and name.replace("_", "a").isalnum() and not name[0].isdigit():
        return name
    return '"' + name.replace('"', '""') + '"'
