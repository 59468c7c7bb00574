"""Which databases of a server are watched, which are not, and why not.

Found on the way, by the session that the server's scrape holds anyway. What is seen and not watched is counted by
`closewatch_unwatched`: the population is complete, or it is known that it isn't.
"""

from __future__ import annotations

import re
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from closewatch.core import meta
from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Sample
from closewatch.core.settings import LABEL_PATTERN
from closewatch.core.targets import Target
from closewatch.postgresql.settings import PostgresqlTarget
from closewatch.sources.postgresql.query import Query

NAME = "discovery"
UNWATCHED_REASONS = ("unmatched", "no_connect", "name_clash")

# A cluster without an encoding may hold a name that is no valid text: it must not hide all others.
DATABASES = """
SELECT CASE WHEN pg_catalog.getdatabaseencoding() = 'SQL_ASCII'
            THEN pg_catalog.encode(pg_catalog.convert_to(d.datname::text, 'SQL_ASCII'), 'escape')
            ELSE d.datname::text END AS name,
       pg_catalog.has_database_privilege(d.oid, 'CONNECT') AS connect
  FROM pg_catalog.pg_database d
 WHERE d.datallowconn AND NOT d.datistemplate AND d.datconnlimit <> -2
 ORDER BY d.datname
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A database that the server lists."""

    name: str
    connect: bool


@dataclass(frozen=True, slots=True)
class Found:
    """A database to be watched as a target of its own."""

    name: str
    database: str
    tenant: str | None
    environment: str | None


def match(
    seen: Iterable[Seen], settings: PostgresqlTarget, explicit: Iterable[str], taken: Callable[[str], bool]
) -> tuple[list[Found], Mapping[str, int]]:
    """The databases to watch, and how many are not watched by reason.

    `explicit` are the databases of this server that have a target of their own; `taken` tells whether a target's name
    is in use elsewhere. The first rule of the configuration that matches counts.
    """
    found: list[Found] = []
    unwatched: Tally[str] = Tally(dict.fromkeys(UNWATCHED_REASONS, 0))
    named = set(explicit)
    for database in seen:
        if database.name in named or (settings.ignore and re.fullmatch(settings.ignore, database.name)):
            continue
        one = _first(database.name, settings)
        if one is None:
            # The session's own database is there for maintenance; nobody keeps books in it.
            unwatched["unmatched"] += database.name != settings.database
        elif not database.connect:
            unwatched["no_connect"] += 1
        elif taken(one.name):
            unwatched["name_clash"] += 1
        else:
            found.append(one)
    return found, unwatched


def _first(database: str, settings: PostgresqlTarget) -> Found | None:
    for rule in settings.discover:
        matched = re.fullmatch(rule.databases, database)
        if matched is None:
            continue
        groups = matched.groupdict()
        if any(value and not re.match(LABEL_PATTERN, value) for value in groups.values()):
            continue
        name = rule.name.replace("{server}", settings.name).replace("{database}", database)
        return Found(name, database, groups.get("tenant"), groups.get("environment"))
    return None


def collector(unwatched: Callable[[Target, list[Seen]], Mapping[str, int]]) -> Collector:
    """Lists the databases; the server's memory keeps them for the registry, which says what is not watched."""

    def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
        seen = [Seen(row["name"], row["connect"]) for row in answer.rows()]
        if memory.get("seen") != seen:
            memory["seen"] = seen  # the same list stays while nothing changes: the registry tells a change by that
        for reason, count in unwatched(target, seen).items():
            yield meta.UNWATCHED(count, kind="odoo", reason=reason)

    return Collector(NAME, ask={"main": Query(DATABASES)}, read=read, families=(meta.UNWATCHED,))
