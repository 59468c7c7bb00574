"""A real PgBouncer in front of a real PostgreSQL, clients that hold or wait for its connections, and who watches it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from psycopg import pq

from closewatch.engines.folder import RunFolder
from closewatch.engines.pgbouncer import PgbouncerServer
from closewatch.engines.postgres import PostgresServer
from tests.fixtures.servers import need_programs
from tests.fixtures.watch import ROLE, SECRET, Watched

APP, APP_SECRET = "pooled_app", "app-password"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def behind(newest_postgres: PostgresServer) -> PostgresServer:
    """The server behind, with the role and the databases of the clients."""
    newest_postgres.create_role(APP, APP_SECRET)
    for database in ("pooled_one", "pooled_two"):
        newest_postgres.create_database(database)
    return newest_postgres


@pytest.fixture
def new_bouncer(
    run_folder: RunFolder, behind: PostgresServer, pytestconfig: pytest.Config
) -> Iterator[Callable[..., PgbouncerServer]]:
    """Makes running PgBouncers: `new_bouncer(default_pool_size="2")`, with closewatch's user among `stats_users`."""
    need_programs(pytestconfig, "pgbouncer")
    made: list[PgbouncerServer] = []

    def make(server: PostgresServer = behind, **settings: str) -> PgbouncerServer:
        databases = {"pooled_one": "", "pooled_two": "pool_size=7"}
        chosen = {"stats_users": ROLE, **settings}
        bouncer = PgbouncerServer(
            run_folder, server, f"pgbouncer{next(_numbers)}", settings=chosen, databases=databases
        )
        made.append(bouncer)
        bouncer.allow(APP, APP_SECRET)
        bouncer.allow(ROLE, SECRET)
        return bouncer.start()

    yield make
    for bouncer in made:
        bouncer.remove()


@pytest.fixture
def clients() -> Iterator[Callable[..., list[pq.PGconn]]]:
    """Makes clients that each run one statement, which nobody waits for: `clients(bouncer, 5)`."""
    made: list[pq.PGconn] = []

    def make(
        bouncer: PgbouncerServer, count: int, database: str = "pooled_one", statement: str = "SELECT pg_sleep(60)"
    ) -> list[pq.PGconn]:
        mine: list[pq.PGconn] = []
        for _ in range(count):
            connection = pq.PGconn.connect(bouncer.dsn(database, APP, APP_SECRET).encode())
            made.append(connection)
            assert connection.status == pq.ConnStatus.OK, connection.error_message
            connection.send_query(statement.encode())
            mine.append(connection)
        return mine

    yield make
    for connection in made:
        connection.finish()


@pytest.fixture
def watch(watching: Callable[..., Watched]) -> Callable[..., Watched]:
    """Watches PgBouncers: `watch(bouncer)`; its target is `bouncer`."""

    def make(bouncer: PgbouncerServer, **more: object) -> Watched:
        return watching({"kind": "pgbouncer", "name": "bouncer", "host": bouncer.address, **more})

    return make
