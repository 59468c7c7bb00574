"""What Prometheus and Alertmanager have in common: a folder with a configuration, ready or not, reloaded by a POST."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from closewatch.engines import http
from closewatch.engines.folder import HOST, RunFolder, free_port
from closewatch.engines.process import Process


class WebServer(ABC):
    """One server. `files` are texts by path below its folder."""

    def __init__(self, run: RunFolder, name: str, files: Mapping[str, str], port: int | None = None) -> None:
        self.run = run
        self.name = name
        self.folder = run.folder(name)
        self.port = port or free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.process: Process | None = None
        for path, text in files.items():
            self.write(path, text)

    @abstractmethod
    def command(self) -> list[str]:
        """The program and its arguments."""

    def write(self, path: str, text: str) -> Path:
        """Write a file of its folder; `reload` makes it read it."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def start(self, *, wait: bool = True) -> Self:
        """Start, and wait until it is ready."""
        self.process = self.run.spawn(self.name, self.command(), cwd=self.folder)
        return self.wait_ready() if wait else self

    def wait_ready(self, timeout: float = 60.0) -> Self:
        """Wait until it is ready. Raises EngineError with the end of its log."""
        assert self.process is not None
        self.process.wait_ready(lambda: http.answers(f"{self.url}/-/ready"), timeout)
        return self

    def stop(self) -> None:
        """Stop."""
        if self.process is not None:
            self.process.stop()

    def reload(self) -> None:
        """Read the configuration (and the rules) again. Raises OSError when they are refused."""
        http.post(f"{self.url}/-/reload")
