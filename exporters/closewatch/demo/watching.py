"""closewatch as a user runs it: a generated configuration, and `closewatch serve` as a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from closewatch.demo.engines import http
from closewatch.demo.engines.folder import HOST, RunFolder, free_port
from closewatch.demo.engines.postgres import PostgresServer
from closewatch.demo.engines.process import Process

ROLE = "closewatch"
ENVIRONMENT = "production"
DATABASES = "^odoo_(?P<tenant>[a-z0-9]+)$"


@dataclass(frozen=True, slots=True)
class WatchedServer:
    """A cluster to watch: its name (and cell), its members, and the password of closewatch's role."""

    name: str
    members: Sequence[PostgresServer]
    password: str


class Watcher:
    """The process `closewatch serve`."""

    def __init__(self, run: RunFolder, servers: Sequence[WatchedServer]) -> None:
        self.run = run
        self.folder = run.folder("closewatch")
        self.port = free_port()
        self.address = f"{HOST}:{self.port}"
        self.url = f"http://{self.address}"
        self.process: Process | None = None
        targets = [self._target(server) for server in servers]
        text = yaml.safe_dump({"environment": ENVIRONMENT, "targets": targets}, sort_keys=False)
        (self.folder / "closewatch.yml").write_text(text, encoding="utf-8")

    def start(self, *, wait: bool = True) -> None:
        """Start, and wait until it is ready."""
        config = str(self.folder / "closewatch.yml")
        command = [sys.executable, "-m", "closewatch", "serve", config, "--web.listen-address", self.address]
        self.process = self.run.spawn("closewatch", command, cwd=self.folder)
        if wait:
            self.wait_ready()

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait until it is ready. Raises EngineError with the end of its log."""
        assert self.process is not None
        self.process.wait_ready(lambda: http.answers(f"{self.url}/-/ready"), timeout)

    def stop(self) -> None:
        """Stop."""
        if self.process is not None:
            self.process.stop()

    def _target(self, server: WatchedServer) -> dict[str, object]:
        secret = self.folder / f"{server.name}.password"
        secret.touch(mode=0o600)
        secret.write_text(server.password, encoding="utf-8")
        return {
            "kind": "postgresql",
            "name": server.name,
            "cell": server.name,
            "hosts": [member.address for member in server.members],
            "user": ROLE,
            "password": {"file": str(secret)},
            "discover": [{"databases": DATABASES}],
            "ignore": "^postgres$",
        }
