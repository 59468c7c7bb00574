"""What the scrape says on bad days, on real servers: in time, with the right reason, and without piling anything up."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from closewatch.core.deadline import Deadline
from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from closewatch.engines.proxy import TcpProxy
from tests.fixtures.watch import ROLE, SECRET, Facts, Watched, grant

Watching = Callable[..., Watched]
Proxies = Callable[[str, int], TcpProxy]


def cluster(*addresses: str, **more: object) -> dict[str, object]:
    """The target `pg` on these hosts."""
    return {"kind": "postgresql", "name": "pg", "hosts": list(addresses), **more}


def sessions(server: PostgresServer) -> int:
    """Sessions that closewatch has on the server."""
    count = server.value("postgres", f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{ROLE}'")
    return int(count)


def fill(server: PostgresServer) -> list[psycopg.Connection[tuple[object, ...]]]:
    """Connections of an ordinary role, until there are no more to be had."""
    crowd: list[psycopg.Connection[tuple[object, ...]]] = []
    with contextlib.suppress(psycopg.OperationalError):
        while len(crowd) < 50:
            crowd.append(server.connect(user="crowd", password="crowd"))
    return crowd


@contextmanager
def own(new_postgres: Callable[..., PostgresServer], **settings: str) -> Iterator[PostgresServer]:
    server = new_postgres(**settings)
    grant(server)
    yield server


def assert_complete(facts: Facts) -> None:
    """Success and duration of every collector are there, whatever happened."""
    assert len(facts.all("collector_success")) >= 11
    assert len(facts.all("collector_duration_seconds")) == len(facts.all("collector_success"))


def test_all_is_well(postgres_server: PostgresServer, watching: Watching) -> None:
    grant(postgres_server)
    watched = watching(cluster(postgres_server.address))
    facts = watched.ask("pg")
    assert (facts.up, facts.failing) == (True, {})
    assert facts.one("postgresql_members", role="primary") == 1
    assert_complete(facts)


def test_nothing_listens(watching: Watching) -> None:
    facts = watching(cluster("127.0.0.1:1")).ask("pg")
    assert (facts.up, facts.reason) == (False, "refused")
    assert set(facts.failing.values()) == {"refused"}
    assert_complete(facts)


def test_name_does_not_resolve(watching: Watching) -> None:
    facts = watching(cluster("no-such-host.invalid:5432")).ask("pg", timeout=3)
    assert (facts.up, facts.reason) == (False, "unreachable")


def test_wrong_password(postgres_server: PostgresServer, watching: Watching) -> None:
    grant(postgres_server)
    watched = watching(cluster(postgres_server.address, user="postgres"))
    facts = watched.ask("pg")
    assert (facts.up, facts.reason) == (False, "authentication")


def test_missing_password_file(postgres_server: PostgresServer, watching: Watching) -> None:
    facts = watching(cluster(postgres_server.address, password={"file": "not-there"})).ask("pg")
    assert (facts.up, facts.reason) == (False, "secret")


def test_rotated_password_is_read_again(
    postgres_server: PostgresServer, watching: Watching, role: Callable[..., tuple[str, str]]
) -> None:
    name, password = role(options="LOGIN IN ROLE pg_monitor")
    watched = watching(cluster(postgres_server.address, user=name, password={"file": "rotating"}))
    secret = watched.path.parent / "rotating"
    secret.write_text("wrong before the rotation")
    assert watched.ask("pg").reason == "authentication"
    secret.write_text(password)
    assert watched.ask("pg").up


def test_wrong_maintenance_database(postgres_server: PostgresServer, watching: Watching) -> None:
    grant(postgres_server)
    facts = watching(cluster(postgres_server.address, database="nowhere")).ask("pg")
    assert (facts.up, facts.reason) == (False, "database_missing")


def test_missing_rights_are_said_not_shown_as_health(postgres_server: PostgresServer, watching: Watching) -> None:
    grant(postgres_server, "closewatch_poor", monitor=False)
    facts = watching(cluster(postgres_server.address, user="closewatch_poor")).ask("pg")
    assert facts.up
    assert set(facts.failing.values()) == {"permission"}
    assert {"locks", "connections", "transactions", "wal_archive"} <= set(facts.failing)
    assert facts.all("postgresql_blocked_sessions") == []
    postgres_server.drop_role("closewatch_poor")


def test_hung_server_answers_in_time_and_nothing_piles_up(
    new_postgres: Callable[..., PostgresServer], watching: Watching
) -> None:
    with own(new_postgres) as server:
        watched = watching(cluster(server.address))
        assert watched.ask("pg").up
        server.pause()
        began = time.monotonic()
        hung = [watched.ask("pg", timeout=0.5) for _ in range(6)]
        took = time.monotonic() - began
        server.resume()
        assert [(facts.up, facts.reason) for facts in hung] == [(False, "timeout")] * 6
        assert took < 6 * 0.5 + 2  # by its deadline, or sooner: not a limit on speed, but on waiting
        assert_complete(hung[-1])
        wait_until(lambda: sessions(server) <= 1, 20, "the sessions of the hung scrapes have gone")
        wait_until(lambda: watched.ask("pg").up, 40, "the target is up again")


def test_silent_in_the_middle_of_an_answer(
    postgres_server: PostgresServer, watching: Watching, tcp_proxy: Proxies
) -> None:
    grant(postgres_server)
    proxy = tcp_proxy(postgres_server.host, postgres_server.port)
    watched = watching(cluster(proxy.address))
    assert watched.ask("pg").up
    proxy.stop_answer_after(700)
    facts = watched.ask("pg", timeout=1)
    assert (facts.up, facts.reason) == (False, "timeout")
    assert set(facts.failing.values()) == {"timeout"}
    answered = facts.all("collector_success").count(1.0)
    assert 0 < answered < len(facts.all("collector_success")), "what was answered before the silence counts"
    proxy.stop_answer_after(None)
    wait_until(lambda: watched.ask("pg").up, 40, "the target is up again")


def test_cut_connection_is_made_again_in_the_same_scrape(
    postgres_server: PostgresServer, watching: Watching, tcp_proxy: Proxies
) -> None:
    grant(postgres_server)
    proxy = tcp_proxy(postgres_server.host, postgres_server.port)
    watched = watching(cluster(proxy.address))
    assert watched.ask("pg").up
    proxy.cut()
    facts = watched.ask("pg")
    assert (facts.up, facts.failing) == (True, {})
    postgres_server.sql("postgres", f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{ROLE}'")
    assert watched.ask("pg").up


def test_slow_network_takes_one_round_trip(
    postgres_server: PostgresServer, watching: Watching, tcp_proxy: Proxies
) -> None:
    grant(postgres_server)
    proxy = tcp_proxy(postgres_server.host, postgres_server.port)
    watched = watching(cluster(proxy.address, tls={"mode": "disable"}))
    assert watched.ask("pg").up
    proxy.delay(to_server=0.0025, to_client=0.0025)
    for _ in range(3):
        proxy.reset_counts()
        assert watched.ask("pg").up
        assert (proxy.counts.connections, proxy.counts.round_trips) == (0, 1)


def test_full_server_is_still_seen(new_postgres: Callable[..., PostgresServer], watching: Watching) -> None:
    with own(new_postgres, max_connections="12", superuser_reserved_connections="3") as server:
        watched = watching(cluster(server.address))
        assert watched.ask("pg").up
        server.sql("postgres", "CREATE ROLE crowd LOGIN PASSWORD 'crowd'")
        crowd = fill(server)
        facts = watched.ask("pg")
        assert (facts.up, facts.failing) == (True, {}), "the held session is there already"
        assert sum(facts.all("postgresql_connections")) >= facts.one("postgresql_connections_max") - 1
        newcomer = watching(cluster(server.address)).ask("pg")
        assert (newcomer.up, newcomer.reason) == (False, "too_many_connections")
        for connection in crowd:
            connection.close()


def test_failover_keeps_the_series(new_postgres: Callable[..., PostgresServer], watching: Watching) -> None:
    with own(new_postgres) as primary:
        standby = primary.add_standby(f"standby_of_{primary.name}").start()
        primary.wait_streaming(standby.name)
        watched = watching(cluster(primary.address, standby.address))
        before = watched.ask("pg")
        assert (before.up, before.failing) == (True, {})
        assert before.one("postgresql_members", role="standby") == 1
        assert before.one("postgresql_replication_link_up") == 1
        primary.kill()
        lost = watched.ask("pg")
        assert (lost.up, lost.reason) == (False, "refused")
        assert lost.one("postgresql_member_up", member=standby.address) == 1
        assert lost.one("postgresql_replication_link_up", member=standby.address) in (0.0, 1.0)
        standby.sql("postgres", "SELECT pg_promote()")
        wait_until(lambda: watched.ask("pg").up, 30, "the new primary is known")
        after = watched.ask("pg")
        assert after.failing == {}
        assert after.one("postgresql_members", role="primary") == 1
        assert after.one("postgresql_standbys_streaming") == 0
        standby.remove()


def test_two_scrapes_at_once_are_one(postgres_server: PostgresServer, watching: Watching, tcp_proxy: Proxies) -> None:
    grant(postgres_server)
    proxy = tcp_proxy(postgres_server.host, postgres_server.port)
    watched = watching(cluster(proxy.address, tls={"mode": "disable"}))
    assert watched.ask("pg").up
    proxy.delay(to_client=0.3)
    proxy.reset_counts()
    answers: list[Facts] = []
    threads = [threading.Thread(target=lambda: answers.append(watched.ask("pg"))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [facts.up for facts in answers] == [True] * 5
    assert (proxy.counts.connections, proxy.counts.round_trips) == (0, 1)


def test_impatient_second_scrape_says_busy(
    postgres_server: PostgresServer, watching: Watching, tcp_proxy: Proxies
) -> None:
    grant(postgres_server)
    proxy = tcp_proxy(postgres_server.host, postgres_server.port)
    watched = watching(cluster(proxy.address))
    assert watched.ask("pg").up
    proxy.pause()
    first = threading.Thread(target=watched.ask, args=("pg",), kwargs={"timeout": 2})
    first.start()
    wait_until(lambda: watched.scrape("pg")._running, 5, "the first scrape runs")
    second = watched.ask("pg", timeout=0.3)
    assert (second.up, second.reason) == (False, "busy")
    assert_complete(second)
    first.join()
    proxy.resume()


def test_clock_difference_is_measured(
    postgres_server: PostgresServer, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant(postgres_server)
    watched = watching(cluster(postgres_server.address))
    assert abs(watched.ask("pg").one("postgresql_clock_offset_seconds")) < 1
    now = time.time
    monkeypatch.setattr("closewatch.sources.postgresql.batch.time.time", lambda: now() + 120)
    assert -121 < watched.ask("pg").one("postgresql_clock_offset_seconds") < -119


def test_role_is_refused_writes(postgres_server: PostgresServer, watching: Watching) -> None:
    from closewatch.sources.postgresql.connection import Statement

    grant(postgres_server)
    watched = watching(cluster(postgres_server.address))
    access = watched.scrape("pg").source.access
    connection = access.open(access.addresses[0], "postgres", Deadline.after(5))
    write, lock = connection.batch(
        [Statement("CREATE TABLE public.x ()", 1), Statement("SELECT pg_catalog.txid_current()", 1)], Deadline.after(5)
    )
    connection.close()
    assert write.failure is not None
    assert write.failure.reason.value in ("read_only_violation", "permission")
    assert lock.failure is None or lock.failure.reason.value == "read_only_violation"


def test_no_secret_in_reasons_or_samples(postgres_server: PostgresServer, watching: Watching) -> None:
    from closewatch.explain import explain

    watched = watching(cluster(postgres_server.address, user="nobody_at_all"))
    scrape = watched.scrape("pg")
    text = explain(scrape, scrape.run(Deadline.after(5)))
    assert "authentication" in text
    assert SECRET not in text
