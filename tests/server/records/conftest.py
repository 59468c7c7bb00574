"""The places where records can be: a test that takes `place` runs once for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from closewatch.core.records import Store
from closewatch.engines.postgres import PostgresServer
from tests.server.records.stores import Place, in_database, in_file


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where a store is, which is empty."""
    with (
        in_file(tmp_path)
        if request.param == "sqlite"
        else in_database(request.getfixturevalue("newest_postgres"), tmp_path) as found
    ):
        yield found


@pytest.fixture
def database(newest_postgres: PostgresServer, tmp_path: Path) -> Iterator[Place]:
    """A store in PostgreSQL."""
    with in_database(newest_postgres, tmp_path) as found:
        yield found


@pytest.fixture
def store(place: Place) -> Store:
    """An open store, of the worker's."""
    return place.open()
