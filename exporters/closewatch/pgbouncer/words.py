"""How PgBouncer's console says things: settings are text, its own database is in every list, numbers come as either."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from closewatch.core.collectors import Row

CONSOLE = "pgbouncer"
"""The admin console's database, which is no database of anybody's."""


def settings(rows: Iterable[Row]) -> Mapping[str, str]:
    """The rows of SHOW CONFIG by key; what has no value is empty."""
    return {str(row["key"]): str(row["value"] or "") for row in rows}


def number(value: object) -> float | None:
    """A number that may come as text; None for what is none."""
    try:
        return float(value) if isinstance(value, str | int | float) else None
    except ValueError:
        return None
