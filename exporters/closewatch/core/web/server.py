"""The listener: takes connections, gives each a thread, and never more than a bounded number.

When all places are taken, the connection that has been quiet longest makes room: one that is idle between two requests,
or still at its TLS handshake, its request or its login. Only where every place is at work does a new client get a 503.
"""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from closewatch.core.deadline import Deadline
from closewatch.core.web.auth import BasicAuth
from closewatch.core.web.connection import Connection
from closewatch.core.web.messages import Route
from closewatch.core.web.stream import wake
from closewatch.core.web.webconfig import WebConfig

log = structlog.get_logger(__name__)

_EXTRA = 16
_BACKLOG = 128
_LACKING = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many, how long (seconds) and how much (bytes of a request)."""

    connections: int = 256
    idle: float = 120.0
    head: float = 10.0
    handshake: float = 5.0
    write: float = 30.0
    request: int = 64 * 1024
    stop: float = 5.0


@dataclass(eq=False, slots=True)
class Place:
    """A connection's place. `busy` while a request is answered; `since` is when it last changed."""

    socket: socket.socket
    client: str
    busy: bool = False
    refused: bool = False
    since: float = field(default_factory=time.monotonic)

    def turn(self, *, busy: bool) -> None:
        """Note that work on a request begins or ends."""
        self.busy, self.since = busy, time.monotonic()


class Server:
    """Serves routes by path. Raises OSError for an address that can't be had, ConfigError for a web configuration.

    `bodies` are the paths to which a body is posted, each with the most bytes that it may have.
    """

    def __init__(
        self,
        listen: str,
        routes: Mapping[str, Route],
        web_config: Path | None = None,
        limits: Limits | None = None,
        bodies: Mapping[str, int] | None = None,
    ) -> None:
        self.routes = routes
        self.bodies = bodies or {}
        self.limits = limits or Limits()
        self.web_config = WebConfig(web_config)
        self.basic_auth = BasicAuth()
        self._listener = _listener(listen)
        host, port = self._listener.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"  # with the port that was really given
        self._places: dict[Place, threading.Thread] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._acceptor = threading.Thread(target=self._accept, name="web", daemon=True)

    @property
    def web_config_ok(self) -> bool:
        """Whether the web configuration, as it is now, is in use. True where there is none."""
        return self.web_config.ok

    @property
    def url(self) -> str:
        """The address as a URL."""
        scheme = "http" if self.web_config.current().context is None else "https"
        return f"{scheme}://{self.address}"

    def start(self) -> None:
        """Begin to answer. The address is taken since the server was made."""
        self._acceptor.start()
        log.info("listening", address=self.address, tls=self.web_config.current().context is not None)

    def stop(self) -> None:
        """Take no more requests, let those at work finish for a moment, end the rest."""
        self._stopping.set()
        wake(self._listener)
        self._listener.close()
        if self._acceptor.ident is not None:
            self._acceptor.join()
        deadline = Deadline.after(self.limits.stop)
        with self._lock:
            threads = list(self._places.values())
            for place in self._places:
                if not place.busy:
                    wake(place.socket)
        for thread in threads:
            thread.join(deadline.left())
        with self._lock:
            for place in self._places:
                wake(place.socket)

    @property
    def stopping(self) -> bool:
        """Whether connections should end after their present request."""
        return self._stopping.is_set()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                sock, peer = self._listener.accept()
            except OSError as error:
                if error.errno in _LACKING:
                    log.warning("no_more_files", error=errno.errorcode[error.errno])
                    with self._lock:
                        self._make_room()
                    self._stopping.wait(0.1)
                continue
            self._begin(sock, peer)

    def _begin(self, sock: socket.socket, peer: Any) -> None:
        place = Place(sock, peer[0])
        thread = threading.Thread(target=self._serve, args=(place,), name=f"web-{sock.fileno()}", daemon=True)
        with self._lock:
            if len(self._places) >= self.limits.connections:
                place.refused = not self._make_room()
            full = len(self._places) >= self.limits.connections + _EXTRA
            if not full:
                self._places[place] = thread
        try:
            if not full:
                thread.start()
                return
        except RuntimeError:  # no more threads
            self._end(place)
        sock.close()

    def _make_room(self) -> bool:
        """End the connection that has been without work longest; it gives up its place at once."""
        quiet = [place for place in self._places if not place.busy]
        if not quiet:
            return False
        oldest = min(quiet, key=lambda place: place.since)
        del self._places[oldest]
        wake(oldest.socket)
        return True

    def _serve(self, place: Place) -> None:
        try:
            Connection(place, self).run()
        except OSError:  # the client went away, or was too slow
            log.debug("connection_ended", client=place.client)
        except Exception:
            log.exception("connection_failed", client=place.client)
        finally:
            place.socket.close()
            self._end(place)

    def _end(self, place: Place) -> None:
        with self._lock:
            self._places.pop(place, None)


def _listener(listen: str) -> socket.socket:
    """Bound and listening. `:PORT` is every address of the machine, by IPv6 and IPv4."""
    host, port = _parts(listen)
    if host in ("", "::") and socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True)
    host = host or "0.0.0.0"  # noqa: S104 - asked for
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return socket.create_server(address[:2], family=family, backlog=_BACKLOG)


def _parts(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535 or (":" in host and not bracketed):  # noqa: PLR2004
        raise OSError(f"{listen!r}: expected HOST:PORT, such as 127.0.0.1:10187 or [::1]:10187")
    return (host[1:-1] if bracketed else host), int(port)
