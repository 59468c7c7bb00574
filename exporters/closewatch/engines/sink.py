"""A webhook receiver that keeps every notification: what each receiver of Alertmanager was really sent, and when.

The channel is the last part of the address, `sink.url("oncall")`; what Alertmanager itself says in the body is kept
too.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from closewatch.engines.folder import HOST, free_port
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


class Sink:
    """A listening receiver; `with Sink() as sink`."""

    def __init__(self) -> None:
        self._notifications: list[Notification] = []
        self._lock = threading.Lock()
        self.port = free_port()
        self._server = _Server((HOST, self.port), _Handler)
        self._server.sink = self
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="sink", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def url(self, channel: str) -> str:
        """The address to configure for a receiver."""
        return f"http://{HOST}:{self.port}/{channel}"

    def add(self, notification: Notification) -> None:
        """Keep a notification."""
        with self._lock:
            self._notifications.append(notification)

    def notifications(self, channel: str | None = None, since: float = 0.0) -> list[Notification]:
        """What came so far, oldest first."""
        with self._lock:
            return [each for each in self._notifications if each.at >= since and channel in (None, each.channel)]

    def clear(self) -> None:
        """Forget what came so far."""
        with self._lock:
            self._notifications.clear()

    def wait(self, count: int = 1, channel: str | None = None, timeout: float = 30.0) -> list[Notification]:
        """Wait until at least `count` notifications have come; gives them."""
        wait_until(
            lambda: len(self.notifications(channel)) >= count, timeout, f"{count} notifications at {channel or 'all'}"
        )
        return self.notifications(channel)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    sink: Sink


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        length = min(int(self.headers.get("Content-Length", 0)), _LARGEST_BODY)
        body = json.loads(self.rfile.read(length) or b"{}")
        self.server.sink.add(Notification(time.time(), self.path.strip("/"), body))
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")  # Alertmanager looks for it in what Slack answers

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the demo's terminal is not a log."""
