"""What holds for all collectors of PostgreSQL: names, rights, budget of series and time, and how they ask."""

from __future__ import annotations

import re

import pytest

from closewatch.core.collectors import Collector, On, Reason, Unavailable
from closewatch.postgresql import COLLECTORS
from closewatch.sources.postgresql.batch import chosen
from closewatch.sources.postgresql.query import Query
from tests.unit.postgresql.reading import TARGET, read

VERSIONS = (130_023, 140_000, 150_018, 160_014, 170_010, 180_006)
BY_NAME = {collector.name: collector for collector in COLLECTORS}
# The values of labels that are a closed set; the others (standby, slot, database, member) come with what they name.
CLOSED = {
    "closewatch_postgresql_connections": 5,
    "closewatch_postgresql_checkpoints_total": 2,
    "closewatch_postgresql_oldest_transaction_start_timestamp_seconds": 2,
    "closewatch_postgresql_xmin_horizon_age_transactions": 5,
    "closewatch_postgresql_info": 1,
    "closewatch_postgresql_wal_position_bytes": 1,
    "closewatch_postgresql_privileged_roles": 12,
    "closewatch_postgresql_books_foreign_access": 2,
    "closewatch_postgresql_remote_sessions": 4,
    "closewatch_postgresql_unexpected_sessions": 6,
    "closewatch_postgresql_setting_unsafe": 10,
    "closewatch_postgresql_access_rules_risky": 9,
    "closewatch_postgresql_io_bytes_total": 2,
    "closewatch_postgresql_io_seconds_total": 2,
}


def queries(collector: Collector) -> tuple[Query, ...]:
    return tuple(query for alternatives in collector.ask.values() for query in chosen(alternatives))


def each(collectors=COLLECTORS):
    return pytest.mark.parametrize("collector", collectors, ids=[collector.name for collector in collectors])


def test_names_are_unique():
    assert len(BY_NAME) == len(COLLECTORS)
    families = [family.name for collector in COLLECTORS for family in collector.families]
    assert len(families) == len(set(families))


@each()
def test_metrics_and_help(collector):
    for family in collector.families:
        assert family.name.startswith("closewatch_postgresql_")
        assert family.help[0].isupper()
        assert family.help.endswith(".")


@each()
def test_one_statement_fits_each_version(collector):
    for version in VERSIONS:
        assert any(query.since <= version < query.until for query in chosen(collector.ask["main"])), version


@each()
def test_names_in_sql_are_qualified(collector):
    """A function or view that somebody made in another schema can't be put in the place of the server's own."""
    for query in queries(collector):
        bare = re.sub(r"'[^']*'", "''", query.sql)
        assert re.findall(r"(?<![\w.])pg_(?!catalog\.)\w+", bare) == []
        assert ";" not in query.sql


def test_series_of_a_server_stay_in_their_budget():
    fixed = standby = slot = database = member = statement = 0
    for collector in COLLECTORS:
        for family in collector.families:
            if collector.on is On.EACH:
                member += CLOSED.get(family.name, 1)
            elif {"standby", "member"} & set(family.labels):
                standby += 1
            elif "queryid" in family.labels:
                statement += TARGET.settings.statements + 1
            elif "slot" in family.labels:
                slot += 1
            elif "database" in family.labels:
                database += 1
            else:
                fixed += CLOSED[family.name] if family.labels else 1
    assert fixed <= 119
    assert statement <= 22
    # Each collector: 3, one more while it fails, and the interval of a slow one. The server: up, why not, 5 of members.
    meta = 4 * len(COLLECTORS) + sum(bool(collector.every) for collector in COLLECTORS) + 7
    assert fixed + meta <= 202
    assert member <= 40
    assert standby <= 8
    assert slot <= 8
    assert database <= 4


def test_time_on_the_server_stays_in_its_budget():
    assert round(sum(collector.budget for collector in COLLECTORS if not collector.every), 3) <= 3.7
    slow = {collector.name for collector in COLLECTORS if collector.every}
    assert slow == {"roles", "parameters", "hba", "isolation", "storage", "statements", "databases"}
    assert COLLECTORS[-1] is BY_NAME["databases"]


def test_standbys_are_asked_for_their_link_and_for_who_may_come_in():
    assert [collector.name for collector in COLLECTORS if collector.on is On.STANDBY] == ["receiver"]
    assert {collector.name for collector in COLLECTORS if collector.on is On.EACH} == {"logins", "parameters", "hba"}


MASKED = [
    BY_NAME[name] for name in ("replication", "receiver", "connections", "locks", "transactions", "logins", "vacuum")
]


def test_every_query_of_a_masked_view_says_whether_it_may_read():
    masked = re.compile(r"pg_stat_(activity|replication|wal_receiver|progress_\w+)\b")
    found = [collector for collector in COLLECTORS if any(masked.search(query.sql) for query in queries(collector))]
    assert {collector.name for collector in found} == {collector.name for collector in MASKED}
    for collector in found:
        for query in queries(collector):
            assert "pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') AS readable" in query.sql


@each(MASKED)
@pytest.mark.parametrize("rows", [(), ({"readable": False},), ({"readable": None},)], ids=["none", "false", "null"])
def test_masked_rows_are_unavailable_never_well(collector, rows):
    with pytest.raises(Unavailable) as caught:
        read(collector, *rows)
    assert caught.value.reason is Reason.PERMISSION
