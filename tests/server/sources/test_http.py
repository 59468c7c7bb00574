"""One GET over real sockets: servers that hang, drip, talk nonsense, send too much, or send elsewhere."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Unavailable
from closewatch.sources.http import get_json, place

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.fixture
def answering() -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """A server that answers each connection by a function: gives its address."""
    made: list[tuple[socket.socket, threading.Thread]] = []

    def make(answer: Callable[[socket.socket], None]) -> str:
        listener = socket.create_server(("127.0.0.1", 0))

        def run() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.settimeout(10)
                        connection.recv(65536)
                        answer(connection)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        made.append((listener, thread))
        return f"http://127.0.0.1:{listener.getsockname()[1]}/prefix"

    yield make
    for listener, thread in made:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(20)


def ask(url: str, seconds: float = 10.0) -> object:
    return get_json(place(url, "Bearer token"), "/api", Deadline.after(seconds), 1000)


def test_an_answer(answering):
    url = answering(lambda connection: connection.sendall(HEAD + b"Content-Length: 8\r\n\r\n[1, 2]  "))
    assert ask(url) == [1, 2]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "invalid_answer: not HTTP"),
        (HEAD + b"Content-Length: 3\r\n\r\n<a>", "invalid_answer: not JSON"),
        (HEAD + b"Content-Length: 900\r\n\r\n" + b"[" * 900, "invalid_answer: not JSON"),
        (HEAD + b"Content-Length: 9999\r\n\r\n" + b" " * 9999, "invalid_answer: more than 1,000 bytes"),
        (HEAD + b"\r\n" + b" " * 9999, "invalid_answer: more than 1,000 bytes"),
        (HEAD + b"Content-Length: 50\r\n\r\n[", "connection_lost"),
        (b"", "connection_lost"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "invalid_answer: HTTP"),
        (b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", "authentication"),
        (b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", "permission"),
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "missing"),
        (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "starting"),
        (b"HTTP/1.1 500 a text of theirs\r\nContent-Length: 0\r\n\r\n", "server_error: HTTP status 500"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000, "invalid_answer: not HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "connection_lost|invalid_answer"),
    ],
)
def test_what_is_no_good_answer_is_said_in_our_own_words(answering, said: bytes, reason: str):
    url = answering(lambda connection: connection.sendall(said))
    with pytest.raises(Unavailable, match=reason) as caught:
        ask(url)
    assert "theirs" not in str(caught.value)


def _drip(connection: socket.socket) -> None:
    for byte in HEAD + b"X-Drip: " + b"a" * 500:
        connection.sendall(bytes([byte]))
        time.sleep(0.02)


def _hang(connection: socket.socket) -> None:
    connection.settimeout(20)
    connection.recv(1)


@pytest.mark.parametrize("answer", [_drip, _hang], ids=["drips", "hangs"])
def test_the_deadline_is_kept(answering, answer):
    url = answering(answer)
    began = time.monotonic()
    with pytest.raises(Unavailable, match="timeout"):
        ask(url, 0.7)
    assert time.monotonic() - began < 3
