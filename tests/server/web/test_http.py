"""Requests over real sockets: what is answered, what is refused, and that nothing can be slipped past."""

from __future__ import annotations

import errno
import json
import logging
import socket
import threading

import pytest

from closewatch.core.web import Response, Server
from tests.server.web.conftest import until

GET = "GET / HTTP/1.1\nHost: localhost\n\n"


def test_a_request_and_its_answer(serve, connect):
    status, headers, body = connect(serve()).send("GET /?a=1&b=&a=%20x HTTP/1.1\nHost: localhost\n\n").answer()
    assert status == 200
    assert body.decode() == repr(["GET", "/", {"a": ["1", " x"], "b": [""]}, False, True])
    assert headers.pop("Date").endswith("GMT")
    assert headers == {
        "Content-Type": "text/plain",
        "Content-Length": str(len(body)),
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }


def test_a_connection_is_kept_and_requests_may_come_at_once(serve, connect):
    client = connect(serve()).send(GET)
    assert client.answer()[0] == 200
    client.send(GET * 3)
    assert [client.answer()[0] for _ in range(3)] == [200, 200, 200]
    client.send("GET / HTTP/1.1\nConnection: close\n\n")
    status, headers, _ = client.answer()
    assert (status, headers["Connection"]) == (200, "close")
    assert client.ended()


def test_http_1_0_ends_the_connection_unless_asked_otherwise(serve, connect):
    server = serve()
    client = connect(server).send("GET / HTTP/1.0\n\n")
    assert client.answer()[1]["Connection"] == "close"
    assert client.ended()
    client = connect(server).send("GET / HTTP/1.0\nConnection: keep-alive\n\n")
    assert client.answer()[1]["Connection"] == "keep-alive"
    assert client.send(GET).answer()[0] == 200


def test_head_has_the_headers_of_get_and_no_body(serve, connect):
    client = connect(serve()).send("HEAD /x HTTP/1.1\n\n")
    assert client.answer(head=True)[0] == 404
    client.send("HEAD / HTTP/1.1\n\n")
    status, headers, _ = client.answer(head=True)
    assert (status, int(headers["Content-Length"]) > 0) == (200, True)
    assert client.send(GET).answer()[0] == 200


@pytest.mark.parametrize(
    ("request_line", "status", "allow"),
    [
        ("GET /no", 404, None),
        ("GET //", 200, None),
        ("GET /.", 404, None),
        ("GET /%2F", 404, None),
        ("DELETE /no", 404, None),
        ("POST /", 405, "GET, HEAD"),
        ("PUT /", 405, "GET, HEAD"),
        ("OPTIONS /", 405, "GET, HEAD"),
        ("get /", 405, "GET, HEAD"),
        ("POST /-/reload", 200, None),
        ("GET /-/reload", 405, "POST"),
        ("HEAD /-/reload", 405, "POST"),
        ("GET http://localhost/", 200, None),
        ("GET http://[x/", 400, None),
        ("GET /?" + "&".join(f"a{n}=1" for n in range(200)), 400, None),
        ("CONNECT localhost:1", 404, None),
    ],
)
def test_paths_and_methods(serve, connect, request_line, status, allow):
    method = request_line.split()[0]
    client = connect(serve()).send(f"{request_line} HTTP/1.1\n\n")
    found = client.answer(head=method == "HEAD")
    assert (found[0], found[1].get("Allow")) == (status, allow)


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET /\n\n", 400),
        ("\x16\x03\x01\n\n", 400),
        ("GET / HTTP/x\n\n", 400),
        ("GET / HTTP/2.0\n\n", 505),
        ("PRI * HTTP/2.0\n\nSM\n\n", 505),
        ("GET  /  x HTTP/1.1\n\n", 400),
        (f"GET /{'x' * 9_000} HTTP/1.1\n\n", 414),
        ("GET / HTTP/1.1\n" + "A: b\n" * 101 + "\n", 431),
        (f"GET / HTTP/1.1\nA: {'x' * 70_000}\n\n", 431),
        ("GET / HTTP/1.1\n" + f"A: {'x' * 9_000}\n" * 10 + "\n", 431),
        ("GET / HTTP/1.1\nno colon\nContent-Length: 5\n\nabcde", 400),
        ("GET / HTTP/1.1\n folded: first\n\n", 400),
        ("GET / HTTP/1.1\nContent-Length : 5\n\nabcde", 400),
        ("GET / HTTP/1.1\nContent-Length: 5\nContent-Length: 6\n\nabcde", 400),
        ("GET / HTTP/1.1\nContent-Length: -5\n\n", 400),
        ("GET / HTTP/1.1\nContent-Length: 0x5\n\n", 400),
        ("GET / HTTP/1.1\nContent-Length: 5, 5\n\n", 400),
        (f"GET / HTTP/1.1\nContent-Length: {'9' * 5_000}\n\n", 413),
        ("GET / HTTP/1.1\nContent-Length: 40000\n\n", 413),
    ],
)
def test_what_is_not_a_proper_request_is_refused_and_ends_the_connection(serve, connect, request_text, status):
    client = connect(serve()).send(request_text)
    found, headers, body = client.answer()
    assert (found, headers["Connection"], headers["Content-Type"]) == (status, "close", "text/plain; charset=utf-8")
    assert b"Python" not in body
    assert client.ended()


def test_an_answer_arrives_though_much_of_the_request_was_not_read(serve, connect):
    client = connect(serve()).send("POST / HTTP/1.1\nContent-Length: 30001\n\n" + "x" * 30_001)
    assert client.answer()[0] == 405
    client.send("POST / HTTP/1.1\nContent-Length: 40000\n\n" + "x" * 40_000)
    assert client.answer()[0] == 413
    assert client.ended()


