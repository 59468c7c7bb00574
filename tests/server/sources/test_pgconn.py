"""A session's batches on real servers: each statement its own error, plans that are kept, and plans that went stale."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from closewatch.core.deadline import Deadline
from closewatch.engines.postgres import PostgresServer
from closewatch.sources.address import Address
from closewatch.sources.postgresql.connection import Connection, Statement


@pytest.fixture
def session(postgres_server: PostgresServer, database: Callable[..., str]) -> Iterator[tuple[Connection, str]]:
    """A session of the administrator on a database of the test's own."""
    name = database()
    login = {"user": "postgres", "password": postgres_server.password, "dbname": name}
    connection = Connection.open(Address(postgres_server.host, postgres_server.port), login, Deadline.after(10))
    yield connection, name
    connection.close(1.0)


def ask(connection: Connection, *statements: str, limit: float = 0.2) -> list[object]:
    """The first value of each, or the reason why there is none."""
    results = connection.batch([Statement(sql, limit) for sql in statements], Deadline.after(10))
    return [
        result.failure.reason.value if result.failure else next(iter(result.rows[0].values())) for result in results
    ]


def test_each_statement_has_its_own_answer(session: tuple[Connection, str]) -> None:
    connection, _ = session
    statements = (
        "SELECT 1",
        "SELECT 1/0",
        "SELECT pg_sleep(5)",
        "SELECT * FROM nowhere",
        "CREATE TABLE x ()",
        "SELECT 2.5",
    )
    expected = [1, "server_error", "timeout", "missing", "read_only_violation", 2.5]
    for _ in range(4):
        assert ask(connection, *statements) == expected
    assert connection.round_trips == 4


def test_values_are_plain(session: tuple[Connection, str]) -> None:
    connection, _ = session
    for value, expected in (
        ("true", True),
        ("7::int8", 7),
        ("'NaN'::float8 > 1", True),
        ("NULL::int", None),
        ("'ä'::text", "ä"),
    ):
        assert ask(connection, f"SELECT {value} AS value") == [expected]


def test_plans_are_kept_from_the_second_batch_on(session: tuple[Connection, str]) -> None:
    connection, _ = session
    kept = "SELECT count(*) FROM pg_catalog.pg_prepared_statements"
    assert [ask(connection, kept), ask(connection, kept, "SELECT 1")] == [[0], [1, 1]]
    assert ask(connection, kept, "SELECT 1") == [2, 1]


def test_a_plan_that_went_stale_is_made_anew(session: tuple[Connection, str], postgres_server: PostgresServer) -> None:
    connection, database = session
    read = "SELECT a FROM public.t"
    assert ask(connection, read) == ask(connection, read) == ["missing"]
    postgres_server.sql(database, "CREATE TABLE public.t (a int); INSERT INTO public.t VALUES (1)")
    assert [ask(connection, read) for _ in range(3)] == [[1]] * 3
    other = f"{read} WHERE true"
    assert [ask(connection, other) for _ in range(3)] == [[1]] * 3
    postgres_server.sql(database, "ALTER TABLE public.t ALTER a TYPE text")
    ask(connection, other)
    assert ask(connection, other) == ["1"]
