"""One connection to Redis or Valkey, and a batch of commands in one round trip. redis-py speaks the protocol.

It is given a socket that bounds the whole exchange (see `redissocket`); all commands leave in one write, and one loop
reads the answers. What was answered by the deadline counts; the rest is `timeout`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from redis.connection import Connection as Wire
from redis.exceptions import ResponseError

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.secrets import Secret, SecretError
from closewatch.sources.address import Address
from closewatch.sources.redis.command import Words
from closewatch.sources.redis.errors import reason_of
from closewatch.sources.redis.rows import info
from closewatch.sources.redis.wire import MAX_BYTES, Bounded, TlsFiles, connect, handshake

NAME = "closewatch"
_HELLO: tuple[Words, ...] = (("CLIENT", "SETNAME", NAME), ("INFO", "server"))


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in, and whether by TLS; the password is read again for each connection."""

    user: str | None = None
    password: Secret | None = None
    tls: TlsFiles | None = None


class Result(NamedTuple):
    """What one command gave: its raw answer, or why there is none."""

    raw: Any
    failure: Unavailable | None = None


class _Wire(Wire):
    """redis-py's connection on a bounded socket."""

    def __init__(self, address: Address, login: Login, deadline: Deadline, **parameters: Any) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            host=address.host, port=address.port, protocol=2, **parameters
        )
        # It would introduce itself by two more round trips; which attributes say so differs by version.
        vars(self).update(driver_info=None, lib_name=None, lib_version=None)
        self._address, self._login, self.deadline = address, login, deadline
        self.bounded: Bounded | None = None

    def _connect(self) -> Bounded:
        plain = connect(self._address, self.deadline)
        try:
            if self._login.tls is not None:
                plain = handshake(plain, self._login.tls.context(), self._address, self.deadline)
        except BaseException:
            plain.close()
            raise
        self.bounded = Bounded(plain)
        self.bounded.deadline = self.deadline
        return self.bounded


@dataclass(slots=True)
class Connection:
    """An open session, for one thread at a time; closed for good after any fault. `version` is 70015 for 7.0.15."""

    wire: _Wire
    version: int = 0
    round_trips: int = 0
    closed: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def open(cls, address: Address, login: Login, deadline: Deadline, mode: str = "") -> Connection:
        """Connect, log in and see which version it is, and that its mode is as expected (sentinel, or anything else).

        Raises Unavailable; never blocks longer than the deadline.
        """
        parameters: dict[str, str] = {}
        if login.password is not None:
            try:
                parameters["password"] = login.password.read()
            except SecretError as error:
                raise Unavailable(Reason.SECRET, str(error)) from None
        if login.user is not None:
            parameters["username"] = login.user
        wire = _Wire(address, login, deadline, **parameters)
        made = cls(wire)
        try:
            wire.connect()  # type: ignore[no-untyped-call]  # redis-py has types for what is above this layer
            _, said = made.batch(_HELLO, deadline)
            made.version = version_number(said, mode)
        except Exception as error:  # noqa: BLE001 - a hostile answer can break a parser in any way
            made.close()
            raise reason_of(error) from None
        return made

    def batch(self, commands: Sequence[Words], deadline: Deadline) -> list[Result]:
        """Ask all, in one round trip; one result for each command, in order. Raises nothing.

        A fault of the connection is the result of every command that it left without an answer, and closes it.
        """
        results: list[Result] = []
        bounded = self.wire.bounded
        if bounded is None or self.closed:
            return [Result(None, Unavailable(Reason.CONNECTION_LOST))] * len(commands)
        try:
            bounded.deadline, bounded.left = deadline, MAX_BYTES
            packed = self.wire.pack_commands(commands)  # type: ignore[no-untyped-call]
            self.wire.send_packed_command(packed, check_health=False)  # type: ignore[no-untyped-call]
            self.round_trips += 1
            while len(results) < len(commands):
                results.append(self._receive())
        except Exception as error:  # noqa: BLE001 - whatever a broken or hostile server brings about in a parser
            self.close()
            fault = reason_of(error)
            results += [Result(None, fault)] * (len(commands) - len(results))
        return results

    def _receive(self) -> Result:
        try:
            return Result(self.wire.read_response(disable_decoding=True, disconnect_on_error=False))
        except ResponseError as error:
            return Result(None, reason_of(error))

    def close(self) -> None:
        """End the session."""
        with self._lock:
            self.closed = True
            with contextlib.suppress(Exception):
                self.wire.disconnect()  # type: ignore[no-untyped-call]


def version_number(said: Result, mode: str = "") -> int:
    """70015 for Redis 7.0.15; Valkey says with which Redis it is compatible. Raises Unavailable."""
    if said.failure is not None:
        raise said.failure
    try:
        row = info(said.raw)[0]
        if (row.get("redis_mode", row.get("server_mode")) == "sentinel") != (mode == "sentinel"):
            raise Unavailable(Reason.INVALID_ANSWER, "a Sentinel where a server is configured, or the other way round")
        parts = [int(part) for part in row["redis_version"].split(".")[:3]]
        return sum(part * factor for part, factor in zip(parts, (10_000, 100, 1), strict=False))
    except (KeyError, ValueError, TypeError):
        raise Unavailable(Reason.INVALID_ANSWER, "not Redis or Valkey") from None
