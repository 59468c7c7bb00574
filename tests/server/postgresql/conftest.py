"""Servers and the weak role for the collectors of PostgreSQL. The role is made by the grants.sql that users run."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from closewatch.engines.binaries import PostgresBinaries
from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from closewatch.engines.proxy import TcpProxy
from tests.fixtures.postgres import Servers
from tests.fixtures.watch import SECRET
from tests.server.postgresql.watching import GRANTS, Watcher

WEAK = "weak_watcher"
BLIND = "blind_watcher"

_SETTINGS = {
    "archive_mode": "on",
    "archive_command": "/bin/true",
    "autovacuum": "off",  # VACUUM runs where a test says so
    "deadlock_timeout": "200ms",
    "max_connections": "170",
    "max_prepared_transactions": "10",
    "wal_level": "logical",
}


@dataclass(frozen=True)
class Link:
    """A primary, a standby, and the proxy through which the standby follows."""

    primary: PostgresServer
    standby: PostgresServer
    proxy: TcpProxy

    def well(self) -> None:
        """Repair whatever a test has broken, and wait until the standby streams and has replayed all."""
        self.standby.resume()
        self.proxy.resume()
        self.proxy.accept()
        if self.standby.value("postgres", "SELECT pg_is_wal_replay_paused()"):
            self.standby.sql("postgres", "SELECT pg_wal_replay_resume()")
        level = (
            "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND replay_lsn >= pg_current_wal_lsn()"
        )
        wait_until(lambda: self.primary.value("postgres", level), 60, "the standby has all")


_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def lively(postgres_version: PostgresBinaries, postgres_servers: Servers) -> Iterator[PostgresServer]:
    """A shared server on which all that is watched can happen, once for each version."""
    more = {"reserved_connections": "2"} if postgres_version.major >= 16 else {}
    name = f"lively{next(_numbers)}"
    server = PostgresServer.create(postgres_servers.run, postgres_version, name, {**_SETTINGS, **more}).start()
    _make_roles(server)
    yield server
    server.remove()


@pytest.fixture(scope="session")
def _link(postgres_version: PostgresBinaries, postgres_servers: Servers) -> Iterator[Link]:
    number = next(_numbers)
    settings = {"synchronous_commit": "on", "wal_keep_size": "64MB"}
    primary = PostgresServer.create(postgres_servers.run, postgres_version, f"linked{number}", settings).start()
    _make_roles(primary)
    # The standby says how far it is each second, also when nothing happens; ten seconds is the default.
    settings = {
        "wal_receiver_status_interval": "1s",
        "hot_standby_feedback": "on",
        "wal_retrieve_retry_interval": "200ms",
    }
    with TcpProxy(primary.host, primary.port) as proxy:
        through = (proxy.host, proxy.port)
        name = f"follower{number}"
        standby = primary.add_standby(name, application_name="follower", through=through, settings=settings)
        yield Link(primary, standby.start(), proxy)
        standby.remove()
    primary.remove()


@pytest.fixture
def link(_link: Link) -> Iterator[Link]:
    """A shared pair with a proxy in between, once for each version; repaired before and after each test."""
    _link.well()
    yield _link
    _link.well()


@pytest.fixture
def watch() -> Iterator[Callable[..., Watcher]]:
    """Opens a session of the weak role: `watch(server)`, or `watch(server, "role", "password")`."""
    made: list[Watcher] = []

    def make(server: PostgresServer, role: str = WEAK, password: str = SECRET, database: str = "postgres") -> Watcher:
        made.append(Watcher(server, role, password, database))
        return made[-1]

    yield make
    for watcher in made:
        watcher.close()


@pytest.fixture
def blind(watch: Callable[..., Watcher]) -> Callable[[PostgresServer], Watcher]:
    """Opens a session of a role that was granted nothing."""
    return lambda server: watch(server, BLIND)


def _make_roles(server: PostgresServer) -> None:
    server.load("postgres", GRANTS, role=WEAK)
    server.sql("postgres", f"CREATE ROLE {BLIND} LOGIN PASSWORD '{SECRET}'; ALTER ROLE {WEAK} PASSWORD '{SECRET}'")
