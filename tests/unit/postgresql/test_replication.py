"""The collector `replication`."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closewatch.postgresql.replication import REPLICATION
from tests.unit.postgresql.reading import read, value

LAG = "closewatch_postgresql_replication_lag_seconds"
NOBODY = {
    "readable": True,
    "now": 5000.0,
    "written": 1_000_000.0,
    "pid": None,
    "name": None,
    "address": None,
    "state": None,
    "replayed": None,
    "measured": None,
}
ROW = {
    **NOBODY,
    "pid": 4711,
    "name": "pg-07-b",
    "address": "10.0.0.2",
    "state": "streaming",
    "replayed": 1_000_000.0,
}


def lag(lines: list[str], standby: str = "pg-07-b") -> float | None:
    start = f'{LAG}{{standby="{standby}"}}'
    return value(lines, start) if any(line.startswith(start) for line in lines) else None


def test_a_standby_that_has_all():
    assert read(REPLICATION, ROW) == [
        "closewatch_postgresql_standbys_expected 1",
        "closewatch_postgresql_standbys_streaming 1",
        'closewatch_postgresql_replication_lag_bytes{standby="pg-07-b"} 0',
        'closewatch_postgresql_replication_lag_seconds{standby="pg-07-b"} 0',
        'closewatch_postgresql_replication_streaming{standby="pg-07-b"} 1',
    ]


def test_no_standby():
    assert read(REPLICATION, NOBODY) == [
        "closewatch_postgresql_standbys_expected 1",
        "closewatch_postgresql_standbys_streaming 0",
    ]


def test_behind_by_what_the_server_measured():
    lines = read(REPLICATION, {**ROW, "replayed": 900_000.0, "measured": 2.5})
    assert lag(lines) == 2.5
    assert value(lines, "closewatch_postgresql_replication_lag_bytes") == 100_000


def test_an_empty_measure_is_no_lag_of_zero_while_something_is_missing():
    assert lag(read(REPLICATION, {**ROW, "replayed": 999_999.0})) is None


@pytest.mark.parametrize("state", ["startup", "catchup", "backup", "stopping"])
def test_an_empty_measure_is_no_lag_of_zero_unless_streaming(state):
    lines = read(REPLICATION, {**ROW, "state": state})
    assert lag(lines) is None
    assert 'closewatch_postgresql_replication_streaming{standby="pg-07-b"} 0' in lines
    assert "closewatch_postgresql_standbys_streaming 0" in lines


def test_an_old_measure_does_not_outlive_the_lag():
    assert lag(read(REPLICATION, {**ROW, "measured": 300.0})) == 0


def test_on_a_quiet_primary_the_lag_stays_zero():
    memory = {}
    for now in (5000.0, 5015.0, 95_000.0):
        assert lag(read(REPLICATION, {**ROW, "now": now}, memory=memory)) == 0


def test_on_a_cut_link_the_lag_grows_though_the_server_measures_nothing_new():
    memory = {}
    read(REPLICATION, {**ROW, "measured": 0.002}, memory=memory)
    seen = []
    for scrape in range(1, 5):
        row = {**ROW, "now": 5000.0 + 15 * scrape, "written": 1_000_000.0 + 500 * scrape, "measured": 0.002}
        seen.append(lag(read(REPLICATION, row, memory=memory)))
    # The first figure is still the server's own: what was there at the scrape before had been replayed.
    assert seen == [0.002, 15.0, 30.0, 45.0]


def test_a_slow_primary_is_no_lag():
    """WAL that is younger than the last scrape says nothing about how old what is missing is."""
    memory = {}
    for scrape in range(5):
        written = 1_000_000.0 + 100 * scrape
        row = {**ROW, "now": 5000.0 + 15 * scrape, "written": written, "replayed": written - 50, "measured": 0.01}
        assert lag(read(REPLICATION, row, memory=memory)) == 0.01


def test_wal_that_was_set_back_begins_anew():
    memory = {}
    read(REPLICATION, {**ROW, "replayed": 0.0}, memory=memory)
    lines = read(REPLICATION, {**ROW, "now": 5015.0, "written": 9000.0, "replayed": 0.0}, memory=memory)
    assert lag(lines) is None


def test_another_primary_begins_anew():
    memory = {}
    read(REPLICATION, {**ROW, "replayed": 0.0}, memory=memory)
    lines = read(REPLICATION, {**ROW, "now": 5015.0, "replayed": 0.0}, memory=memory, member="10.0.0.2:5432")
    assert lag(lines) is None


def test_what_is_gone_is_forgotten():
    memory = {}
    read(REPLICATION, ROW, memory=memory)
    read(REPLICATION, NOBODY, memory=memory)
    assert memory["marks"] == {}


def names(*rows: dict[str, object]) -> list[str]:
    start = 'closewatch_postgresql_replication_streaming{standby="'
    lines = read(REPLICATION, *rows)
    return [line.removeprefix(start).rpartition('"}')[0] for line in lines if line.startswith(start)]


def test_the_address_tells_namesakes_apart():
    assert names(ROW, {**ROW, "address": "10.0.0.3"}) == ["pg-07-b 10.0.0.2", "pg-07-b 10.0.0.3"]


def test_namesakes_at_one_address_are_numbered():
    assert names(ROW, ROW, ROW) == ["pg-07-b 10.0.0.2", "pg-07-b 10.0.0.2 #2", "pg-07-b 10.0.0.2 #3"]


def test_a_standby_without_a_name_or_on_a_socket():
    assert names({**ROW, "name": ""}, {**ROW, "name": "", "address": None}) == ["10.0.0.2", "local"]


NAMES = st.sampled_from(["", "a", "a 10.0.0.2", "a 10.0.0.2 #2", "10.0.0.2", "local", 'q"} 1\n', "\ud800", "é"])
ADDRESSES = st.sampled_from([None, "10.0.0.2", "10.0.0.3", "::1"])


@given(st.lists(st.tuples(NAMES, ADDRESSES), max_size=12))
def test_whatever_standbys_call_themselves_no_two_are_the_same(called):
    rows = [{**ROW, "name": name, "address": address} for name, address in sorted(called, key=lambda c: c[0])]
    read(REPLICATION, *rows or [NOBODY])  # fails where a series is there twice


def test_marks_are_kept_by_name():
    memory = {}
    behind, level = {**ROW, "replayed": 0.0}, {**ROW, "name": "pg-07-c"}
    read(REPLICATION, behind, level, memory=memory)
    later = [{**row, "now": 5015.0} for row in (behind, level)]
    lines = read(REPLICATION, *later, memory=memory)
    assert (lag(lines), lag(lines, "pg-07-c")) == (15.0, 0.0)


def test_the_lag_of_a_standby_that_does_not_move_never_falls():
    memory = {}
    seen = []
    for scrape in range(20):
        row = {**ROW, "now": 5000.0 + 15 * scrape, "written": 1_000_000.0 + scrape, "replayed": 0.0}
        seen.append(lag(read(REPLICATION, row, memory=memory)))
    assert all(before < after for before, after in pairwise(seen[1:]))
