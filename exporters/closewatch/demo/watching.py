"""closewatch as a user runs it: a generated configuration, and `closewatch serve` as a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import yaml

from closewatch.engines import http
from closewatch.engines.folder import HOST, RunFolder, free_port
from closewatch.engines.process import Process

ENVIRONMENT = "production"
Targets = list[dict[str, Any]]
"""Targets as they stand in closewatch.yml."""
KeepSecret = Callable[[str, str], str]
"""(name, secret) -> the path of a file that only its owner may read."""


class Part(Protocol):
    """A part of the demo that is watched. `title` says what is started; `count` is how many targets it gives."""

    title: str
    count: int

    def start(self) -> None:
        """Start it, and wait until it is at work."""

    def targets(self, keep_secret: KeepSecret) -> Targets:
        """What closewatch is to watch of it."""

    def close(self) -> None:
        """Stop what runs in our own process; the engines end with the run folder."""


class Watcher:
    """The process `closewatch serve`."""

    def __init__(
        self, run: RunFolder, parts: Iterable[Part], records: Callable[[KeepSecret], dict[str, Any]] | None = None
    ) -> None:
        self.run = run
        self.folder = run.folder("closewatch")
        self.port = free_port()
        self.address = f"{HOST}:{self.port}"
        self.url = f"http://{self.address}"
        self.process: Process | None = None
        targets = [target for part in parts for target in part.targets(self._keep_secret)]
        kept = {"records": records(self._keep_secret)} if records is not None else {}
        text = yaml.safe_dump({"environment": ENVIRONMENT, **kept, "targets": targets}, sort_keys=False)
        self.config = self.folder / "closewatch.yml"
        self.config.write_text(text, encoding="utf-8")

    def start(self, *, wait: bool = True) -> None:
        """Start, and wait until it is ready."""
        command = [sys.executable, "-m", "closewatch", "serve", str(self.config), "--web.listen-address", self.address]
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

    def _keep_secret(self, name: str, secret: str) -> str:
        path = self.folder / f"{name}.password"
        path.touch(mode=0o600)
        path.write_text(secret, encoding="utf-8")
        return str(path)
