"""What is not Redis, or is it in a bad mood: stand-ins that say what no server would, and never stop in time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from closewatch.engines.redis import RedisServer
from tests.fixtures.redis import target
from tests.fixtures.watch import Watched

Watching = Callable[..., Watched]


def _info(text: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(text), text)


VERSION = _info(b"redis_version:7.2.4\r\nredis_mode:standalone\r\n")


def _drip() -> Iterator[bytes]:
    """A bulk that comes a byte at a time: no single read takes long."""
    yield b"$1000000\r\n"
    while True:
        time.sleep(0.05)
        yield b"x"


def _flood() -> Iterator[bytes]:
    yield b"$999999999999\r\n"
    while True:
        yield b"x" * 65_536


def _lines() -> Iterator[bytes]:
    """Many lines of INFO, more than anybody needs."""
    text = b"".join(b"field_%d:1\r\n" % number for number in range(9_000))
    yield _info(b"role:master\r\n" + text)


def _once(content: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: iter([content])


ANSWERS: dict[str, tuple[Callable[[], Iterator[bytes]], str]] = {
    "a bulk a byte at a time": (_drip, "timeout"),
    "a bulk that never ends": (_flood, "invalid_answer"),
    "more fields than there are": (_lines, "invalid_answer"),
    "nested without end": (_once(b"*1\r\n" * 100_000), "invalid_answer"),
    "a length that is none": (_once(b"$abc\r\n"), "invalid_answer"),
    "a huge number": (_once(b":" + b"9" * 5_000 + b"\r\n"), "invalid_answer"),
    "not the protocol": (_once(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "invalid_answer"),
    "no role": (_once(_info(b"used_memory:1\r\n")), "invalid_answer"),
    "a number for INFO": (_once(b":1\r\n"), "invalid_answer"),
    "an error with a secret in it": (_once(b"-ERR the password is hunter2-hunter2\r\n"), "server_error"),
    "hanging up": (_once(b""), "connection_lost"),
    "half an answer": (_once(b"$100\r\nrole:master\r\n"), "connection_lost"),
}


@pytest.fixture
def stand_in() -> Iterator[Callable[[Callable[[], Iterator[bytes]]], int]]:
    """Listens; says hello as a server does, and answers the batch with what it is given. Gives the port."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(listener: socket.socket, answer: Callable[[], Iterator[bytes]]) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                try:
                    client.recv(4_096)
                    client.sendall(b"+OK\r\n")
                    client.recv(4_096)
                    client.sendall(b"+OK\r\n" + VERSION)
                    client.recv(65_536)
                    for part in answer():
                        client.sendall(part)
                    client.shutdown(socket.SHUT_WR)
                except OSError:
                    continue

    def make(answer: Callable[[], Iterator[bytes]]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threads.append(threading.Thread(target=serve, args=(listener, answer), daemon=True))
        threads[-1].start()
        port: int = listener.getsockname()[1]
        return port

    yield make
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(10)


@pytest.mark.parametrize("what", ANSWERS)
def test_garbage_has_a_reason_and_an_end(
    what: str, stand_in: Callable[..., int], watching: Watching, capfd: pytest.CaptureFixture[str]
) -> None:
    answer, reason = ANSWERS[what]
    watched = watching({**target(), "hosts": [f"127.0.0.1:{stand_in(answer)}"]})
    began = time.monotonic()
    facts = watched.ask("sessions", timeout=1.5)
    assert time.monotonic() - began < 10
    assert (facts.up, facts.reason) == (False, reason)
    assert "hunter2" not in str(facts.samples) + "".join(capfd.readouterr())


KNOCKS = {
    b"+PONG\r\n": [1.0],
    b"-NOAUTH Authentication required.\r\n": [0.0],
    b"-DENIED Redis is running in protected mode\r\n": [0.0],
    b"-LOADING Redis is loading the dataset in memory\r\n": [1.0],
    b"": [0.0],
    b"HTTP/1.1 400 Bad Request\r\n": [],
    b"-ERR max number of clients reached\r\n": [],
}


@pytest.mark.parametrize("said", KNOCKS, ids=[said[:12].decode().strip() or "nothing" for said in KNOCKS])
def test_knocks(said: bytes, watching: Watching) -> None:
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                heard.append(client.recv(100))
                client.sendall(said)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        place = f"127.0.0.1:{listener.getsockname()[1]}"
        facts = watching({**target(), "hosts": ["127.0.0.1:1"], "outside": [place]}).ask("sessions")
        thread.join(10)
    assert facts.all("redis_answers_strangers", address=place) == KNOCKS[said]
    assert heard == [b"PING\r\n"], "a PING, and nothing more"


def test_knocking_at_real_doors(watching: Watching, new_redis: Callable[..., RedisServer]) -> None:
    closed, open_ = new_redis().start(), new_redis(open_to_all=True).start()
    places = [closed.address, open_.address, "127.0.0.1:1"]
    facts = watching({**target(), "hosts": ["127.0.0.1:1"], "outside": places}).ask("sessions")
    assert [facts.one("redis_answers_strangers", address=place) for place in places] == [0, 1, 0]