def test_a_body_is_dropped_and_not_taken_for_the_next_request(serve, connect):
    client = connect(serve()).send(f"POST /-/reload HTTP/1.1\nContent-Length: {len(GET) + 3}\n\n" + GET)
    assert client.answer()[0] == 200
    assert client.send("GET /no HTTP/1.1\n\n").answer()[0] == 404


def test_a_chunked_body_ends_the_connection_with_the_answer(serve, connect):
    client = connect(serve()).send("POST /-/reload HTTP/1.1\nTransfer-Encoding: chunked\n\n5\nabcde\n0\n\n" + GET)
    status, headers, _ = client.answer()
    assert (status, headers["Connection"]) == (200, "close")
    assert client.ended()


def test_a_client_that_waits_for_leave_to_send_its_body_gets_its_answer(serve, connect):
    client = connect(serve()).send("POST /no HTTP/1.1\nExpect: 100-continue\nContent-Length: 2\n\nab")
    assert client.answer()[0] == 404


def test_a_reload_asked_for_by_a_page_of_another_site_is_refused(serve, connect):
    client = connect(serve())
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)):
        assert client.send(f"POST /-/reload HTTP/1.1\nSec-Fetch-Site: {site}\n\n").answer()[0] == status


@pytest.mark.parametrize("header", ["X-Forwarded-For: 127.0.0.1", "Forwarded: for=::1", "Host: example.org"])
def test_who_speaks_for_another_is_not_on_loopback(serve, connect, header):
    assert connect(serve()).send(f"GET / HTTP/1.1\n{header}\n\n").answer()[2].endswith(b"False, False]")


def test_a_route_that_fails_gives_our_words_and_the_log_the_rest(serve, connect, caplog):
    def fail(_request):
        raise ValueError("text of the route")

    client = connect(serve({"/fail": fail})).send("GET /fail HTTP/1.1\n\n")
    with caplog.at_level(logging.ERROR):
        status, _, body = client.answer()
    assert (status, body) == (500, b"an error in closewatch: see its log\n")
    assert client.send(GET).answer()[0] == 200


def test_headers_of_a_route_can_not_break_the_answer(serve, connect):
    def route(_request):
        return Response(200, "text/html", b"x", {"Content-Security-Policy": "a\r\nSet-Cookie: b", "X-Name": "é\u2028"})

    _, headers, body = connect(serve({"/r": route})).send("GET /r HTTP/1.1\n\n").answer()
    assert headers["Content-Security-Policy"] == "a\\r\\nSet-Cookie: b"
    assert "Set-Cookie" not in headers
    assert body == b"x"


def test_many_clients_at_once(serve, connect):
    server = serve()
    clients = [connect(server) for _ in range(60)]
    for client in clients:
        client.send(GET)
    assert [client.answer()[0] for client in clients] == [200] * 60


def test_a_large_answer_arrives_whole(serve, connect):
    data = json.dumps(list(range(500_000))).encode()
    server = serve({"/large": lambda _: Response(200, "application/json", data)})
    assert connect(server).send("GET /large HTTP/1.1\n\n").answer()[2] == data


@pytest.mark.parametrize(
    ("listen", "shown"),
    [("127.0.0.1:0", "127.0.0.1:"), ("localhost:0", ":"), ("[::1]:0", "[::1]:"), (":0", ":"), ("[::]:0", "[::]:")],
)
def test_addresses(serve, connect, listen, shown):
    server = serve(listen=listen)
    assert server.address.startswith(shown) or listen in ("localhost:0", ":0")
    assert not server.address.endswith(":0")
    assert server.url == f"http://{server.address}"
    assert connect(server).send(GET).answer()[0] == 200


def test_without_a_host_both_families_are_served(serve, connect):
    server = serve(listen=":0")
    port = server.address.rpartition(":")[2]
    for host in ("127.0.0.1", "::1"):
        client = connect(server, socket.create_connection((host, int(port)), timeout=30))
        assert client.send(GET).answer()[2].endswith(b"False, True]")


@pytest.mark.parametrize(
    "listen", ["", "10187", "localhost", "::1:10187", "localhost:x", "localhost:70000", "localhost:"]
)
def test_what_is_not_an_address_is_refused(listen):
    with pytest.raises(OSError, match="expected HOST:PORT"):
        Server(listen, {})


def test_an_address_in_use_is_an_os_error(serve):
    with pytest.raises(OSError, match="in use") as caught:
        Server(serve().address, {})
    assert caught.value.errno == errno.EADDRINUSE


def test_the_end_waits_for_a_request_at_work_and_ends_idle_ones(serve, connect):
    begun, go_on = threading.Event(), threading.Event()

    def slow(_request):
        begun.set()
        assert go_on.wait(30)
        return Response(200, "text/plain", b"done")

    server = serve({"/slow": slow})
    idle, working = connect(server).send(GET), connect(server)
    assert idle.answer()[0] == 200
    working.send("GET /slow HTTP/1.1\n\n")
    assert begun.wait(30)
    stopper = threading.Thread(target=server.stop)
    stopper.start()
    assert idle.ended()
    until(lambda: server.stopping, "the server does not stop")
    go_on.set()
    status, headers, body = working.answer()
    assert (status, headers["Connection"], body) == (200, "close", b"done")
    stopper.join(30)
    assert not stopper.is_alive()
    with pytest.raises(OSError, match="refused"):
        connect(server)


def test_a_server_that_was_never_started_can_be_stopped():
    server = Server("127.0.0.1:0", {})
    server.stop()
