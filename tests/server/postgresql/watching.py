"""Asks single collectors of a real server as the scrape does: its connection, its choice of query, the weak role."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

import closewatch.postgresql
from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.deadline import Deadline
from closewatch.core.targets import Target
from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from closewatch.postgresql.settings import PostgresqlTarget
from closewatch.sources.address import Address
from closewatch.sources.postgresql.batch import Asked, ask_all
from closewatch.sources.postgresql.connection import Connection
from closewatch.sources.postgresql.extensions import Extensions
from tests.fixtures.watch import Facts

GRANTS = Path(closewatch.postgresql.__file__).with_name("grants.sql")
SETTINGS = {"kind": "postgresql", "name": "pg", "hosts": ["127.0.0.1"], "user": "weak_watcher", "standbys": 1}


def target(**settings: Any) -> Target:
    """The server with these settings besides SETTINGS."""
    whole = PostgresqlTarget.model_validate({**SETTINGS, **settings})
    return Target.of("postgresql", "pg", environment="test", settings=whole)


TARGET = target(discover=[{"databases": "odoo_.*"}])


class Watcher:
    """A held session of a role on one server; asks each collector alone, and remembers for it what the scrape would."""

    def __init__(self, server: PostgresServer, role: str, password: str, database: str = "postgres") -> None:
        self.server = server
        parameters = {"user": role, "password": password, "dbname": database, "application_name": "closewatch"}
        address = Address(server.host, server.port)
        self.connection = Connection.open(address, parameters, Deadline.after(10))
        self.memory: dict[str, Memory] = {}
        self.extensions: Extensions | None = None

    def answer(self, collector: Collector) -> Answer:
        """What the server answers. Raises Unavailable."""
        asked = self._asked(collector)
        if asked.extensions != self.extensions:
            self.extensions = asked.extensions
            asked = self._asked(collector)
        if asked.down is not None:
            raise asked.down
        outcome = asked.outcomes[collector.name]
        if outcome.failure is not None:
            raise outcome.failure
        (answer,) = outcome.answers
        return answer

    def _asked(self, collector: Collector) -> Asked:
        deadline = Deadline.after(10)
        return ask_all(self.connection, [collector], self.server.address, deadline, extensions=self.extensions)

    def ask(self, collector: Collector, target: Target = TARGET) -> Facts:
        """The collector's samples. Raises Unavailable."""
        answer = self.answer(collector)
        memory = self.memory.setdefault(collector.name, collector.memory())
        samples = list(collector.read(answer, target, memory))
        assert {sample.family for sample in samples} <= set(collector.families)
        return Facts(samples)

    def until(self, collector: Collector, what: str, name: str, expected: float, **labels: str) -> Facts:
        """Ask until a value is as expected, at most 20 s."""
        seen: list[Facts] = []

        def reached() -> bool:
            seen.append(self.ask(collector))
            return seen[-1].all(name, **labels) == [expected]

        wait_until(reached, 20, what, interval=0.1)
        return seen[-1]

    def close(self) -> None:
        """End the session."""
        self.connection.close()


@contextmanager
def sessions(
    server: PostgresServer, count: int, user: str = "postgres", **options: str
) -> Iterator[list[psycopg.Connection]]:
    """So many open sessions, in autocommit. In the end they are terminated, whatever they are doing."""
    made: list[psycopg.Connection] = []
    try:
        for _ in range(count):
            made.append(psycopg.connect(server.dsn(user=user), autocommit=True, **options))  # noqa: PERF401 - ended if one fails
        yield made
    finally:
        pids = [connection.info.backend_pid for connection in made]
        server.sql("postgres", "SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", [pids])
        for connection in made:
            connection.close()


def send(connection: psycopg.Connection, statement: str) -> None:
    """Begin a statement and don't wait for its end."""
    connection.pgconn.send_query(statement.encode())
