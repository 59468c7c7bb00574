"""A real Alertmanager in a run folder, alone (no cluster), with the configuration and templates that it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from closewatch.engines import http
from closewatch.engines.binaries import find
from closewatch.engines.debian import runnable
from closewatch.engines.folder import HOST, RunFolder
from closewatch.engines.webserver import WebServer


class AlertmanagerServer(WebServer):
    """One Alertmanager. `config` is the text of alertmanager.yml; `files` are others, by path below its folder."""

    def __init__(
        self, run: RunFolder, config: str, files: Mapping[str, str] | None = None, name: str = "alertmanager"
    ) -> None:
        super().__init__(run, name, {**(files or {}), "alertmanager.yml": config})

    def command(self) -> list[str]:
        """Its arguments: alone, without a cluster."""
        return [
            str(runnable(find("alertmanager"), self.folder)),
            f"--config.file={self.folder / 'alertmanager.yml'}",
            f"--storage.path={self.folder / 'data'}",
            f"--web.listen-address={HOST}:{self.port}",
            f"--web.external-url={self.url}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]

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
