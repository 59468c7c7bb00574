"""Every query on real servers with the weak role; and with less, unavailable instead of well."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from closewatch.core.collectors import Collector, On, Reason, Unavailable
from closewatch.engines.postgres import PostgresServer
from closewatch.postgresql import COLLECTORS
from closewatch.sources.postgresql.batch import chosen
from tests.fixtures.watch import SECRET
from tests.server.postgresql.conftest import WEAK, Link
from tests.server.postgresql.watching import Watcher

ALLOWED_TYPES = {16, 20, 21, 23, 25, 701}  # bool, int8, int2, int4, text, float8
NEEDING_MORE = {
    *("receiver", "wal_archive", "replication", "locks", "connections", "transactions"),
    *("logins", "parameters", "hba", "vacuum", "storage", "statements"),
}


def each(names: set[str] | None = None):
    some = [collector for collector in COLLECTORS if names is None or collector.name in names]
    return pytest.mark.parametrize("collector", some, ids=[collector.name for collector in some])


def asked(collector: Collector, link: Link) -> PostgresServer:
    return link.standby if collector.on is On.STANDBY else link.primary


@each()
def test_the_weak_role_is_enough(collector: Collector, link: Link, watch: Callable[..., Watcher]):
    answer = watch(asked(collector, link)).answer(collector)
    assert answer.version // 10_000 == link.primary.major
    assert "main" in answer


@each()
def test_the_answer_has_plain_types_only(collector: Collector, link: Link):
    server = asked(collector, link)
    version = server.major * 10_000
    sql = next(query.sql for query in chosen(collector.ask["main"]) if query.since <= version < query.until)
    with server.connect() as connection:
        cursor = connection.execute(sql.encode())
        assert {
            column.name: column.type_code for column in cursor.description if column.type_code not in ALLOWED_TYPES
        } == {}


@each(NEEDING_MORE)
def test_without_pg_monitor_it_is_unavailable_never_well(
    collector: Collector, link: Link, blind: Callable[[PostgresServer], Watcher]
):
    with pytest.raises(Unavailable) as caught:
        blind(asked(collector, link)).ask(collector)
    assert caught.value.reason is Reason.PERMISSION


@each({collector.name for collector in COLLECTORS} - NEEDING_MORE)
def test_what_is_public_is_the_same_without_pg_monitor(
    collector: Collector, link: Link, watch: Callable[..., Watcher], blind: Callable[[PostgresServer], Watcher]
):
    def shown(watcher: Watcher) -> set[tuple[str, tuple[str, ...]]]:
        return {
            (sample.family.name, sample.labels) for sample in watcher.ask(collector).samples if sample.value is not None
        }

    assert shown(blind(link.primary)) == shown(watch(link.primary))


@each({"replication", "locks", "connections", "transactions", "logins", "parameters", "vacuum", "statements"})
def test_a_right_that_is_granted_but_not_inherited_does_not_count(
    collector: Collector, link: Link, watch: Callable[..., Watcher]
):
    link.primary.sql("postgres", "CREATE ROLE heir LOGIN NOINHERIT PASSWORD 'made-up' IN ROLE pg_monitor")
    try:
        watcher = watch(link.primary, "heir", "made-up")
        with pytest.raises(Unavailable) as caught:
            watcher.ask(collector)
        assert caught.value.reason is Reason.PERMISSION
    finally:
        link.primary.drop_role("heir")


def test_settings_without_statistics_are_not_enough_for_the_receiver(link: Link, watch: Callable[..., Watcher]):
    (receiver,) = (collector for collector in COLLECTORS if collector.name == "receiver")
    link.primary.sql("postgres", "CREATE ROLE half LOGIN PASSWORD 'made-up' IN ROLE pg_read_all_settings")
    link.well()
    try:
        with pytest.raises(Unavailable) as caught:
            watch(link.standby, "half", "made-up").ask(receiver)
        assert caught.value.reason is Reason.PERMISSION
    finally:
        link.primary.drop_role("half")


@pytest.mark.parametrize("forbidden", ["SELECT * FROM payroll", "SELECT rolpassword FROM pg_authid"])
def test_the_weak_role_reads_nobodys_rows(lively: PostgresServer, forbidden: str):
    lively.sql("postgres", "CREATE TABLE IF NOT EXISTS payroll (amount int)")
    with lively.connect(user=WEAK, password=SECRET) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(forbidden)
