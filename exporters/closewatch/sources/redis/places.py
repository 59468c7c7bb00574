"""Where the members of a deployment are: written in the configuration, or asked of Sentinels or of a cluster.

What Sentinels and cluster nodes name is followed only where it has the form of an address or a host's name, and at
most 64 of them: the password goes there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from closewatch.core.deadline import Deadline
from closewatch.core.families import Family, Gauge, Sample
from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources.address import LAST_PORT, Address
from closewatch.sources.redis.connection import Connection, Login, Result
from closewatch.sources.redis.rows import text

MAX_MEMBERS = 64
_HOST = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,252}|[0-9A-Fa-f:]{2,39}")
SENTINEL_UP = Gauge("closewatch_redis_sentinel_up", "Whether the Sentinel answered (1) or not (0).", ("member",))
SENTINEL_QUORUM = Gauge(
    "closewatch_redis_sentinel_quorum_ok",
    "Whether the Sentinels that this one reaches could agree on a failover (1) or not (0).",
    ("member",),
)
SENTINEL_MASTER_DOWN = Gauge(
    "closewatch_redis_sentinel_master_down",
    "Whether the Sentinel takes the master for down (1) or not (0).",
    ("member",),
)
FAMILIES: tuple[Family, ...] = (SENTINEL_UP, SENTINEL_QUORUM, SENTINEL_MASTER_DOWN)


class Places(Protocol):
    """Gives the members' addresses for a scrape, each with the part of the cluster that it holds ("" elsewhere)."""

    def find(self, deadline: Deadline) -> Mapping[Address, str]:
        """The members. Raises Unavailable where it can't be known at all."""

    def samples(self) -> list[Sample]:
        """What was seen on the way."""

    def close(self) -> None:
        """Let go of what is held."""


