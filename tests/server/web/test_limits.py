"""Slow, silent and numerous clients: each is ended in its time, and none keeps the others out."""

from __future__ import annotations

import errno
import threading

import pytest

from closewatch.core.web import Limits, Response
from tests.server.web.conftest import until

GET = "GET / HTTP/1.1\nHost: localhost\n\n"
PATIENT = {"idle": 60.0, "head": 60.0, "handshake": 60.0}


def held(begun: threading.Semaphore, go_on: threading.Event):
    """A route that takes as long as the test wants."""

    def route(_request):
        begun.release()
        assert go_on.wait(60)
        return Response(200, "text/plain", b"done")

    return route


def test_a_silent_client_is_let_go(serve, connect):
    client = connect(serve(limits=Limits(idle=0.2)))
    assert client.ended()


def test_an_idle_connection_is_let_go_after_its_answer(serve, connect):
    client = connect(serve(limits=Limits(idle=0.2))).send(GET)
    assert client.answer()[0] == 200
    assert client.ended()


@pytest.mark.parametrize(
    "begun", ["G", "GET / HTT", "GET / HTTP/1.1\n", "GET / HTTP/1.1\nA: b\n", "POST / HTTP/1.1\nContent-Length: 9\n\nx"]
)
def test_a_request_that_does_not_get_done_is_ended(serve, connect, begun):
    client = connect(serve(limits=Limits(head=0.2))).send(begun)
    assert client.answer()[0] == 408
    assert client.ended()


def test_a_byte_now_and_then_does_not_win_more_time(serve, connect):
    """The time counts from the first byte of a request, however often a further one comes."""
    client = connect(serve(limits=Limits(head=0.5)))
    stop = threading.Event()

    def drip() -> None:
        client.send("GET / HTTP/1.1\nA: ")
        while not stop.wait(0.02):
            try:
                client.send("x")
            except OSError:
                return

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        assert client.answer()[0] == 408
    finally:
        stop.set()
        thread.join(30)


def test_empty_lines_do_not_win_more_time(serve, connect):
    client = connect(serve(limits=Limits(head=0.5)))
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.02):
            try:
                client.send("\n")
            except OSError:
                return

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        assert client.answer()[0] == 408
    finally:
        stop.set()
        thread.join(30)


def test_a_client_that_does_not_read_its_answer_is_ended(serve, connect):
    server = serve({"/large": lambda _: Response(200, "text/plain", b"x" * 50_000_000)}, limits=Limits(write=0.3))
    client = connect(server).send("GET /large HTTP/1.1\n\n")
    until(lambda: len(server._places) == 1, "not taken")
    until(lambda: not server._places, "still there")
    assert client.answer_is_cut()


def test_silent_clients_make_room_for_one_who_asks(serve, connect):
    server = serve(limits=Limits(connections=4, **PATIENT))
    silent = [connect(server) for _ in range(4)]
    silent[1].send("GET / HT")
    until(lambda: len(server._places) == 4, "not all are taken")
    for _ in range(6):
        assert connect(server).send(GET).answer()[0] == 200
    assert all(client.ended_or_refused() for client in silent)
    assert len(server._places) <= 4


def test_the_one_that_was_quiet_longest_goes_first(serve, connect):
    server = serve(limits=Limits(connections=3, **PATIENT))
    clients = []
    for _ in range(3):
        clients.append(connect(server).send(GET))
        assert clients[-1].answer()[0] == 200
        until(lambda: not any(place.busy for place in server._places), "still at work")
    assert clients[0].send(GET).answer()[0] == 200
    until(lambda: not any(place.busy for place in server._places), "still at work")
    assert connect(server).send(GET).answer()[0] == 200
    assert clients[1].ended()
    assert clients[0].send(GET).answer()[0] == 200
    assert clients[2].send(GET).answer()[0] == 200


def test_where_all_are_at_work_a_new_client_is_told_so(serve, connect):
    begun, go_on = threading.Semaphore(0), threading.Event()
    server = serve({"/held": held(begun, go_on)}, limits=Limits(connections=3, **PATIENT))
    working = [connect(server).send("GET /held HTTP/1.1\n\n") for _ in range(3)]
    assert all(begun.acquire(timeout=30) for _ in working)
    client = connect(server).send(GET)
    status, headers, _ = client.answer()
    assert (status, headers["Retry-After"], headers["Connection"]) == (503, "5", "close")
    assert client.ended()
    go_on.set()
    assert [one.answer()[2] for one in working] == [b"done"] * 3
    until(lambda: connect(server).send(GET).answer()[0] == 200, "still refused")


def test_a_flood_while_all_are_at_work_stays_bounded(serve, connect):
    begun, go_on = threading.Semaphore(0), threading.Event()
    server = serve({"/held": held(begun, go_on)}, limits=Limits(connections=2, **PATIENT))
    working = [connect(server).send("GET /held HTTP/1.1\n\n") for _ in range(2)]
    assert all(begun.acquire(timeout=30) for _ in working)
    for _ in range(100):
        connect(server)
        assert len(server._places) <= 2 + 16
        assert sum(t.name.startswith("web-") for t in threading.enumerate()) < 60
    go_on.set()
    assert [one.answer()[2] for one in working] == [b"done"] * 2


def test_a_lack_of_files_is_survived(serve, connect, monkeypatch):
    """The listener answers EMFILE for a while: no busy loop, and afterwards all is well."""
    server = serve()
    listener, failing = server._listener, threading.Event()
    tries = []

    class Lacking:
        def accept(self):
            if failing.is_set():
                tries.append(1)
                raise OSError(errno.EMFILE, "Too many open files")
            return listener.accept()

        def __getattr__(self, name):
            return getattr(listener, name)

    monkeypatch.setattr(server, "_listener", Lacking())
    assert connect(server).send(GET).answer()[0] == 200  # the thread has left the real accept
    failing.set()
    connect(server)  # taken or not
    until(lambda: len(tries) > 2, "not tried again")
    assert len(tries) < 1000
    failing.clear()
    assert connect(server).send(GET).answer()[0] == 200
    monkeypatch.undo()


def test_no_thread_to_be_had_closes_the_connection_and_goes_on(serve, connect, monkeypatch):
    server = serve()
    start = threading.Thread.start

    def fail(thread):
        if thread.name.startswith("web-"):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", fail)
    assert connect(server).ended()
    monkeypatch.undo()
    assert connect(server).send(GET).answer()[0] == 200
    until(lambda: len(server._places) == 1, "a place is lost")
