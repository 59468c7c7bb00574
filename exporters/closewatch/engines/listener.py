"""A server in a thread of its own that keeps what comes: under what a sink of notifications or of mail is."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from closewatch.engines.closing import Closing
from closewatch.engines.folder import HOST, free_port

Kept = TypeVar("Kept")


class Server(socketserver.ThreadingTCPServer):
    """What a handler sees as its `server`: it hands over what came by `keep`."""

    allow_reuse_address = True
    daemon_threads = True
    keep: Callable[[Any], None]


class Listener(Closing, Generic[Kept]):
    """Listening as soon as it is made; left by `with`, or closed. Thread-safe."""

    def __init__(self, name: str, handler: type[socketserver.BaseRequestHandler]) -> None:
        self._kept: list[Kept] = []
        self._lock = threading.Lock()
        self.port = free_port()
        self._server = Server((HOST, self.port), handler)
        self._server.keep = self.add
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name=name, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def add(self, one: Kept) -> None:
        """Keep what came."""
        with self._lock:
            self._kept.append(one)

    def kept(self) -> list[Kept]:
        """What came so far, oldest first."""
        with self._lock:
            return list(self._kept)

    def clear(self) -> None:
        """Forget what came so far."""
        with self._lock:
            self._kept.clear()
