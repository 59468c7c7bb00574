"""Extensions of the connected database: which version is installed, and in which schema, which anybody may choose.

What an extension offers goes by its own version, not by the server's: after pg_upgrade the old one stays until
somebody runs ALTER EXTENSION. A query says what it needs (`Query.extension`), and `{schema}` in its SQL becomes the
schema's name, quoted by the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from closewatch.sources.postgresql.query import Query

_LOOK = """
SELECT e.extname::text AS name, e.extversion::text AS version, pg_catalog.quote_ident(n.nspname) AS schema
  FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
 WHERE e.extname IN ({names})
"""


class Extension(NamedTuple):
    """An installed extension; `schema` is an SQL identifier."""

    version: tuple[int, ...]
    schema: str


Extensions = Mapping[str, Extension]


def needed(queries: Iterable[Query]) -> tuple[str, ...]:
    """The names of the extensions that any of the queries needs."""
    return tuple(sorted({query.extension.partition(" ")[0] for query in queries if query.extension}))


def look(names: Iterable[str]) -> str:
    """The question which of these extensions are installed."""
    return _LOOK.format(names=", ".join(f"'{name}'" for name in names))


def found(rows: Iterable[Mapping[str, Any]]) -> Extensions:
    """The answer to `look`. A version that is no number fits no query."""
    return {row["name"]: Extension(_version(row["version"]), row["schema"]) for row in rows}


def fitted(query: Query, extensions: Extensions) -> Query | None:
    """The query with its schema filled in; None where the extension is missing or too old."""
    if not query.extension:
        return query
    name, _, lowest = query.extension.partition(" ")
    extension = extensions.get(name)
    if extension is None or extension.version < _version(lowest):
        return None
    return replace(query, sql=query.sql.replace("{schema}", extension.schema))


def _version(text: str) -> tuple[int, ...]:
    parts = text.split(".")
    return tuple(int(part) for part in parts) if all(part.isascii() and part.isdigit() for part in parts) else ()
