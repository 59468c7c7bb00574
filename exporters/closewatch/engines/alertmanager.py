"""A real Alertmanager in a run folder, alone (no cluster), with the configuration and templates that it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from closewatch.engines import http
from closewatch.engines.binaries import find
from closewatch.engines.debian import runnable
from closewatch.engines.folder import HOST, RunFolder, free_port
from closewatch.engines.process import Process


class AlertmanagerServer:
    """One Alertmanager. `config` is the text of alertmanager.yml; `files` are others, by path below its folder."""

    def __init__(
        self, run: RunFolder, config: str, files: Mapping[str, str] | None = None, name: str = "alertmanager"
    ) -> None:
        self.run = run
        self.name = name
        self.folder = run.folder(name)
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.process: Process | None = None
        for path, text in {**(files or {}), "alertmanager.yml": config}.items():
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")

    def start(self, *, wait: bool = True) -> AlertmanagerServer:
        """Start, and wait until it is ready."""
        command = [
            str(runnable(find("alertmanager"), self.folder)),
            f"--config.file={self.folder / 'alertmanager.yml'}",
            f"--storage.path={self.folder / 'data'}",
            f"--web.listen-address={HOST}:{self.port}",
            f"--web.external-url={self.url}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]
        self.process = self.run.spawn(self.name, command, cwd=self.folder)
        return self.wait_ready() if wait else self

    def wait_ready(self, timeout: float = 60.0) -> AlertmanagerServer:
        """Wait until it is ready. Raises EngineError with the end of its log."""
        assert self.process is not None
        self.process.wait_ready(lambda: http.answers(f"{self.url}/-/ready"), timeout)
        return self

    def stop(self) -> None:
        """Stop."""
        if self.process is not None:
            self.process.stop()

    def reload(self) -> None:
        """Read the configuration again. Raises OSError when it is refused."""
        http.post(f"{self.url}/-/reload")

    def alerts(self) -> list[dict[str, Any]]:
        """All alerts: labels, annotations, receivers, status (state, inhibitedBy, silencedBy)."""
        return list(http.get_json(f"{self.url}/api/v2/alerts"))

    def post(
        self,
        alerts: Sequence[Mapping[str, str]],
        annotations: Mapping[str, str] | None = None,
        *,
        resolved: bool = False,
    ) -> None:
        """Send alerts, each given by its labels, as Prometheus would; `resolved` ends them."""
        now = datetime.now(UTC)
        ends = now if resolved else now + timedelta(hours=1)
        body = [
            {
                "labels": dict(labels),
                "annotations": dict(annotations or {}),
                "startsAt": (now - timedelta(minutes=1)).isoformat(),
                "endsAt": ends.isoformat(),
                "generatorURL": f"http://{HOST}/graph",
            }
            for labels in alerts
        ]
        http.post(f"{self.url}/api/v2/alerts", body)
