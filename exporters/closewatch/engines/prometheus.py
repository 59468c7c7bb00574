"""A real Prometheus in a run folder, with the configuration and the rule files that it is given."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from typing import Any

from closewatch.engines import http
from closewatch.engines.binaries import find
from closewatch.engines.folder import HOST, RunFolder
from closewatch.engines.process import wait_until
from closewatch.engines.webserver import WebServer


class PrometheusServer(WebServer):
    """One Prometheus. `config` is the text of prometheus.yml; `files` are others, named as the text names them."""

    def __init__(
        self,
        run: RunFolder,
        config: str,
        files: Mapping[str, str] | None = None,
        name: str = "prometheus",
        port: int | None = None,
    ) -> None:
        super().__init__(run, name, {**(files or {}), "prometheus.yml": config}, port)

    def command(self) -> list[str]:
        """Its arguments: reloaded by a POST, two weeks kept."""
        return [
            str(find("prometheus")),
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address={HOST}:{self.port}",
            f"--web.external-url={self.url}",
            "--web.enable-lifecycle",
            "--storage.tsdb.retention.time=15d",
            "--log.level=warn",
        ]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """An instant query: labels and value of each series; a scalar has no labels."""
        found = self.api("query", query=expression)
        if found["resultType"] == "scalar":
            return [({}, float(found["result"][1]))]
        return [(series["metric"], float(series["value"][1])) for series in found["result"]]

    def value(self, expression: str) -> float | None:
        """The value of the only series; None where there is none or more than one."""
        series = self.query(expression)
        return series[0][1] if len(series) == 1 else None

    def alerts(self) -> list[dict[str, Any]]:
        """Pending and firing alerts: labels, annotations, state, activeAt."""
        return list(self.api("alerts")["alerts"])

    def targets(self) -> list[dict[str, Any]]:
        """Active scrape targets: labels, health, lastError."""
        return list(self.api("targets", state="active")["activeTargets"])

    def rules(self) -> list[dict[str, Any]]:
        """All rules: name, type, health, lastError, state."""
        return [rule for group in self.api("rules")["groups"] for rule in group["rules"]]

    def api(self, path: str, **parameters: str) -> Any:
        """The `data` of an answer of the HTTP API."""
        return http.get_json(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}")["data"]

    def wait_for(self, expression: str, timeout: float = 60.0) -> list[tuple[dict[str, str], float]]:
        """Wait until an instant query gives at least one series; gives them."""
        found: list[tuple[dict[str, str], float]] = []

        def asked() -> bool:
            found[:] = self.query(expression)
            return bool(found)

        wait_until(asked, timeout, f"{self.name} gives {expression}", interval=0.2)
        return found
