"""A webhook receiver that keeps every notification: what each receiver of Alertmanager was really sent, and when.

The channel is the last part of the address, `sink.url("oncall")`; what Alertmanager itself says in the body is kept
too.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

from closewatch.engines.folder import HOST
from closewatch.engines.listener import Listener, Server
from closewatch.engines.process import wait_until

_LARGEST_BODY = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Notification:
    """One delivery. `channel` is the address' last part, `at` our clock in Unix seconds, `body` what was posted."""

    at: float
    channel: str
    body: dict[str, Any]

    @property
    def receiver(self) -> str:
        """The receiver's name in Alertmanager's configuration."""
        return str(self.body.get("receiver", ""))

    @property
    def status(self) -> str:
        """`firing` while any alert of the group fires, else `resolved`."""
        return str(self.body.get("status", ""))

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """The group's alerts: status, labels, annotations, startsAt, endsAt."""
        return list(self.body.get("alerts", ()))


class Sink(Listener[Notification]):
    """A listening receiver; `with Sink() as sink`."""

    def __init__(self) -> None:
        super().__init__("sink", _Handler)

    def url(self, channel: str) -> str:
        """The address to configure for a receiver."""
        return f"http://{HOST}:{self.port}/{channel}"

    def notifications(self, channel: str | None = None, since: float = 0.0) -> list[Notification]:
        """What came so far, oldest first."""
        return [each for each in self.kept() if each.at >= since and channel in (None, each.channel)]

    def wait(self, count: int = 1, channel: str | None = None, timeout: float = 30.0) -> list[Notification]:
        """Wait until at least `count` notifications have come; gives them."""
        wait_until(
            lambda: len(self.notifications(channel)) >= count, timeout, f"{count} notifications at {channel or 'all'}"
        )
        return self.notifications(channel)


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        length = min(int(self.headers.get("Content-Length", 0)), _LARGEST_BODY)
        body = json.loads(self.rfile.read(length) or b"{}")
        self.server.keep(Notification(time.time(), self.path.strip("/"), body))
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")  # Alertmanager looks for it in what Slack answers

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the demo's terminal is not a log."""
