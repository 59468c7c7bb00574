"""The collector `statements` on servers with pg_stat_statements in its many states."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from closewatch.core.collectors import Reason, Unavailable
from closewatch.engines.binaries import PostgresBinaries
from closewatch.engines.postgres import PostgresServer
from closewatch.grants import missing_grants
from closewatch.postgresql.statements import STATEMENTS
from tests.fixtures.postgres import Servers
from tests.fixtures.watch import SECRET, Watched, grant
from tests.server.postgresql.conftest import BLIND, WEAK, _make_roles
from tests.server.postgresql.watching import TARGET, Watcher

NEWEST = {13: "1.8", 14: "1.9", 15: "1.10", 16: "1.10", 17: "1.11", 18: "1.12"}
LOADED = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "all", "autovacuum": "off"}
CALLS = "postgresql_statement_calls_total"
SECONDS = "postgresql_statement_seconds_total"
WORK = "SELECT count(*) FROM generate_series(1, 20000) AS entry"
LONG = "SELECT count(*) FROM generate_series(1, 3000000) AS entry"
FEW = replace(TARGET, settings=TARGET.settings.model_copy(update={"statements": 2}))


@pytest.fixture(scope="module")
def counting(postgres_version: PostgresBinaries, postgres_servers: Servers) -> Iterator[PostgresServer]:
    """A server that counts statements, the extension in a schema of its own with a name that needs quotes."""
    server = PostgresServer.create(postgres_servers.run, postgres_version, f"counting{postgres_version.major}", LOADED)
    server.start()
    _make_roles(server)
    server.create_database("books")
    server.sql(
        "postgres", 'CREATE SCHEMA "Mo""n {schema}"; CREATE EXTENSION pg_stat_statements SCHEMA "Mo""n {schema}"'
    )
    server.sql("postgres", f'GRANT USAGE ON SCHEMA "Mo""n {{schema}}" TO {WEAK}')
    yield server
    server.remove()


def identity(server: PostgresServer, text: str) -> str:
    """The id that the server gives a statement."""
    view = '"Mo""n {schema}".pg_stat_statements'
    return str(server.value("postgres", f"SELECT queryid FROM {view} WHERE query LIKE %s", [f"%{text}%"]))


def test_growth_is_shown_by_id_and_what_was_before_is_not(counting: PostgresServer, watch: Callable[..., Watcher]):
    counting.sql("books", WORK)
    watcher = watch(counting)
    first = watcher.ask(STATEMENTS)
    assert first.one("postgresql_statements_tracked") == 1
    assert set(first.all(CALLS)) == {0.0}
    for _ in range(3):
        counting.sql("books", WORK)
    second = watcher.ask(STATEMENTS)
    key = {"database": "books", "queryid": identity(counting, "AS entry")}
    assert second.one(CALLS, **key) == 3
    assert 0 < second.one(SECONDS, **key) < 60
    assert second.one(CALLS, queryid="other") > 0
    assert not any("SELECT" in label for sample in second.samples for label in sample.labels)


def test_what_a_function_runs_is_counted_once(counting: PostgresServer, watch: Callable[..., Watcher]):
    if counting.major < 14:
        pytest.skip("the extension tells them apart from 1.9 on")
    counting.sql(
        "books",
        "CREATE OR REPLACE FUNCTION nested() RETURNS void LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM count(*) FROM generate_series(1, 300000) AS inner_work; END $$",
    )
    watcher = watch(counting)
    watcher.ask(STATEMENTS, FEW)
    counting.sql("books", "SELECT nested()")
    facts = watcher.ask(STATEMENTS, FEW)
    outer, inner = identity(counting, "SELECT nested()"), identity(counting, "inner_work")
    assert facts.all(CALLS, queryid=inner) == []
    assert sum(facts.all(SECONDS)) < 2 * float(
        counting.value(
            "postgres",
            'SELECT total_exec_time / 1000 FROM "Mo""n {schema}".pg_stat_statements WHERE queryid = %s',
            [int(outer)],
        )
    )


def test_a_reset_takes_nothing_back(counting: PostgresServer, watch: Callable[..., Watcher]):
    watcher = watch(counting)
    watcher.ask(STATEMENTS)
    for _ in range(5):
        counting.sql("books", WORK)
    before = watcher.ask(STATEMENTS)
    counting.sql("postgres", 'SELECT "Mo""n {schema}".pg_stat_statements_reset()')
    counting.sql("books", WORK)
    after = watcher.ask(STATEMENTS)
    key = {"database": "books", "queryid": identity(counting, "AS entry")}
    assert after.one(CALLS, **key) == before.one(CALLS, **key) + 1
    assert after.one(CALLS, queryid="other") >= before.one(CALLS, queryid="other")
    if counting.major >= 14:
        now = counting.value("postgres", "SELECT extract(epoch FROM now())::float8")
        assert now - 60 < after.one("postgresql_statements_reset_timestamp_seconds") <= now
        assert after.one("postgresql_statement_evictions_total") >= 0
    else:
        assert after.all("postgresql_statements_reset_timestamp_seconds") == []


def test_more_than_the_shown_are_summed(counting: PostgresServer, watch: Callable[..., Watcher]):
    watcher = watch(counting)
    watcher.ask(STATEMENTS, FEW)
    for number in range(8):
        counting.sql("books", f"SELECT count(*) AS n{number} FROM generate_series(1, 10000)")
    facts = watcher.ask(STATEMENTS, FEW)
    assert len(facts.all(CALLS)) == 3
    assert sum(facts.all(CALLS)) >= 8


def test_a_dropped_database_is_among_the_others(counting: PostgresServer, watch: Callable[..., Watcher]):
    watcher = watch(counting)
    counting.create_database("gone")
    watcher.ask(STATEMENTS)
    for _ in range(3):
        counting.sql("gone", LONG)
    assert "gone" in watcher.ask(STATEMENTS).labels(CALLS, "database")
    counting.drop_database("gone")
    assert "gone" not in watcher.ask(STATEMENTS).labels(CALLS, "database")


def test_every_version_of_the_extension(new_postgres: Callable[..., PostgresServer], watch: Callable[..., Watcher]):
    """After pg_upgrade the extension stays as old as it was, until somebody updates it."""
    server = new_postgres(LOADED)
    _make_roles(server)
    versions = ["1.8", "1.9", "1.10", "1.11", "1.12"]
    for version in versions[: versions.index(NEWEST[server.major]) + 1]:
        server.sql("postgres", "DROP EXTENSION IF EXISTS pg_stat_statements")
        server.sql("postgres", f"CREATE EXTENSION pg_stat_statements VERSION '{version}'")
        watcher = watch(server)
        watcher.ask(STATEMENTS)
        server.sql("postgres", WORK)
        facts = watcher.ask(STATEMENTS)
        assert facts.one("postgresql_statements_tracked") == 1, version
        assert sum(facts.all(CALLS)) > 0, version
        assert len(facts.all("postgresql_statement_evictions_total")) == (version != "1.8"), version


@pytest.mark.parametrize("how", ["missing", "elsewhere", "not loaded", "switched off"])
def test_where_it_cannot_be_asked_there_is_no_zero(
    how: str, new_postgres: Callable[..., PostgresServer], watch: Callable[..., Watcher]
):
    settings = {"missing": LOADED, "elsewhere": LOADED, "not loaded": {}}
    server = new_postgres(settings.get(how, {**LOADED, "pg_stat_statements.track": "none"}))
    _make_roles(server)
    if how == "elsewhere":
        server.create_database("books")
        server.sql("books", "CREATE EXTENSION pg_stat_statements")
    elif how != "missing":
        server.sql("postgres", "CREATE EXTENSION pg_stat_statements")
    watcher = watch(server)
    for _ in range(2):
        facts = watcher.ask(STATEMENTS)
        assert [sample.family.name for sample in facts.samples] == ["closewatch_postgresql_statements_tracked"]
        assert facts.one("postgresql_statements_tracked") == 0


def test_ids_that_are_hidden_are_unavailable(counting: PostgresServer, watch: Callable[..., Watcher]):
    with pytest.raises(Unavailable) as caught:
        watch(counting, BLIND).ask(STATEMENTS)
    assert caught.value.reason is Reason.PERMISSION


def test_a_schema_that_may_not_be_used_is_unavailable(counting: PostgresServer, watch: Callable[..., Watcher]):
    counting.sql("postgres", f"CREATE ROLE outside LOGIN PASSWORD '{SECRET}' IN ROLE pg_monitor")
    try:
        with pytest.raises(Unavailable) as caught:
            watch(counting, "outside").ask(STATEMENTS)
        assert caught.value.reason is Reason.PERMISSION
    finally:
        counting.drop_role("outside")


def round_trips(watched: Watched, ask: Callable[[], object]) -> int:
    """How many a scrape takes in which every collector is due."""
    watched.due("pg")
    (member,) = watched.scrape("pg").source._members
    before = member._connection.round_trips
    ask()
    return member._connection.round_trips - before


def test_a_scrape_finds_the_extension_at_once_and_follows_it(
    new_postgres: Callable[..., PostgresServer], watching: Callable[..., Watched]
):
    """By the way that users go: the registry, its held session, and one batch."""
    server = new_postgres(LOADED)
    grant(server)
    server.sql("postgres", "CREATE EXTENSION pg_stat_statements")
    watched = watching({"kind": "postgresql", "name": "pg", "hosts": [server.address]})
    facts = watched.ask("pg")
    assert facts.failing == {}
    assert facts.one("postgresql_statements_tracked") == 1
    assert len(facts.all(CALLS)) > 1
    assert round_trips(watched, lambda: watched.ask("pg")) == 1
    server.sql("postgres", 'CREATE SCHEMA "Mon"; ALTER EXTENSION pg_stat_statements SET SCHEMA "Mon"')
    watched = watching({"kind": "postgresql", "name": "pg", "hosts": [server.address]})
    assert watched.ask("pg").failing["statements"] == "permission"
    usage = 'GRANT USAGE ON SCHEMA "Mon" TO closewatch;'
    (asked,) = missing_grants(watched.scrape("pg")).values()
    assert usage in asked
    server.sql("postgres", usage)
    assert missing_grants(watched.scrape("pg")).get("postgres", []) == [one for one in asked if one != usage]


def test_none_are_asked_for(postgres_server: PostgresServer, watching: Callable[..., Watched]):
    grant(postgres_server)
    watched = watching({"kind": "postgresql", "name": "without", "hosts": [postgres_server.address], "statements": 0})
    without = watched.ask("without")
    assert without.all("postgresql_statements_tracked") == []
    assert "statements" not in without.labels("collector_success", "collector")
