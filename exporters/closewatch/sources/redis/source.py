"""How Redis and Valkey are asked: a deployment, by one held connection a member and one round trip a scrape.

A deployment is a server, a master with its replicas, or a cluster. Which member is a master is measured at each
scrape: of a single master the facts carry no member, so that they survive a failover; of a cluster's masters they
carry `shard`, the slots that it serves.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from closewatch.core.collectors import Answer, Collector, On, Row
from closewatch.core.deadline import Deadline
from closewatch.core.families import Family, Gauge, Sample
from closewatch.core.labels import clean
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.source import Outcome, Reply
from closewatch.sources.address import Address
from closewatch.sources.redis.connection import Login
from closewatch.sources.redis.knock import knock_all
from closewatch.sources.redis.member import Asked, Member
from closewatch.sources.redis.places import FAMILIES as PLACES_FAMILIES
from closewatch.sources.redis.places import Places

INFO = Gauge(
    "closewatch_redis_info",
    "What the deployment is used for, as configured, and what runs there; always 1, also while it is down.",
    ("use", "server", "version"),
)
MEMBERS = Gauge(
    "closewatch_redis_members", "Members of the deployment by the role that they said they have.", ("role",)
)
MEMBER_UP = Gauge("closewatch_redis_member_up", "Whether the member answered (1) or not (0).", ("member",))
FAMILIES: tuple[Family, ...] = (INFO, MEMBERS, MEMBER_UP, *PLACES_FAMILIES)
OUTSIDE = "outside"
"""What a collector of the knocks from outside applies to."""
CLUSTER = "cluster"
MAX_THREADS = 16


@dataclass(frozen=True, slots=True)
class Access:
    """How a deployment is reached.

    `names` fills in what commands leave open; `without` are commands that are not sent, in small letters; `outside`
    are addresses to knock at; `use` is the label of closewatch_redis_info.
    """

    login: Login
    use: str
    names: dict[str, str] = field(default_factory=dict)
    without: frozenset[str] = frozenset()
    outside: tuple[Address, ...] = ()
    cluster: bool = False


class Deployment:
    """The members of a deployment as one target."""

    def __init__(self, access: Access, places: Places) -> None:
        self._access = access
        self._places = places
        self._members: dict[Address, Member] = {}
        self._master: Address | None = None
        self._product = ("", "")
        self._threads: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def ask(self, collectors: Sequence[Collector], deadline: Deadline) -> Reply:
        """Ask every member what its role can answer; all members at once."""
        with self._lock:
            try:
                places = self._places.find(deadline)
            except Unavailable as failure:
                return Reply({}, failure, self._samples({}))
            without = {OUTSIDE} if self._access.cluster else {OUTSIDE, CLUSTER}
            mine = [one for one in collectors if one.applies not in without]
            asked = self._ask_members(mine, places, deadline)
            masters = self._masters(asked)
            for address, one in asked.items():
                one.place["speaks"] = address in masters
            outcomes = {one.name: self._outcome(one, asked) for one in mine}
            for collector in collectors:
                if collector.applies == OUTSIDE and self._access.outside:
                    outcomes[collector.name] = self._knocks(deadline)
            return Reply(outcomes, self._down(asked), self._samples(asked))

    def _ask_members(
        self, collectors: Sequence[Collector], places: Mapping[Address, str], deadline: Deadline
    ) -> dict[Address, Asked]:
        for gone in self._members.keys() - places.keys():
            self._members.pop(gone).close()
        for address in places.keys() - self._members.keys():
            self._members[address] = Member(address, self._access.login, self._access.names, self._access.without)
        if len(places) == 1:
            ((address, shard),) = places.items()
            return {address: self._members[address].ask(collectors, shard, deadline)}
        if self._threads is None:
            self._threads = ThreadPoolExecutor(MAX_THREADS, "redis")
        futures = {
            address: self._threads.submit(self._members[address].ask, collectors, shard, deadline)
            for address, shard in places.items()
        }
        return {address: future.result() for address, future in futures.items()}

    def _masters(self, asked: Mapping[Address, Asked]) -> list[Address]:
        """The masters; outside of a cluster only one counts, the one from before if it still is one."""
        found = [address for address, one in asked.items() if one.role is On.PRIMARY]
        if self._access.cluster or len(found) < 2:  # noqa: PLR2004 - more than one
            return found
        return [self._master] if self._master in found else found[:1]

    def _outcome(self, collector: Collector, asked: Mapping[Address, Asked]) -> Outcome:
        masters = self._masters(asked)
        total = Outcome()
        for address, one in asked.items():
            found = one.outcomes.get(collector.name)
            if found is not None and (collector.on is not On.PRIMARY or address in masters):
                total.answers += found.answers
                total.failure = total.failure or found.failure
                total.seconds = max(total.seconds, found.seconds)
        if not total.answers and total.failure is None and collector.on is not On.STANDBY and not masters:
            total.failure = next((one.down for one in asked.values() if one.down), Unavailable(Reason.NO_PRIMARY))
        return total

    def _down(self, asked: Mapping[Address, Asked]) -> Unavailable | None:
        masters = self._masters(asked)
        if masters:
            self._master = masters[0]
            return next((asked[one].down for one in masters if asked[one].down), None)
        silent = next((one.down for one in asked.values() if one.down), None)
        return silent or Unavailable(Reason.NO_PRIMARY)

    def _samples(self, asked: Mapping[Address, Asked]) -> list[Sample]:
        master = asked.get(self._master) if self._master is not None else None
        if master is not None and master.facts:
            self._product = _product(master.facts)
        server, version = self._product
        samples = [INFO(1, use=self._access.use, server=server, version=version)]
        roles = [one.role for one in asked.values()]
        for role, label in ((On.PRIMARY, "master"), (On.STANDBY, "replica"), (None, "unreachable")):
            samples.append(MEMBERS(roles.count(role) if asked else None, role=label))
        samples += [MEMBER_UP(one.role is not None, member=str(address)) for address, one in asked.items()]
        return [*samples, *self._places.samples()]

    def _knocks(self, deadline: Deadline) -> Outcome:
        began = time.monotonic()
        try:
            answers = knock_all(self._access.outside, deadline)
        except Unavailable as failure:
            return Outcome(failure=failure)
        rows: list[Row] = [{"member": str(address), "open": said} for address, said in answers.items()]
        return Outcome([Answer({"main": rows}, asked_at=time.time())], seconds=time.monotonic() - began)

    def close(self) -> None:
        """End the held connections, after a scrape that is under way."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            self._places.close()
            for member in self._members.values():
                member.close()


def _product(facts: Row) -> tuple[str, str]:
    """Which server it is and its own version: Valkey's redis_version is that of the Redis it can stand in for."""
    if facts.get("server_name") == "valkey" or "valkey_version" in facts:
        return "valkey", clean(str(facts.get("valkey_version", "")))[:20]
    return "redis", clean(str(facts.get("redis_version", "")))[:20]
