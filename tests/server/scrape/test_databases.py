"""Databases that come, go, are copied, upgraded and locked while they are watched."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from closewatch.core.deadline import Deadline
from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from tests.fixtures.watch import ROLE, SCHEMA, Watched, grant

Watching = Callable[..., Watched]


@pytest.fixture
def server(postgres_server: PostgresServer) -> PostgresServer:
    grant(postgres_server)
    return postgres_server


@pytest.fixture
def odoo(server: PostgresServer) -> Iterator[Callable[[str], str]]:
    """Makes small Odoo databases; drops them, and whatever they became, at the end."""
    before = set(databases(server))

    def make(name: str) -> str:
        server.create_database(name)
        server.sql(name, SCHEMA)
        return name

    yield make
    for name in set(databases(server)) - before:
        server.drop_database(name)


def databases(server: PostgresServer) -> list[str]:
    return [row[0] for row in server.sql("postgres", "SELECT datname FROM pg_database")]


def watch(watching: Watching, server: PostgresServer, pattern: str = "odoo_(?P<tenant>.+)", **more: object) -> Watched:
    watched = watching(
        {"kind": "postgresql", "name": "pg", "hosts": [server.address], "discover": [{"databases": pattern}], **more}
    )
    watched.ask("pg")
    return watched


def unmatched(watched: Watched) -> float:
    return watched.ask("pg").one("unwatched", reason="unmatched")


def names(watched: Watched) -> set[str]:
    return {scrape.target.name for scrape in watched.registry.scrapes()} - {"pg"}


def test_databases_are_found_with_their_tenants(
    server: PostgresServer, watching: Watching, odoo: Callable[[str], str]
) -> None:
    odoo("odoo_acme")
    odoo("odoo_globex")
    others = unmatched(watch(watching, server))  # what other tests have on the same server
    server.create_database("scratch")
    watched = watch(watching, server)
    assert names(watched) == {"odoo_acme", "odoo_globex"}
    target = watched.scrape("odoo_acme").target
    assert target.labels == {"environment": "test", "cell": "pg", "tenant": "acme", "target": "odoo_acme"}
    assert unmatched(watched) == others + 1
    server.drop_database("scratch")
    assert unmatched(watched) == others
    facts = watched.ask("odoo_acme")
    assert (facts.up, facts.failing) == (True, {})


def test_ignored_is_not_unwatched_and_no_connect_is(
    server: PostgresServer, watching: Watching, odoo: Callable[[str], str]
) -> None:
    odoo("odoo_shut")
    server.sql("postgres", "REVOKE CONNECT ON DATABASE odoo_shut FROM PUBLIC")
    others = unmatched(watch(watching, server, ignore="tmp_.*"))
    server.create_database("tmp_1")
    watched = watch(watching, server, ignore="tmp_.*")
    facts = watched.ask("pg")
    assert names(watched) == set()
    assert facts.one("unwatched", reason="no_connect") == 1
    assert facts.one("unwatched", reason="unmatched") == others


def test_dropped_and_renamed_while_watched(
    server: PostgresServer, watching: Watching, odoo: Callable[[str], str]
) -> None:
    odoo("odoo_old")
    watched = watch(watching, server)
    assert watched.ask("odoo_old").up
    server.sql("postgres", "ALTER DATABASE odoo_old RENAME TO odoo_new")
    facts = watched.ask("odoo_old")
    assert (facts.up, facts.reason) == (False, "database_missing")
    watched.ask("pg")
    assert names(watched) == {"odoo_new"}
    assert watched.ask("odoo_new").up
    server.sql("postgres", "DROP DATABASE odoo_new")
    watched.ask("pg")
    assert names(watched) == set()


def test_odoo_can_copy_rename_and_drop_what_is_being_watched(
    server: PostgresServer, watching: Watching, odoo: Callable[[str], str]
) -> None:
    """A kept session would break all three. PostgreSQL waits five seconds for a visit that is under way."""
    odoo("odoo_busy")
    watched = watch(watching, server)
    stop = threading.Event()

    def scrape() -> None:
        while not stop.wait(0.05):
            for one in watched.registry.scrapes():
                one.run(Deadline.after(9.5))  # by itself: its name may be gone by now

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        for _ in range(3):
            server.sql("postgres", "CREATE DATABASE odoo_copy TEMPLATE odoo_busy")
            server.sql("postgres", "ALTER DATABASE odoo_copy RENAME TO odoo_moved")
            server.sql("postgres", "DROP DATABASE odoo_moved")
    finally:
        stop.set()
        thread.join()


def test_an_upgrade_that_holds_or_awaits_a_lock(
    server: PostgresServer, watching: Watching, odoo: Callable[[str], str]
) -> None:
    odoo("odoo_upgrade")
    watched = watch(watching, server)
    assert watched.ask("odoo_upgrade").failing == {}
    with server.connect("odoo_upgrade", autocommit=False) as upgrade:
        upgrade.execute("ALTER TABLE public.ir_cron ADD COLUMN extra int")
        facts = watched.ask("odoo_upgrade")
        assert facts.up
        assert facts.failing == {"cron": "locked"}
        upgrade.rollback()
    assert watched.ask("odoo_upgrade").failing == {}
    with server.connect("odoo_upgrade", autocommit=False) as reader:
        reader.execute("SELECT count(*) FROM public.ir_cron")
        waiting = threading.Thread(
            target=lambda: server.sql("odoo_upgrade", "ALTER TABLE public.ir_cron ADD COLUMN extra int")
        )
        waiting.start()
        queue = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
        wait_until(lambda: server.value("postgres", queue), 10, "the upgrade waits for its lock")
        assert watched.ask("odoo_upgrade").failing == {"cron": "locked"}
        ours = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{ROLE}' AND wait_event_type = 'Lock'"
        assert server.value("postgres", ours) == 0, "nothing of ours is left in the queue"
        reader.rollback()
        waiting.join()
    assert watched.ask("odoo_upgrade").failing == {}


def logins_that_wait(server: PostgresServer) -> list[str]:
    """The process titles of logins of ours that wait for a database's lock, as an autovacuum worker may do too."""
    waiting = server.sql("postgres", "SELECT pid FROM pg_locks WHERE NOT granted AND locktype = 'object'")
    titles = [Path(f"/proc/{pid}/cmdline") for (pid,) in waiting]
    return [title for path in titles if path.exists() and ROLE in (title := path.read_text())]


