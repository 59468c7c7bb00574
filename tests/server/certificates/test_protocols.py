"""The ways to get to TLS: PostgreSQL's request and its direct form on real servers, STARTTLS of SMTP and IMAP."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from closewatch.engines.postgres import PostgresServer
from closewatch.sources.address import address
from closewatch.sources.certificates.places import Endpoint, Protocol
from closewatch.sources.certificates.source import Places
from tests.server.certificates.authority import CA, DAY, Issued
from tests.server.certificates.conftest import Shake, rows_of
from tests.server.certificates.servers import says, tls


def _with_tls(server: PostgresServer, issued: Issued) -> None:
    owner = server.data.stat()
    for name, data in (("server.crt", issued.chain_pem), ("server.key", issued.key_pem)):
        path = server.data / name
        path.write_bytes(data)
        path.chmod(0o600)
        os.chown(path, owner.st_uid, owner.st_gid)
    server.configure(ssl="on")
    server.restart()


def _ask(server: PostgresServer, root: CA, folder: Path, protocol: Protocol) -> dict[str, object]:
    (folder / "root.pem").write_bytes(root.pem)
    endpoint = Endpoint("pg", address(server.address, 5432), ("127.0.0.1",), protocol)
    return rows_of(Places(endpoints=[endpoint], trust=[folder / "root.pem"]))["endpoint", "pg"]


@pytest.mark.pg("<18")  # the embedded PostgreSQL 18 is built without TLS
def test_postgresql_before_and_after_its_certificate_ends(
    new_postgres: Callable[..., PostgresServer], root: CA, middle: CA, tmp_path: Path
) -> None:
    server = new_postgres()
    assert _ask(server, root, tmp_path, "postgresql")["failure"] == "no_tls"
    good = middle.issue()
    _with_tls(server, good)
    row = _ask(server, root, tmp_path, "postgresql")
    assert (row["verified"], row["problems"], row["not_after"]) == (True, (), good.not_after)
    _with_tls(server, middle.issue(end=-DAY / 2))
    row = _ask(server, root, tmp_path, "postgresql")
    assert (row["verified"], row["problems"]) == (False, ("expired",))
    if server.major < 17:  # from then on a handshake without a request is answered too
        assert _ask(server, root, tmp_path, "tls")["failure"] in {"not_tls", "connection_lost", "handshake"}


@pytest.mark.pg(">=17")
def test_postgresql_without_a_request(
    new_postgres: Callable[..., PostgresServer], root: CA, middle: CA, tmp_path: Path
) -> None:
    server = new_postgres()
    if not server.value("postgres", "SELECT setting FROM pg_settings WHERE name = 'ssl_library'"):
        pytest.skip("this PostgreSQL was built without TLS")
    _with_tls(server, middle.issue())
    assert _ask(server, root, tmp_path, "postgresql_direct")["verified"] is True


def test_postgresql_without_a_request_sends_its_protocol(shake: Shake, middle: CA) -> None:
    """As PostgreSQL 17 asks for it: the application protocol `postgresql`."""
    assert shake(tls(middle.issue(), protocols=(b"postgresql",)), protocol="postgresql_direct")["verified"] is True
    assert shake(tls(middle.issue(), protocols=(b"postgresql",)))["not_after"]  # without it, it is still read


def test_smtp(shake: Shake, middle: CA) -> None:
    leaf = middle.issue()
    greeting = (
        b"220-welcome\r\n220 mail\r\n",
        b"250-mail\r\n250-SIZE 1\r\n250-starttls\r\n250 HELP\r\n",
        b"220 go\r\n",
    )
    row = shake(says(*greeting, then=tls(leaf)), protocol="smtp")
    assert (row["verified"], row["not_after"]) == (True, leaf.not_after)


def test_imap(shake: Shake, middle: CA) -> None:
    leaf = middle.issue()
    greeting = (b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n", b"* CAPABILITY IMAP4rev1\r\nc1 OK begin\r\n")
    row = shake(says(*greeting, then=tls(leaf)), protocol="imap")
    assert (row["verified"], row["not_after"]) == (True, leaf.not_after)


def test_behind_a_greeting_it_is_verified_like_any_other(shake: Shake, middle: CA) -> None:
    greeting = (b"* OK ready\r\n", b"c1 OK begin\r\n")
    row = shake(says(*greeting, then=tls(middle.issue("mail.example"))), protocol="imap")
    assert row["problems"] == ("host_mismatch",)
