"""TLS to a server: who is trusted, and what is said when nobody is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from closewatch.engines.process import EngineError
from closewatch.engines.redis import RedisBinary, RedisServer, find_redis
from tests.fixtures.redis import target
from tests.fixtures.servers import missing
from tests.fixtures.watch import Watched
from tests.server.web.certificates import Authority

Watching = Callable[..., Watched]
NewRedis = Callable[..., RedisServer]


def start(server: RedisServer, authority: Authority, port: int) -> bool:
    """Whether the server could be started with a TLS port: not all are built with TLS."""
    certificate, key = authority.issue("server", "localhost", "127.0.0.1")
    for path, name in ((certificate, "tls-cert-file"), (key, "tls-key-file"), (authority.path, "tls-ca-cert-file")):
        (server.data / name).write_bytes(path.read_bytes())
        (server.data / name).chmod(0o644)
        server.settings[name] = str(server.data / name)
    server.settings.update({"port": str(port), "tls-port": str(server.port), "tls-auth-clients": "no"})
    server.settings["user"] = "closewatch on nopass +@all"
    server.start(wait=False)
    process = server.process
    assert process is not None
    try:
        process.wait_ready(lambda: "Ready to accept connections" in process.log_tail(50), 15)
    except EngineError:
        return False
    return True


@pytest.fixture
def tls_server(
    new_redis: NewRedis, tmp_path: Path, pytestconfig: pytest.Config
) -> Callable[[int], tuple[RedisServer, Authority]]:
    """Makes a server with a TLS port, and a plain one beside it (0 is none)."""

    def make(port: int) -> tuple[RedisServer, Authority]:
        authority = Authority(tmp_path)
        binaries: list[RedisBinary] = find_redis()
        for binary in binaries:
            server = new_redis({}, binary)
            if start(server, authority, port):
                return server, authority
        return missing(pytestconfig, "no Redis or Valkey server here was built with TLS")

    return make


def test_who_is_trusted(
    tls_server: Callable[[int], tuple[RedisServer, Authority]], watching: Watching, tmp_path: Path
) -> None:
    server, authority = tls_server(0)
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "Somebody else")

    def ask(**tls: object) -> tuple[bool, str]:
        facts = watching(target(server, tls=tls or None)).ask("sessions", timeout=3)
        return facts.up, facts.reason

    assert ask(ca=str(authority.path)) == (True, "")
    assert ask(ca=str(stranger.path)) == (False, "tls")
    assert ask(verify="none") == (True, "")
    assert ask(ca=str(tmp_path / "no-such-file")) == (False, "tls")
    assert ask() in {(False, "connection_lost"), (False, "timeout"), (False, "invalid_answer")}
    facts = watching(target(server, tls={"ca": str(authority.path)}, outside=[server.address])).ask("sessions")
    assert facts.one("redis_exposed", exposure="plain_port_beside_tls") == 0
    assert facts.one("redis_answers_strangers") == 0, "it wants TLS first"


def test_plain_port_beside_tls_is_told(
    tls_server: Callable[[int], tuple[RedisServer, Authority]], watching: Watching, new_redis: NewRedis
) -> None:
    server, authority = tls_server(new_redis().port)
    facts = watching(target(server, tls={"ca": str(authority.path)})).ask("sessions")
    assert facts.one("redis_exposed", exposure="plain_port_beside_tls") == 1
