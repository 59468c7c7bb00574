"""Authorities and a way to read one place, as the program reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from closewatch.certificates import COLLECTORS
from closewatch.core.deadline import Deadline
from closewatch.sources.certificates.places import Endpoint
from closewatch.sources.certificates.source import Certificates, Places
from tests.server.certificates.authority import CA
from tests.server.certificates.servers import Serve, serving

Rows = Mapping[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="session")
def root() -> CA:
    return CA("Test root")


@pytest.fixture(scope="session")
def middle(root: CA) -> CA:
    return CA("Test intermediate", root)


def rows_of(places: Places, seconds: float = 10.0) -> Rows:
    """What one asking gives, by source and name."""
    source = Certificates(places)
    try:
        return ask(source, seconds)
    finally:
        source.close()


def ask(source: Certificates, seconds: float = 10.0) -> Rows:
    """What an asking gives, by source and name."""
    (answer,) = source.ask(COLLECTORS, Deadline.after(seconds)).outcomes["expiry"].answers
    return {(row["source"], row["certificate"]): dict(row) for row in answer.rows()}


Shake = Callable[..., dict[str, Any]]


@pytest.fixture
def shake(tmp_path: Path, root: CA) -> Shake:
    """The row of one endpoint that trusts the test's root."""
    (tmp_path / "root.pem").write_bytes(root.pem)

    def run(
        serve: Serve,
        *,
        protocol: Any = "tls",
        hosts: tuple[str, ...] = ("localhost",),
        seconds: float = 10.0,
        stored: Path | None = None,
        trust: bool = True,
        trusted: tuple[Path, ...] = (),
        rows: dict[Any, Any] | None = None,
    ) -> dict[str, Any]:
        with serving(serve) as server:
            endpoint = Endpoint("it", server.address, hosts, protocol, stored)
            own = [tmp_path / "root.pem"] if trust else []
            found = rows_of(Places(endpoints=[endpoint], trust=[*own, *trusted]), seconds)
        (rows if rows is not None else {}).update(found)
        return found["endpoint", "it"]

    return run
