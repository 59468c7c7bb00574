"""A result of libpq as plain values: bool, int, float, str or None. Queries cast to these (see `query`)."""

from __future__ import annotations

from typing import Any

from psycopg import pq

from closewatch.core.reasons import Reason, Unavailable

Rows = list[dict[str, Any]]
MAX_ROWS = 50_000

_INTEGERS = frozenset({20, 21, 23, 26, 28})  # int8, int2, int4, oid, xid
_FLOATS = frozenset({700, 701, 1700})  # float4, float8, numeric
_BOOL = 16


def rows_of(result: pq.abc.PGresult) -> Rows:
    """The rows, by the names of their columns. Raises Unavailable(invalid_answer) for more than anybody asked for."""
    if result.ntuples > MAX_ROWS:
        raise Unavailable(Reason.INVALID_ANSWER, f"more than {MAX_ROWS} rows")
    columns = [
        (index, (result.fname(index) or b"").decode(errors="replace"), result.ftype(index))
        for index in range(result.nfields)
    ]
    return [
        {name: _value(result.get_value(row, index), kind) for index, name, kind in columns}
        for row in range(result.ntuples)
    ]


def _value(raw: bytes | None, kind: int) -> bool | int | float | str | None:
    if raw is None:
        return None
    if kind in _INTEGERS:
        return int(raw)
    if kind in _FLOATS:
        return float(raw)
    if kind == _BOOL:
        return raw == b"t"
    return raw.decode(errors="replace")
