"""The collector `statements`."""

from __future__ import annotations

import pytest

from closewatch.core.collectors import Answer, Reason, Unavailable
from closewatch.postgresql.statements import STATEMENTS
from tests.unit.postgresql.reading import PRIMARY, lines_of, target, value

FEW = target(statements=2)
PREFIX = "closewatch_postgresql_"
STATE = {"readable": True, "usable": True, "counting": True}


def statement(queryid, seconds, calls=1.0, database="acme"):
    return {"database": database, "queryid": str(queryid), "seconds": seconds, "calls": calls}


def asked(*statements, more=0.0, at=0.0, reset=1_600_000_000.0, evictions=3.0, state=STATE):
    """An answer with these statements, and with others that took so many seconds more."""
    summed = {
        "database": None,
        "queryid": None,
        "seconds": sum(one["seconds"] for one in statements) + more,
        "calls": sum(one["calls"] for one in statements) + more,
        "evictions": evictions,
        "reset": reset,
        "age": 86_400.0,
    }
    tables = {"main": [state], "top": [*statements, summed]}
    return Answer(tables, 170_000, 1_700_000_000.0 + at, PRIMARY)


def lines(*statements, memory, **more):
    return lines_of(STATEMENTS, asked(*statements, **more), memory=memory, on=FEW)


def test_by_database_and_id_and_the_rest_together():
    memory = {}
    lines(statement(1, 100.0), statement(-2, 50.0), statement(3, 1.0), memory=memory)
    assert lines(
        statement(1, 102.5, 3.0), statement(-2, 50.0), statement(3, 1.5, 2.0), more=4.0, at=300, memory=memory
    ) == [
        f"{PREFIX}statements_tracked 1",
        f'{PREFIX}statement_seconds_total{{database="acme",queryid="1"}} 2.5',
        f'{PREFIX}statement_calls_total{{database="acme",queryid="1"}} 2',
        f'{PREFIX}statement_seconds_total{{database="acme",queryid="-2"}} 0',
        f'{PREFIX}statement_calls_total{{database="acme",queryid="-2"}} 0',
        f'{PREFIX}statement_seconds_total{{database="other",queryid="other"}} 4.5',
        f'{PREFIX}statement_calls_total{{database="other",queryid="other"}} 5',
        f"{PREFIX}statement_evictions_total 3",
        f"{PREFIX}statements_reset_timestamp_seconds 1600000000",
    ]  # fmt: skip


def test_the_same_statement_in_two_databases_is_two():
    memory = {}
    shown = lines(statement(1, 9.0), statement(1, 9.0, database="best"), memory=memory)
    assert len([line for line in shown if 'queryid="1"' in line]) == 4


def test_names_that_can_only_be_shown_alike_are_one():
    memory = {}
    both = (statement(1, 9.0, database="caf\ufffd"), statement(1, 2.0, database="caf\ufffd"))
    lines(*both, memory=memory)
    again = [{**one, "seconds": one["seconds"] + 1} for one in both]
    assert value(lines(*again, at=300, memory=memory), f'{PREFIX}statement_seconds_total{{database="caf') == 2.0


@pytest.mark.parametrize("usable", [True, None], ids=["not counting", "not installed"])
def test_where_nothing_is_counted_there_is_no_zero(usable):
    state = {**STATE, "usable": usable, "counting": False}
    assert lines(state=state, memory={}) == [f"{PREFIX}statements_tracked 0"]
    unanswered = Answer({"main": [{**STATE, "usable": usable}]}, 170_000, 0.0, PRIMARY)
    assert lines_of(STATEMENTS, unanswered, on=FEW) == [f"{PREFIX}statements_tracked 0"]


@pytest.mark.parametrize("lacking", [{"readable": False}, {"usable": False}], ids=["pg_monitor", "schema"])
def test_without_a_right_it_is_unavailable(lacking):
    with pytest.raises(Unavailable) as caught:
        lines(statement(1, 1.0), state={**STATE, **lacking}, memory={})
    assert caught.value.reason is Reason.PERMISSION


def test_an_old_extension_tells_less():
    shown = lines(statement(1, 1.0), evictions=None, reset=None, memory={})
    assert not any("evictions" in line or "reset" in line for line in shown)
    assert len(shown) == 5


def test_evictions_never_fall():
    memory = {}
    lines(evictions=9.0, memory=memory)
    assert f"{PREFIX}statement_evictions_total 9" in lines(evictions=0.0, at=300, memory=memory)
