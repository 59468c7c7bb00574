"""A web server with small routes, and clients that speak HTTP byte by byte."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from closewatch.core.web import Limits, Request, Response, Route, Server


class Client:
    """A connection of which a test sends and reads single bytes. The time limit only ends a test that would hang."""

    def __init__(self, address: str, sock: socket.socket | None = None) -> None:
        host, _, port = address.rpartition(":")
        self.socket = sock or socket.create_connection((host.strip("[]"), int(port)), timeout=30)
        self.file = self.socket.makefile("rb")

    def send(self, data: str) -> Client:
        self.socket.sendall(data.replace("\n", "\r\n").encode("latin-1"))
        return self

    def answer(self, *, head: bool = False) -> tuple[int, dict[str, str], bytes]:
        """The next answer: status, headers, body. Raises ConnectionError when there is none."""
        line = self.file.readline()
        if not line:
            raise ConnectionError("no answer")
        headers: dict[str, str] = {}
        while (header := self.file.readline().strip()) != b"":
            name, _, value = header.decode("latin-1").partition(": ")
            assert name not in headers
            headers[name] = value
        body = b"" if head else self.file.read(int(headers["Content-Length"]))
        return int(line.split()[1]), headers, body

    def ended(self) -> bool:
        """Waits for the server to close, without a further byte."""
        try:
            return self.file.read() == b""
        except ConnectionError:
            return True

    def ended_or_refused(self) -> bool:
        """Waits for the server to close, with or without a word before."""
        with contextlib.suppress(ConnectionError):
            self.file.read()
        return self.ended()

    def answer_is_cut(self) -> bool:
        """Whether the connection ends before the answer is whole."""
        try:
            _, headers, body = self.answer()
        except ConnectionError:
            return True
        return len(body) < int(headers["Content-Length"])

    def close(self) -> None:
        self.file.close()
        self.socket.close()


def show(request: Request) -> Response:
    facts = [request.method, request.path, dict(request.query), request.authenticated, request.loopback]
    return Response(200, "text/plain", repr(facts).encode())


def until(condition: Callable[[], bool], words: str) -> None:
    """Polls until the condition holds; fails after 30 seconds."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, words
        threading.Event().wait(0.005)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers: `serve(routes, web_config=..., limits=Limits(...))`; afterwards no thread of theirs is left."""
    servers: list[Server] = []

    def start(
        routes: Mapping[str, Route] | None = None,
        *,
        listen: str = "127.0.0.1:0",
        web_config: Path | None = None,
        limits: Limits | None = None,
    ) -> Server:
        server = Server(listen, {"/": show, "/-/reload": show, **(routes or {})}, web_config, limits)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop()
    until(lambda: not any(t.name.startswith("web") for t in threading.enumerate()), "a thread of the server is left")


@pytest.fixture
def connect() -> Iterator[Callable[[Server], Client]]:
    """Opens connections to a server."""
    clients: list[Client] = []

    def make(server: Server, sock: socket.socket | None = None) -> Client:
        client = Client(server.address, sock)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()
