"""A question in SQL, with what it needs of the server. Pure data: collectors declare it, `sources.postgres` asks it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Query:
    """One statement. Its columns are bool, integer, float8 or text: cast timestamps by extract(epoch FROM ...)::float8.

    `since` is the lowest server version number (140000); `until` the first that doesn't have it any more. `needs`
    lists "table" (must exist) and "table.column" (must exist and be readable) of schema public; only asked of
    databases whose columns are probed. An `optional` query that does not fit, or that misses a column or a right, is
    absent from the answer; any other makes its collector fail with the reason. `extension` is the name of an
    extension and its lowest version ("pg_stat_statements 1.9"), for the held session only; `{schema}` in the SQL
    stands for the schema that it lives in.
    """

    sql: str
    since: int = 0
    until: int = 1_000_000
    needs: tuple[str, ...] = ()
    optional: bool = False
    extension: str = ""
