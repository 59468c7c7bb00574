"""A page with `closewatch_threshold` series: the way in which a policy changes the limits of a rule, for one target.

The demo can't wait an hour until a WAL segment is an hour old. So it lowers some limits, not in the rules, which
stay as they are shipped, but by the series that override them.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from closewatch.engines.folder import HOST, free_port


@dataclass(frozen=True, slots=True)
class Threshold:
    """The limit of a check for one target; `tenant` is empty on what tenants share."""

    check: str
    severity: str
    value: float
    environment: str
    tenant: str
    target: str

    def line(self) -> str:
        """In Prometheus' text format. The demo's own names need no escapes."""
        labels = {name: getattr(self, name) for name in ("check", "severity", "environment", "tenant", "target")}
        inside = ",".join(f'{name}="{value}"' for name, value in labels.items() if value)
        return f"closewatch_threshold{{{inside}}} {self.value:g}\n"


class ThresholdPage:
    """Serves the thresholds at /metrics."""

    def __init__(self, thresholds: Sequence[Threshold]) -> None:
        head = "# HELP closewatch_threshold The limit of a check.\n# TYPE closewatch_threshold gauge\n"
        self.port = free_port()
        self.address = f"{HOST}:{self.port}"
        self._server = _Server((HOST, self.port), _Page)
        self._server.text = (head + "".join(each.line() for each in thresholds)).encode()
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="thresholds", daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    text = b""


class _Page(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(self.server.text)))
        self.end_headers()
        self.wfile.write(self.server.text)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the demo's terminal is not a log."""
