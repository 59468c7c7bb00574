"""Basic auth over real sockets."""

from __future__ import annotations

import base64
import threading

import bcrypt
import pytest

from closewatch.core.web import Limits
from closewatch.core.web.auth import BasicAuth
from tests.server.web.conftest import until


def hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


def ask(password: str, path: str = "/", user: str = "prometheus") -> str:
    login = base64.b64encode(f"{user}:{password}".encode()).decode()
    return f"GET {path} HTTP/1.1\nAuthorization: Basic {login}\n\n"


@pytest.fixture
def web_config(tmp_path):
    path = tmp_path / "web.yml"
    path.write_text(f"basic_auth_users: {{prometheus: '{hashed('right')}'}}\n")
    return path


def test_who_has_the_password_gets_in_and_is_authenticated(serve, connect, web_config):
    client = connect(serve(web_config=web_config))
    status, headers, body = client.send("GET / HTTP/1.1\n\n").answer()
    assert (status, body) == (401, b"log in with user and password\n")
    assert headers["WWW-Authenticate"] == 'Basic realm="closewatch", charset="UTF-8"'
    assert client.send(ask("wrong")).answer()[0] == 401
    assert client.send(ask("right", user="nobody")).answer()[0] == 401
    assert client.send(ask("right")).answer()[2].endswith(b"True, True]")


def test_without_a_login_no_path_and_no_method_can_be_told(serve, connect, web_config):
    client = connect(serve(web_config=web_config))
    for line in ("GET /no", "POST /", "GET /-/reload", "POST /-/reload", "GET /?" + "a&" * 300):
        assert client.send(f"{line} HTTP/1.1\n\n").answer()[0] == 401
    assert client.send(ask("right", "/no")).answer()[0] == 404


def test_a_changed_password_works_without_restart_on_open_connections(serve, connect, web_config):
    server = serve(web_config=web_config)
    client = connect(server)
    assert client.send(ask("right")).answer()[0] == 200
    new = web_config.with_suffix(".new")
    new.write_text(f"basic_auth_users: {{prometheus: '{hashed('second')}'}}\n")
    new.rename(web_config)
    assert client.send(ask("right")).answer()[0] == 401
    assert client.send(ask("second")).answer()[0] == 200
    assert server.web_config_ok


def test_a_bad_new_file_keeps_the_old_password_and_is_told(serve, connect, web_config):
    server = serve(web_config=web_config)
    client = connect(server)
    web_config.write_text("")
    assert client.send(ask("right")).answer()[0] == 200
    assert client.send("GET / HTTP/1.1\n\n").answer()[0] == 401
    assert not server.web_config_ok
    web_config.write_text(f"basic_auth_users: {{prometheus: '{hashed('third')}'}}\n")
    assert server.web_config_ok
    assert client.send(ask("third")).answer()[0] == 200


def test_who_is_known_is_served_while_others_guess(serve, connect, web_config):
    """With every place taken by a login that waits to be checked, the one who scrapes still gets an answer."""
    server = serve(web_config=web_config, limits=Limits(connections=8, idle=60, head=60))
    inside, go_on = threading.Event(), threading.Event()

    def check(password: bytes, stored: bytes) -> bool:
        if password != b"right":
            inside.set()
            assert go_on.wait(60)
        return bcrypt.checkpw(password, stored)

    server.basic_auth = BasicAuth(check=check, wait_seconds=60)
    assert connect(server).send(ask("right")).answer()[0] == 200
    guessing = [connect(server).send(ask(f"guess {number}")) for number in range(8)]
    assert inside.wait(30)
    until(lambda: len(server._places) == 8, "not all are taken")
    for _ in range(20):
        assert connect(server).send(ask("right")).answer()[0] == 200
    go_on.set()
    assert all(client.ended_or_refused() for client in guessing)


def test_headers_of_the_file_are_on_every_answer(serve, connect, tmp_path):
    path = tmp_path / "web.yml"
    path.write_text(
        f"basic_auth_users: {{prometheus: '{hashed('right')}'}}\n"
        "http_server_config: {headers: {X-Frame-Options: deny, Strict-Transport-Security: max-age=1}}\n"
    )
    client = connect(serve(web_config=path))
    for request, status in ((ask("right"), 200), ("GET / HTTP/1.1\n\n", 401), (ask("right", "/no"), 404)):
        found, headers, _ = client.send(request).answer()
        assert (found, headers["X-Frame-Options"]) == (status, "deny")
        assert headers["Strict-Transport-Security"] == "max-age=1"
