"""Rows that the server hides must not read as "all is well".

A role without pg_read_all_stats gets no error from pg_stat_activity or pg_stat_replication: it gets the rows with
NULL in them, and a count of what is not NULL looks healthy. So every query of such a view says in its column
`readable` whether the role may see, by `pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')`, and its reader begins
here.
"""

from __future__ import annotations

from collections.abc import Sequence

from closewatch.core.collectors import Answer, Reason, Row, Unavailable


def readable(answer: Answer) -> Sequence[Row]:
    """The rows, of which there is always one at least. Raises Unavailable(permission) where the server masked them."""
    rows = answer.rows()
    if not rows or rows[0]["readable"] is not True:
        raise Unavailable(Reason.PERMISSION, "pg_monitor is not granted")
    return rows
