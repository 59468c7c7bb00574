"""A receiver of notifications as `closewatch receive` makes it, and the configuration that the worker has too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from closewatch.core.config import Config
from closewatch.core.records import Chain
from closewatch.core.records.sqlite import SqliteStore
from closewatch.core.web import Server
from closewatch.kinds import load
from closewatch.receive import LIMITS, Receiver

NOTIFICATIONS = Chain("notification", "alertmanager", "main")


@pytest.fixture
def configured(tmp_path: Path) -> Callable[..., Config]:
    """Writes a configuration: `configured(url, records="records.db", silence_limit=60)`."""

    def make(url: str = "http://127.0.0.1:9", records: str = "records.db", **more: Any) -> Config:
        path = tmp_path / "closewatch.yml"
        target = {"kind": "alertmanager", "name": "main", "url": url, **more}
        document = {"environment": "test", "records": {"path": records}, "targets": [target]}
        path.write_text(yaml.safe_dump(document))
        return load(path)

    return make


@pytest.fixture
def receive() -> Iterator[Callable[..., Server]]:
    """Starts receivers: `receive(config, port=0)`."""
    made: list[tuple[Server, Receiver]] = []

    def make(config: Config, port: int = 0) -> Server:
        receiver = Receiver(config)
        server = Server(f"127.0.0.1:{port}", receiver.routes(), None, LIMITS, receiver.bodies())
        made.append((server, receiver))
        server.start()
        return server

    yield make
    for server, receiver in made:
        server.stop()
        receiver.close()


@pytest.fixture
def store(configured: Callable[..., Config]) -> Iterator[SqliteStore]:
    """The store, as the worker has it."""
    opened = configured().records.store(read_only=False)
    yield opened
    opened.close()