class Written:
    """The members as the configuration names them."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._members = dict.fromkeys(addresses, "")

    def find(self, deadline: Deadline) -> Mapping[Address, str]:  # noqa: ARG002 - nobody is asked
        """As written."""
        return self._members

    def samples(self) -> list[Sample]:
        """None."""
        return []

    def close(self) -> None:
        """Nothing is held."""


class _Held:
    """Connections to those that know the members; one that failed is made again at the next scrape."""

    def __init__(self, login: Login, mode: str) -> None:
        self._login = login
        self._mode = mode
        self._held: dict[Address, Connection] = {}

    def ask(self, address: Address, commands: Sequence[tuple[str, ...]], deadline: Deadline) -> list[Result]:
        """The answers. Raises Unavailable where there is no connection."""
        fresh = address not in self._held
        if fresh:
            self._held[address] = Connection.open(address, self._login, deadline, self._mode)
        results = self._held[address].batch(commands, deadline)
        if self._held[address].closed:
            del self._held[address]
            if not fresh and deadline.left() > 0:
                return self.ask(address, commands, deadline)
        return results

    def close(self) -> None:
        """End them."""
        while self._held:
            self._held.popitem()[1].close()


class Sentinels:
    """The members that Sentinels name for a master. All Sentinels are asked; the first answer counts."""

    def __init__(self, addresses: Sequence[Address], master: str, login: Login) -> None:
        self._addresses = addresses
        self._ask = (("SENTINEL", "MASTER", master), ("SENTINEL", "REPLICAS", master), ("SENTINEL", "CKQUORUM", master))
        self._held = _Held(login, "sentinel")
        self._known: Mapping[Address, str] = {}
        self._samples: list[Sample] = []

    def find(self, deadline: Deadline) -> Mapping[Address, str]:
        """The master and its replicas; the last known ones while no Sentinel answers."""
        self._samples = []
        failure = Unavailable(Reason.UNREACHABLE)
        found: dict[Address, str] = {}
        for number, address in enumerate(self._addresses):
            share = deadline.left() / 2 / (len(self._addresses) - number)
            try:
                named = self._one(address, deadline.sooner(share))
                found = found or named
            except Unavailable as error:
                failure = error
                self._samples.append(SENTINEL_UP(error.reason is Reason.MISSING, member=str(address)))
                continue
        self._known = found or self._known
        if not self._known:
            raise failure
        return self._known

    def _one(self, address: Address, deadline: Deadline) -> dict[Address, str]:
        master, replicas, quorum = self._held.ask(address, self._ask, deadline)
        if master.failure is not None:
            raise master.failure
        member = str(address)
        facts = _fields(master.raw)
        self._samples.append(SENTINEL_UP(True, member=member))
        self._samples.append(SENTINEL_MASTER_DOWN("_down" in facts.get("flags", ""), member=member))
        if quorum.failure is None or quorum.failure.reason is Reason.SERVER_ERROR:
            self._samples.append(SENTINEL_QUORUM(quorum.failure is None, member=member))
        rows = [facts, *(map(_fields, replicas.raw) if isinstance(replicas.raw, list) else ())]
        named = [_address(row.get("ip"), row.get("port")) for row in rows[:MAX_MEMBERS]]
        return dict.fromkeys(filter(None, named), "")

    def samples(self) -> list[Sample]:
        """What each Sentinel said."""
        return self._samples

    def close(self) -> None:
        """End the connections."""
        self._held.close()


class Cluster:
    """The nodes of a cluster, asked of the first seed, or node known from before, that answers."""

    def __init__(self, seeds: Sequence[Address], login: Login) -> None:
        self._seeds = tuple(seeds)
        self._held = _Held(login, "cluster")
        self._known: Mapping[Address, str] = {}

    def find(self, deadline: Deadline) -> Mapping[Address, str]:
        """The nodes that hold slots, and which; the last known ones while none answers."""
        failure = Unavailable(Reason.UNREACHABLE)
        asked = list(dict.fromkeys((*self._seeds, *self._known)))
        for number, address in enumerate(asked):
            try:
                (slots,) = self._held.ask(
                    address, (("CLUSTER", "SLOTS"),), deadline.sooner(deadline.left() / 2 / (len(asked) - number))
                )
                if slots.failure is not None:
                    raise slots.failure
                found = _nodes(slots.raw, address)
            except Unavailable as error:
                failure = error
                continue
            if found:
                self._known = found
                return found
        if self._known:
            return self._known
        raise failure

    def samples(self) -> list[Sample]:
        """None: the collectors of a cluster tell."""
        return []

    def close(self) -> None:
        """End the connections."""
        self._held.close()


def _nodes(raw: Any, seed: Address) -> dict[Address, str]:
    """Nodes by CLUSTER SLOTS; a shard is named by its lowest range, which a failover doesn't change."""
    found: dict[Address, tuple[int, str]] = {}
    try:
        for first, last, *nodes in raw:
            for node in nodes:
                host = text(node[0]) if node[0] is not None else ""
                address = _address(host or seed.host, str(int(node[1])))
                if address is not None:
                    found[address] = min(found.get(address, (1 << 20, "")), (int(first), f"{int(first)}-{int(last)}"))
    except (TypeError, ValueError, IndexError):
        raise Unavailable(Reason.INVALID_ANSWER, "not the form of CLUSTER SLOTS") from None
    return {address: shard for address, (_, shard) in list(found.items())[:MAX_MEMBERS]}


def _fields(raw: Any) -> dict[str, str]:
    """Names and values in turn. Raises Unavailable(invalid_answer)."""
    try:
        return dict(zip(map(text, raw[::2]), map(text, raw[1::2]), strict=True))
    except (TypeError, ValueError):
        raise Unavailable(Reason.INVALID_ANSWER, "not the form of SENTINEL's answers") from None


def _address(host: str | None, port: str | None) -> Address | None:
    """A host and a port, else nothing."""
    good = _HOST.fullmatch(host or "") and (port or "").isdecimal() and 0 < int(port or "") <= LAST_PORT
    return Address(host or "", int(port or "")) if good else None
