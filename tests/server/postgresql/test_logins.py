"""The collector `logins` on real servers: sessions of people, for emergencies, and over a network."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from closewatch.postgresql.logins import LOGINS, PROGRAMS
from tests.fixtures.servers import missing
from tests.fixtures.watch import SECRET
from tests.server.postgresql.conftest import WEAK, Link
from tests.server.postgresql.watching import GRANTS, Watcher, target
from tests.server.web.certificates import Authority

Watch = Callable[..., Watcher]
REMOTE, UNEXPECTED = "postgresql_remote_sessions", "postgresql_unexpected_sessions"
ON = target(access={"books": "books_.*", "allow": ["l_allowed"], "break_glass": ["l_emergency"]})


@pytest.fixture
def books(lively: PostgresServer) -> Iterator[PostgresServer]:
    """A database with books of l_owner, and other roles."""
    for name in ("l_owner", "l_allowed", "l_person", "l_emergency"):
        lively.create_role(name, SECRET, "LOGIN")
    lively.create_database("books_acme", "l_owner")
    yield lively
    lively.drop_database("books_acme")
    for name in ("l_owner", "l_allowed", "l_person", "l_emergency"):
        lively.drop_role(name)


def unexpected(watcher: Watcher) -> dict[str, float]:
    facts = watcher.ask(LOGINS, ON)
    return {program: count for program in PROGRAMS if (count := facts.one(UNEXPECTED, program=program))}


@pytest.mark.parametrize(
    ("role", "application", "found"),
    [
        ("l_owner", "odoo-1234", {}),
        ("l_owner", "psql", {"psql": 1}),
        ("l_owner", "pg_dump", {}),
        ("l_allowed", "", {}),
        ("l_allowed", "pgAdmin 4 - DB:books_acme", {"pgadmin": 1}),
        ("l_allowed", "DBeaver 24.1.0 - SQLEditor <Script.sql>", {"dbeaver": 1}),
        ("l_allowed", "DataGrip 2024.1", {"other_tool": 1}),
        ("l_person", "odoo-1234", {"other": 1}),
        ("l_person", "psql", {"psql": 1}),
        ("l_person", "pg_dump", {"dump": 1}),
        ("l_emergency", "psql", {}),
    ],
)
def test_who_is_in_the_books(books: PostgresServer, watch: Watch, role: str, application: str, found: dict[str, int]):
    watcher = watch(books)
    wait_until(lambda: unexpected(watcher) == {}, 20, "earlier sessions have ended")
    with books.connect("books_acme", role, SECRET, application_name=application):
        assert unexpected(watcher) == found
    wait_until(lambda: unexpected(watcher) == {}, 20, "the session has ended")


def test_other_databases_have_no_books(books: PostgresServer, watch: Watch):
    with books.connect("postgres", "l_person", SECRET, application_name="psql"):
        assert unexpected(watch(books)) == {}


def test_a_visit_of_closewatch_is_expected(books: PostgresServer, watch: Watch):
    with books.connect("books_acme", WEAK, SECRET, application_name="closewatch"):
        assert unexpected(watch(books)) == {}


def test_break_glass_is_seen_and_remembered(books: PostgresServer, watch: Watch):
    watcher = watch(books)
    assert watcher.ask(LOGINS, ON).all("postgresql_break_glass_last_start_timestamp_seconds") == []
    with books.connect("postgres", "l_emergency", SECRET) as session:
        started = books.value(
            "postgres",
            "SELECT extract(epoch FROM backend_start)::float8 FROM pg_stat_activity WHERE pid = %s",
            [session.info.backend_pid],
        )
        assert watcher.ask(LOGINS, ON).one("postgresql_break_glass_sessions", role="l_emergency") == 1

    def ended() -> bool:
        return watcher.ask(LOGINS, ON).one("postgresql_break_glass_sessions") == 0

    wait_until(ended, 20, "the session has ended")
    facts = watcher.ask(LOGINS, ON)
    assert facts.one("postgresql_break_glass_last_start_timestamp_seconds") == pytest.approx(started, abs=1e-3)
    assert facts.one("postgresql_break_glass_watched_since_timestamp_seconds") <= watcher.answer(LOGINS).asked_at


def test_books_are_read_on_a_standby_too(link: Link, watch: Watch):
    link.primary.create_database("books_read")
    try:
        link.well()
        with link.standby.connect("books_read", application_name="psql"):
            facts = watch(link.standby).ask(LOGINS, ON)
            assert facts.one(UNEXPECTED, program="psql", member=link.standby.address) == 1
            assert watch(link.primary).ask(LOGINS, ON).one(UNEXPECTED, program="psql") == 0
    finally:
        link.primary.drop_database("books_read")


def test_sessions_on_loopback_are_not_remote(link: Link, watch: Watch):
    facts = watch(link.primary).ask(LOGINS)
    assert sorted(facts.all(REMOTE)) == [0, 0, 0, 0]  # the standby's, too


@pytest.fixture
def network(new_postgres: Callable[..., PostgresServer], request: pytest.FixtureRequest) -> tuple[PostgresServer, str]:
    """A server that also listens on this machine's own address in a network; and that address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: shows which address would be used
            address = str(probe.getsockname()[0])
        except OSError:
            address = "127.0.0.1"
    if address.startswith("127."):
        missing(request.config, "this machine has no address in a network")
    server = new_postgres(listen_addresses=f"127.0.0.1,{address}")
    with (server.data / "pg_hba.conf").open("a", encoding="utf-8") as file:
        file.write(f"host all all {address}/32 scram-sha-256\nhost replication all {address}/32 scram-sha-256\n")
    server.configure()
    server.load("postgres", GRANTS, role=WEAK)
    server.sql("postgres", f"ALTER ROLE {WEAK} PASSWORD '{SECRET}'")
    return server, address


def turn_on_tls(server: PostgresServer, folder: Path, address: str) -> None:
    """Give the server a certificate. Skips the test where it was built without TLS."""
    if server.value("postgres", "SELECT current_setting('ssl_library')") == "":
        pytest.skip("this PostgreSQL was built without TLS")
    certificate, key = Authority(folder).issue("server", address)
    for source, name in ((certificate, "server.crt"), (key, "server.key")):
        copy = Path(shutil.copy(source, server.data / name))
        copy.chmod(0o600)
        if server.run.user:
            shutil.chown(copy, server.run.user)
    server.configure(ssl="on")
    wait_until(lambda: server.value("postgres", "SELECT current_setting('ssl')") == "on", 20, "TLS is on")


@pytest.mark.parametrize(("sslmode", "encrypted"), [("disable", "no"), ("require", "yes")])
@pytest.mark.parametrize(("replication", "purpose"), [("false", "client"), ("true", "replication")])
def test_remote_sessions_by_encryption(
    network: tuple[PostgresServer, str],
    watch: Watch,
    tmp_path: Path,
    sslmode: str,
    encrypted: str,
    replication: str,
    purpose: str,
):
    server, address = network
    if sslmode == "require":
        turn_on_tls(server, tmp_path, address)
    dsn = psycopg.conninfo.make_conninfo(server.dsn(), host=address, sslmode=sslmode, replication=replication)
    watcher = watch(server)
    assert sorted(watcher.ask(LOGINS).all(REMOTE)) == [0, 0, 0, 0]
    with psycopg.connect(dsn, autocommit=True):
        facts = watcher.ask(LOGINS)
        assert facts.one(REMOTE, purpose=purpose, encrypted=encrypted) == 1
        assert sum(facts.all(REMOTE)) == 1