def test_a_database_that_is_itself_locked_gets_no_logins_that_wait(
    server: PostgresServer, watching: Watching, odoo: Callable[[str], str]
) -> None:
    """A rename, a drop or a copy under way: a login would wait on the server, and stay there when we have given up."""
    for number in range(6):
        odoo(f"odoo_held{number}")
    watched = watch(watching, server)
    with server.connect(autocommit=False) as holder:
        for number in range(6):
            holder.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                    sql.Identifier(f"odoo_held{number}"), sql.Identifier(f"odoo_away{number}")
                )
            )
        for _ in range(3):
            for number in range(6):
                facts = watched.ask(f"odoo_held{number}")
                assert (facts.up, facts.reason) == (False, "locked")
        assert len(logins_that_wait(server)) <= 1
        holder.rollback()
    wait_until(lambda: all(watched.ask(f"odoo_held{number}").up for number in range(6)), 20, "all are well again")


def test_a_column_that_an_upgrade_takes_away_is_missing_not_zero(
    server: PostgresServer, watching: Watching, odoo: Callable[[str], str]
) -> None:
    odoo("odoo_columns")
    watched = watch(watching, server)
    assert watched.ask("odoo_columns").failing == {}
    server.sql("odoo_columns", "ALTER TABLE public.ir_cron RENAME COLUMN nextcall TO later")
    for _ in range(2):
        facts = watched.ask("odoo_columns")
        assert facts.up
        assert facts.failing == {"cron": "missing"}
        assert facts.all("odoo_crons") == []
    server.sql("odoo_columns", "ALTER TABLE public.ir_cron RENAME COLUMN later TO nextcall")
    watched.ask("odoo_columns")
    assert watched.ask("odoo_columns").failing == {}


def test_a_right_that_was_taken_away(server: PostgresServer, watching: Watching, odoo: Callable[[str], str]) -> None:
    odoo("odoo_rights")
    server.sql("odoo_rights", f"REVOKE SELECT (nextcall) ON public.ir_cron FROM {ROLE}")
    watched = watch(watching, server)
    assert watched.ask("odoo_rights").failing == {"cron": "permission"}


def test_a_right_that_only_the_richer_question_needs(
    server: PostgresServer, watching: Watching, odoo: Callable[[str], str]
) -> None:
    """A poorer question would be answered, and hide that what it doesn't ask for is missing."""
    odoo("odoo_poorer")
    server.sql("odoo_poorer", f"REVOKE SELECT (failure_count) ON public.ir_cron FROM {ROLE}")
    watched = watch(watching, server)
    assert watched.ask("odoo_poorer").failing == {"cron": "permission"}


def test_a_database_that_is_not_odoos(server: PostgresServer, watching: Watching, odoo: Callable[[str], str]) -> None:
    odoo("odoo_real")
    server.create_database("odoo_fake")
    watched = watch(watching, server)
    facts = watched.ask("odoo_fake")
    assert facts.up
    assert set(facts.failing.values()) == {"missing"}


def test_hostile_database_names(server: PostgresServer, watching: Watching, odoo: Callable[[str], str]) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    from closewatch.core.exposition import Labelled, exposition
    from closewatch.explain import explain

    hostile = "odoo_\"}{\n<script>alert(1)</script>'\\ x"
    odoo(hostile)
    watched = watch(watching, server, pattern="(?s)odoo_.+")
    assert hostile in names(watched)
    facts = watched.ask(hostile)
    assert (facts.up, facts.failing) == (True, {})
    scrape = watched.scrape(hostile)
    body, _ = exposition([Labelled(scrape.target.labels, facts.samples)])
    assert all(
        sample.labels["target"] == hostile
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    )
    assert "\n<script>" not in explain(scrape, facts.samples)
    watched.ask("pg")


@pytest.mark.pg(">=18")
def test_hundreds_of_databases_are_no_more_sessions(
    server: PostgresServer, watching: Watching, odoo: Callable[[str], str]
) -> None:
    odoo("odoo_0")
    with server.connect() as connection:
        for number in range(1, 120):
            name = sql.Identifier(f"odoo_{number}")
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE odoo_0").format(name))
    watched = watch(watching, server)
    assert len(names(watched)) == 120
    most, stop = [0], threading.Event()

    def count() -> None:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            while not stop.wait(0.01):
                row = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = %s", [ROLE]).fetchone()
                most[0] = max(most[0], row[0] if row else 0)

    counter = threading.Thread(target=count)
    counter.start()
    wrong: list[str] = []

    def ask(part: int) -> None:
        for number in range(part, 120, 8):
            facts = watched.ask(f"odoo_{number}")
            if not facts.up or facts.failing:
                wrong.append(f"{number}: {facts.reason} {facts.failing}")

    threads = [threading.Thread(target=ask, args=(part,)) for part in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    counter.join()
    assert wrong == []
    assert most[0] <= 3
