"""TLS and client certificates over real sockets."""

from __future__ import annotations

import contextlib
import socket
import ssl
from pathlib import Path

import pytest

from closewatch.core.web import Limits, Server
from tests.server.web.certificates import Authority
from tests.server.web.conftest import until

GET = "GET / HTTP/1.1\nHost: localhost\n\n"


@pytest.fixture
def authority(tmp_path) -> Authority:
    made = Authority(tmp_path, "authority")
    made.issue("tls", "localhost", "127.0.0.1")
    made.issue("client", "prometheus.example.org", "spiffe://example/prometheus")
    return made


@pytest.fixture
def web_config(tmp_path, authority) -> Path:
    path = tmp_path / "web.yml"
    path.write_text("tls_server_config: {cert_file: tls.crt, key_file: tls.key}\n")
    return path


@pytest.fixture
def mutual(tmp_path, authority) -> Path:
    path = tmp_path / "web.yml"
    path.write_text(
        "tls_server_config:\n  cert_file: tls.crt\n  key_file: tls.key\n"
        "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: authority.crt\n"
    )
    return path


def plain(server: Server) -> socket.socket:
    host, _, port = server.address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=30)


@pytest.fixture
def secured():
    """Connects by TLS: `secured(server, authority, certificate=("client.crt", "client.key"))`."""
    with contextlib.ExitStack() as stack:

        def make(server: Server, authority: Authority, **options) -> ssl.SSLSocket:
            context = ssl.create_default_context(cafile=authority.path)
            context.maximum_version = options.get("version", ssl.TLSVersion.TLSv1_3)
            if "minimum" in options:
                context.minimum_version = options["minimum"]
            if certificate := options.get("certificate"):
                context.load_cert_chain(*certificate)
            sock = stack.enter_context(plain(server))
            return stack.enter_context(context.wrap_socket(sock, server_hostname="localhost"))

        yield make


def test_requests_by_tls(serve, connect, secured, web_config, authority):
    server = serve(web_config=web_config)
    assert server.url.startswith("https://127.0.0.1:")
    client = connect(server, sock := secured(server, authority))
    assert sock.version() == "TLSv1.3"
    for _ in range(3):
        assert client.send(GET).answer()[2].endswith(b"False, True]")


def test_an_old_version_is_refused(serve, secured, web_config, authority):
    server = serve(web_config=web_config)
    with pytest.warns(DeprecationWarning, match="TLSv1"), pytest.raises((ssl.SSLError, ConnectionError)):
        secured(server, authority, version=ssl.TLSVersion.TLSv1_1, minimum=ssl.TLSVersion.TLSv1)


def test_http_to_a_tls_port_is_told_so(serve, connect, web_config):
    status, _, body = connect(serve(web_config=web_config)).send(GET).answer()
    assert (status, body) == (400, b"this is HTTP to a TLS port: use https://\n")


@pytest.mark.parametrize("begun", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01", b"\x16" + b"\xff" * 100])
def test_a_handshake_that_is_not_finished_blocks_nobody_and_is_ended(
    serve, connect, secured, web_config, authority, begun
):
    server = serve(web_config=web_config, limits=Limits(handshake=1.0))
    stuck = [connect(server) for _ in range(10)]
    for client in stuck:
        client.socket.sendall(begun)
    assert connect(server, secured(server, authority)).send(GET).answer()[0] == 200
    for client in stuck:
        assert client.ended_or_refused()
    until(lambda: len(server._places) <= 1, "a place is still taken")


def test_handshakes_that_hang_make_room(serve, connect, secured, web_config, authority):
    server = serve(web_config=web_config, limits=Limits(connections=4, handshake=60, idle=60, head=60))
    stuck = [connect(server) for _ in range(4)]
    until(lambda: len(server._places) == 4, "not all are taken")
    for _ in range(5):
        assert connect(server, secured(server, authority)).send(GET).answer()[0] == 200
    assert all(client.ended() for client in stuck)


def test_a_rotated_certificate_is_used_for_new_connections(serve, connect, secured, web_config, authority):
    server = serve(web_config=web_config)
    before = connect(server, first := secured(server, authority))
    authority.issue("tls", "localhost")
    second = secured(server, authority)
    assert server.web_config_ok
    assert first.getpeercert() != second.getpeercert()
    assert before.send(GET).answer()[0] == 200
    assert connect(server, second).send(GET).answer()[0] == 200


def test_a_bad_new_certificate_keeps_the_old_one(serve, secured, web_config, authority, tmp_path):
    server = serve(web_config=web_config)
    first = secured(server, authority).getpeercert()
    (tmp_path / "tls.crt").write_text("not a certificate")
    assert secured(server, authority).getpeercert() == first
    assert not server.web_config_ok


def test_a_client_certificate_is_asked_for_and_makes_authenticated(
    serve, connect, secured, mutual, authority, tmp_path
):
    server = serve(web_config=mutual)
    sock = secured(server, authority, certificate=(tmp_path / "client.crt", tmp_path / "client.key"))
    assert connect(server, sock).send(GET).answer()[2].endswith(b"True, True]")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_without_a_client_certificate_nobody_gets_in(serve, connect, secured, mutual, authority, version):
    server = serve(web_config=mutual)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        connect(server, secured(server, authority, version=version)).send(GET).answer()


def test_a_certificate_of_another_authority_does_not_get_in(serve, connect, secured, mutual, authority, tmp_path):
    (tmp_path / "other").mkdir()
    files = Authority(tmp_path / "other", "authority").issue("client", "prometheus.example.org")
    server = serve(web_config=mutual)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        connect(server, secured(server, authority, certificate=files)).send(GET).answer()


@pytest.mark.parametrize(
    ("allowed", "status"), [("spiffe://example/prometheus", 200), ("prometheus.example.org", 200), ("example.org", 403)]
)
def test_only_allowed_names_get_in(serve, connect, secured, mutual, authority, tmp_path, allowed, status):
    mutual.write_text(mutual.read_text() + f"  client_allowed_sans: ['{allowed}']\n")
    server = serve(web_config=mutual)
    sock = secured(server, authority, certificate=(tmp_path / "client.crt", tmp_path / "client.key"))
    assert connect(server, sock).send(GET).answer()[0] == status


def test_a_connection_without_certificate_ends_when_one_is_asked_for_from_now_on(
    serve, connect, secured, web_config, authority
):
    server = serve(web_config=web_config)
    client = connect(server, secured(server, authority)).send(GET)
    assert client.answer()[0] == 200
    web_config.write_text(
        "tls_server_config:\n  cert_file: tls.crt\n  key_file: tls.key\n"
        "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: authority.crt\n"
    )
    status, headers, _ = client.send(GET).answer()
    assert (status, headers["Connection"]) == (403, "close")


def test_a_certificate_if_given_counts_and_none_is_needed(serve, connect, secured, mutual, authority, tmp_path):
    mutual.write_text(mutual.read_text().replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven"))
    server = serve(web_config=mutual)
    assert connect(server, secured(server, authority)).send(GET).answer()[2].endswith(b"False, True]")
    sock = secured(server, authority, certificate=(tmp_path / "client.crt", tmp_path / "client.key"))
    assert connect(server, sock).send(GET).answer()[2].endswith(b"True, True]")
