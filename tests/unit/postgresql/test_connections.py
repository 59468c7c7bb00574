"""The collector `connections`."""

from __future__ import annotations

from closewatch.postgresql.connections import CONNECTIONS
from tests.unit.postgresql.reading import read

ROW = {
    "readable": True,
    "active": 3,
    "idle": 40,
    "idle_in_transaction": 2,
    "idle_in_transaction_aborted": 0,
    "other": 0,
    "max": 97,
    "used": None,
}


def test_every_state_is_there_also_at_zero():
    assert read(CONNECTIONS, ROW) == [
        'closewatch_postgresql_connections{state="active"} 3',
        'closewatch_postgresql_connections{state="idle"} 40',
        'closewatch_postgresql_connections{state="idle_in_transaction"} 2',
        'closewatch_postgresql_connections{state="idle_in_transaction_aborted"} 0',
        'closewatch_postgresql_connections{state="other"} 0',
        "closewatch_postgresql_connections_max 97",
    ]


def test_the_ratio_is_there_where_a_role_or_database_has_a_limit():
    assert read(CONNECTIONS, {**ROW, "used": 0.95})[-1] == ("closewatch_postgresql_connection_limit_used_ratio 0.95")
