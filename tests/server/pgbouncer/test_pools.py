"""What is told of a real PgBouncer's pools, limits and commands, and that closewatch's user can only look."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from psycopg import pq

from closewatch.engines.binaries import find, version_of
from closewatch.engines.pgbouncer import PgbouncerServer
from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from closewatch.engines.proxy import TcpProxy
from tests.fixtures.watch import ROLE, SECRET, Facts, Watched
from tests.server.pgbouncer.conftest import APP

Bouncers = Callable[..., PgbouncerServer]
Clients = Callable[..., list[pq.PGconn]]
Watch = Callable[..., Watched]
ONE = {"database": "pooled_one", "user": APP}


def waiting(watched: Watched) -> float:
    return sum(watched.ask("bouncer").all("pgbouncer_pool_clients", state="waiting"))


def test_all_is_well(new_bouncer: Bouncers, clients: Clients, watch: Watch) -> None:
    bouncer = new_bouncer(default_pool_size="4", max_client_conn="30")
    clients(bouncer, 1)
    watched = watch(bouncer)
    wait_until(lambda: watched.ask("bouncer").all("pgbouncer_pool_servers", **ONE, state="active") == [1], 10, "work")
    facts = watched.ask("bouncer")
    assert (facts.up, facts.failing) == (True, {})
    assert (facts.one("pgbouncer_clients"), facts.one("pgbouncer_clients_max")) == (2, 30)
    assert facts.labels("pgbouncer_info", "version") == [version_of(find("pgbouncer"))]
    assert facts.one("pgbouncer_pool_size", **ONE) == 4
    assert facts.one("pgbouncer_pool_longest_wait_seconds", **ONE) == 0
    assert (facts.one("pgbouncer_paused_databases"), facts.one("pgbouncer_disabled_databases")) == (0, 0)
    assert "pgbouncer" not in facts.labels("pgbouncer_pool_clients", "database"), "its own console is no pool"


def test_a_pool_that_is_too_small(new_bouncer: Bouncers, clients: Clients, watch: Watch) -> None:
    bouncer = new_bouncer(default_pool_size="2")
    watched = watch(bouncer)
    working = clients(bouncer, 5)
    clients(bouncer, 1, database="pooled_two")
    wait_until(lambda: waiting(watched) == 3, 10, "three clients wait")
    facts = watched.ask("bouncer")
    assert facts.one("pgbouncer_pool_clients", **ONE, state="waiting") == 3
    assert facts.one("pgbouncer_pool_servers", **ONE, state="active") == 2
    assert facts.one("pgbouncer_pool_longest_wait_seconds", **ONE) > 0
    assert facts.one("pgbouncer_pool_longest_wait_seconds", database="pooled_two", user=APP) == 0
    assert facts.one("pgbouncer_pool_size", database="pooled_two", user=APP) == 7
    for connection in working:
        connection.finish()
    wait_until(lambda: waiting(watched) == 0, 10, "nobody waits any more")
    assert watched.ask("bouncer").one("pgbouncer_pool_longest_wait_seconds", **ONE) == 0


def test_a_server_that_is_gone_makes_clients_wait_and_pgbouncer_is_up(
    new_bouncer: Bouncers, clients: Clients, watch: Watch, new_postgres: Callable[..., PostgresServer]
) -> None:
    server = new_postgres()
    server.create_role(APP, "app-password")
    server.create_database("pooled_one")
    bouncer = new_bouncer(server)
    watched = watch(bouncer)
    (first,) = clients(bouncer, 1, statement="SELECT 1")
    wait_until(lambda: sum(watched.ask("bouncer").all("pgbouncer_pool_servers", state="active")) == 1, 10, "it works")
    first.finish()
    server.pause()
    clients(bouncer, 2, statement="SELECT 2")
    wait_until(lambda: waiting(watched) > 0, 10, "a client waits")
    assert watched.ask("bouncer").up
    server.resume()
    wait_until(lambda: waiting(watched) == 0, 20, "nobody waits any more")


def test_paused_and_disabled_databases_are_counted(new_bouncer: Bouncers, clients: Clients, watch: Watch) -> None:
    bouncer = new_bouncer(pool_mode="transaction")
    watched = watch(bouncer)
    known = clients(bouncer, 2, statement="SELECT 1")  # a first login would wait for the server's welcome

    def told() -> tuple[float, float]:
        facts = watched.ask("bouncer")
        return facts.one("pgbouncer_paused_databases"), facts.one("pgbouncer_disabled_databases")

    for connection in known:
        while connection.get_result() is not None:
            continue
    bouncer.admin("PAUSE pooled_one")
    bouncer.admin("DISABLE pooled_two")
    assert told() == (1, 1)
    for connection in known:
        connection.send_query(b"SELECT 2")
    wait_until(lambda: waiting(watched) == 2, 10, "who comes during the pause waits")
    bouncer.admin("RESUME pooled_one")
    bouncer.admin("ENABLE pooled_two")
    assert told() == (0, 0)
    wait_until(lambda: waiting(watched) == 0, 10, "nobody waits any more")


def test_a_pause_of_all_counts_as_all_where_the_version_tells_it(new_bouncer: Bouncers, watch: Watch) -> None:
    bouncer = new_bouncer()
    watched = watch(bouncer)
    tells = tuple(map(int, version_of(find("pgbouncer")).split(".")[:2])) >= (1, 19)
    bouncer.admin("PAUSE")
    assert watched.ask("bouncer").one("pgbouncer_paused_databases") == (2 if tells else 0)
    bouncer.admin("RESUME")
    facts = watched.ask("bouncer")
    assert (facts.failing, facts.one("pgbouncer_paused_databases")) == ({}, 0)


def test_at_the_limit_of_clients_it_can_still_be_asked(new_bouncer: Bouncers, clients: Clients, watch: Watch) -> None:
    bouncer = new_bouncer(max_client_conn="3")
    clients(bouncer, 3, statement="SELECT 1")
    refused = pq.PGconn.connect(bouncer.dsn("pooled_one", APP, "app-password").encode())
    assert b"no more connections allowed" in refused.error_message
    refused.finish()
    facts = watch(bouncer).ask("bouncer")
    assert (facts.up, facts.failing) == (True, {})
    assert facts.one("pgbouncer_clients") >= facts.one("pgbouncer_clients_max") == 3


@pytest.mark.parametrize("command", ["PAUSE pooled_one", "DISABLE pooled_one", "KILL pooled_one", "RELOAD", "SHUTDOWN"])
def test_a_stats_user_may_look_and_change_nothing(new_bouncer: Bouncers, watch: Watch, command: str) -> None:
    bouncer = new_bouncer()
    facts = watch(bouncer).ask("bouncer")
    assert (facts.up, facts.failing) == (True, {}), "all that is asked needs no more than stats_users"
    with pytest.raises(psycopg.errors.ProtocolViolation, match="admin access needed"):
        bouncer.admin(command, user=ROLE, password=SECRET)
    after = watch(bouncer).ask("bouncer")
    assert (after.up, after.one("pgbouncer_paused_databases"), after.one("pgbouncer_disabled_databases")) == (
        True,
        0,
        0,
    )


def test_exposure(new_bouncer: Bouncers, watch: Watch) -> None:
    def told(facts: Facts) -> dict[str, float]:
        names = facts.labels("pgbouncer_exposed", "exposure")
        return {name: facts.one("pgbouncer_exposed", exposure=name) for name in names}

    assert told(watch(new_bouncer()).ask("bouncer")) == {
        "login_without_password": 0,
        "client_tls_not_required": 0,  # it listens on loopback alone, and so does the server
        "server_tls_not_required": 0,
    }
    open_to_all = watch(new_bouncer(auth_type="trust")).ask("bouncer")
    assert told(open_to_all)["login_without_password"] == 1
    everywhere = watch(new_bouncer(listen_addr="127.0.0.1,::")).ask("bouncer")
    assert told(everywhere)["client_tls_not_required"] == 1


def test_it_shares_environment_and_cell_with_the_server_behind_it(
    new_bouncer: Bouncers, behind: PostgresServer, watching: Callable[..., Watched]
) -> None:
    server = {"kind": "postgresql", "name": "pg", "cell": "pg-07", "hosts": [behind.address]}
    bouncer = {"kind": "pgbouncer", "name": "bouncer", "host": new_bouncer().address, "server": "pg"}
    watched = watching(bouncer, server)
    assert watched.scrape("bouncer").target.labels == {"environment": "test", "cell": "pg-07", "target": "bouncer"}
    assert watched.ask("bouncer").up


def test_one_session_is_held_and_each_command_is_asked_once(
    new_bouncer: Bouncers, watch: Watch, watching: Callable[..., Watched], tcp_proxy: Callable[[str, int], TcpProxy]
) -> None:
    bouncer = new_bouncer()
    proxy = tcp_proxy(bouncer.host, bouncer.port)
    watched = watching({"kind": "pgbouncer", "name": "bouncer", "host": proxy.address, "tls": {"mode": "disable"}})
    assert watched.ask("bouncer").up
    for _ in range(3):
        proxy.reset_counts()
        assert watched.ask("bouncer").up
        assert proxy.counts.connections == 0
        assert proxy.counts.round_trips <= 5, "LISTS, CONFIG, DATABASES, POOLS, and STATE where there is one"
