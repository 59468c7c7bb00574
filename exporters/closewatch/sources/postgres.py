"""How PostgreSQL is asked: a cluster by one held connection a member, a database by a short visit.

A kept session on an Odoo database breaks Odoo's own duplicate, rename and drop, so only the maintenance database's
session is held; databases are visited: open, one batch, close, few at once on a server.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import structlog

from closewatch.core.collectors import Collector, On
from closewatch.core.deadline import Deadline
from closewatch.core.families import Family, Gauge, Sample
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.secrets import Secret, SecretError
from closewatch.core.source import Outcome, Reply
from closewatch.sources.dblocks import LOCKED, DatabaseLocks
from closewatch.sources.pgbatch import Asked, ask_all, chosen
from closewatch.sources.pgconn import DEFAULT_LIMIT, Address, Connection, Statement
from closewatch.sources.visits import Visits

log = structlog.get_logger(__name__)

MEMBERS = Gauge(
    "closewatch_postgresql_members", "Members of the cluster by the role that they said they have.", ("role",)
)
MEMBER_UP = Gauge("closewatch_postgresql_member_up", "Whether the member answered (1) or not (0).", ("member",))
CLOCK_OFFSET = Gauge(
    "closewatch_postgresql_clock_offset_seconds",
    "Seconds that the server's clock is ahead of closewatch's; of the member whose clock differs most.",
)
FAMILIES: tuple[Family, ...] = (MEMBERS, MEMBER_UP, CLOCK_OFFSET)

VISITS = 2
"""Short sessions at once on a server; with the held one that makes three."""
PATIENCE = 2
"""Time-outs in a row after which a member is tried less often."""
VISIT_LIMIT = 3.0
"""Seconds that a visit may take, so that a hung database doesn't keep its server's healthy ones waiting."""
GOODBYE = 0.25
"""Seconds to wait for a visit to have ended on the server, so that there are never more than three sessions there."""


@dataclass(slots=True)
class Access:
    """How to log in to the members of a cluster, and what is known of them. Shared by the cluster and its databases."""

    addresses: tuple[Address, ...]
    user: str
    password: Secret | None = None
    database: str = "postgres"
    tls: dict[str, str] = field(default_factory=dict)
    primary: Address | None = None
    visits: Visits = field(default_factory=lambda: Visits(VISITS))
    locks: DatabaseLocks = field(default_factory=DatabaseLocks)

    def open(self, address: Address, database: str, deadline: Deadline) -> Connection:
        """A new session; the password is read again each time, so that a rotated one is used. Raises Unavailable."""
        parameters = {
            "user": self.user,
            "dbname": database,
            "application_name": "closewatch",
            "client_encoding": "UTF8",
            "gssencmode": "disable",
            "sslmode": "prefer",
            **self.tls,
        }
        if not parameters["sslmode"].startswith(("require", "verify")):
            parameters["require_auth"] = "!password"  # never the password in clear text to whoever answers
        if self.password is not None:
            try:
                parameters["password"] = self.password.read()
            except SecretError as error:
                raise Unavailable(Reason.SECRET, str(error)) from None
        return Connection.open(address, parameters, deadline)

    def in_order(self) -> list[Address]:
        """The members, the one last known as primary first."""
        return sorted(self.addresses, key=lambda address: address != self.primary)


class _Member:
    """One server of a cluster and its held session; tried less often while it hangs."""

    LONGEST_PAUSE = 30.0

    def __init__(self, access: Access, address: Address) -> None:
        self.access = access
        self.address = address
        self.role: On | None = None
        self._connection: Connection | None = None
        self._hung = 0
        self._next = 0.0
        self._failure: Unavailable | None = None

    @property
    def round_trips(self) -> int:
        """Batches sent on the session held now."""
        return self._connection.round_trips if self._connection else 0

    def ask(self, collectors: Sequence[Collector], deadline: Deadline) -> Asked:
        """One batch; a second one only where the role turned out to be another than assumed."""
        if self._failure is not None and time.monotonic() < self._next:
            return Asked(down=self._failure)
        asked = self._attempt(collectors, deadline)
        if asked.down is None:
            self._hung, self._failure = 0, None
        elif asked.down.reason is Reason.TIMEOUT:
            self._hung += 1
            self._failure = asked.down
            self._next = time.monotonic() + (0 if self._hung < PATIENCE else min(2.0**self._hung, self.LONGEST_PAUSE))
        else:
            self._failure = None
        return asked

    def _attempt(self, collectors: Sequence[Collector], deadline: Deadline) -> Asked:
        held = self._connection is not None
        asked = self._batch(collectors, deadline)
        if held and asked.down is not None and asked.down.reason is not Reason.TIMEOUT and deadline.left() > 0:
            asked = self._batch(collectors, deadline)  # the held session had ended: the server may well be there
        if asked.down is None and asked.role is not self.role:
            self.role = asked.role
            asked = self._batch(collectors, deadline)
        return asked

    def _batch(self, collectors: Sequence[Collector], deadline: Deadline) -> Asked:
        try:
            connection = self._connection
            if connection is None:
                connection = self._connection = self.access.open(self.address, self.access.database, deadline)
                if connection.in_recovery is not None:
                    self.role = On.STANDBY if connection.in_recovery else On.PRIMARY
        except Unavailable as failure:
            return Asked(down=failure)
        mine = [collector for collector in collectors if collector.on in (On.EACH, self.role)]
        asked = ask_all(connection, mine, str(self.address), deadline)
        if connection.closed:
            self._connection = None
        return asked

    def locked_databases(self, deadline: Deadline) -> frozenset[str] | None:
        """The databases that can't be logged in to; None where no session is held."""
        if self._connection is None:
            return None
        result = self._connection.batch([Statement(LOCKED, DEFAULT_LIMIT)], deadline)[0]
        return None if result.failure is not None else frozenset(row["name"] for row in result.rows)

    def close(self) -> None:
        """End the held session."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class Cluster:
    """A primary and its standbys as one target; what is the primary's carries no member, to survive a failover."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._members = [_Member(access, address) for address in access.addresses]
        self._threads = ThreadPoolExecutor(len(self._members), "member") if len(self._members) > 1 else None
        self._lock = threading.Lock()
        access.locks.ask = self._locked_databases

    @property
    def round_trips(self) -> int:
        """Batches sent on the sessions held now."""
        return sum(member.round_trips for member in self._members)

    def ask(self, collectors: Sequence[Collector], deadline: Deadline) -> Reply:
        """Ask every member what its role can answer; all members at once."""
        with self._lock:
            if self._threads is None:
                asked = [self._members[0].ask(collectors, deadline)]
            else:
                futures = [self._threads.submit(member.ask, collectors, deadline) for member in self._members]
                asked = [future.result() for future in futures]
        for member, answered in zip(self._members, asked, strict=True):
            if answered.down is None and answered.role is On.PRIMARY:
                self.access.primary = member.address
        return Reply(self._outcomes(collectors, asked), self._down(asked), self._samples(asked))

    def _locked_databases(self, deadline: Deadline) -> frozenset[str] | None:
        if not self._lock.acquire(timeout=deadline.left()):
            return None
        try:
            primary = next((member for member in self._members if member.role is On.PRIMARY), None)
            return primary.locked_databases(deadline) if primary else None
        finally:
            self._lock.release()

    def _outcomes(self, collectors: Sequence[Collector], asked: Sequence[Asked]) -> dict[str, Outcome]:
        return {collector.name: self._outcome(collector, asked) for collector in collectors}

    def _outcome(self, collector: Collector, asked: Sequence[Asked]) -> Outcome:
        total = Outcome()
        for one in asked:
            found = one.outcomes.get(collector.name)
            if found is not None:
                total.answers += found.answers
                total.failure = total.failure or found.failure
                total.seconds = max(total.seconds, found.seconds)
        if not total.answers and total.failure is None and collector.on is On.PRIMARY:
            total.failure = next((one.down for one in asked if one.down), Unavailable(Reason.NO_PRIMARY))
        elif collector.on is On.PRIMARY and len(total.answers) > 1:
            del total.answers[1:]  # two primaries: members{role="primary"} tells; the first one's facts are shown
        return total

    @staticmethod
    def _down(asked: Sequence[Asked]) -> Unavailable | None:
        if any(one.down is None and one.role is On.PRIMARY for one in asked):
            return None
        silent = next((one.down for one in asked if one.down), None)
        if silent is None and len(asked) > 1:
            return Unavailable(Reason.NO_PRIMARY)
        return silent

    def _samples(self, asked: Sequence[Asked]) -> list[Sample]:
        roles = [On.PRIMARY, On.STANDBY]
        samples = [
            MEMBERS(sum(one.down is None and one.role is role for one in asked), role=role.value) for role in roles
        ]
        samples.append(MEMBERS(sum(one.down is not None for one in asked), role="unreachable"))
        for member, one in zip(self._members, asked, strict=True):
            samples.append(MEMBER_UP(one.down is None, member=str(member.address)))
        offsets = [one.clock_offset for one in asked if one.clock_offset is not None]
        samples.append(CLOCK_OFFSET(max(offsets, key=abs, default=None)))
        return samples

    def close(self) -> None:
        """End the held sessions, after a scrape that is under way."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            for member in self._members:
                member.close()


class Database:
    """A database of a cluster, visited on its primary; what one visit could read decides the next one's queries."""

    def __init__(self, access: Access, name: str) -> None:
        self.access = access
        self.name = name
        self._columns: frozenset[str] | None = None

    def ask(self, collectors: Sequence[Collector], deadline: Deadline) -> Reply:
        """Visit the database; where it hung before, only when its turn comes."""
        deadline = deadline.sooner(VISIT_LIMIT)
        try:
            self.access.locks.check(self.name)
            with self.access.visits.enter(self, deadline) as visit:
                asked = self._visit(collectors, deadline)
                visit.failure = asked.down
        except Unavailable as failure:
            asked = Asked(down=failure)
        return Reply(asked.outcomes, asked.down)

    def _visit(self, collectors: Sequence[Collector], deadline: Deadline) -> Asked:
        asked = Asked(down=Unavailable(Reason.NO_PRIMARY))
        for address in self.access.in_order():
            try:
                connection = self.access.open(address, self.name, deadline)
            except Unavailable as refused:
                failure = self.access.locks.explain(self.name, refused)
                if failure.reason in (Reason.DATABASE_MISSING, Reason.AUTHENTICATION, Reason.PERMISSION, Reason.LOCKED):
                    return Asked(down=failure)
                asked = Asked(down=failure)
                continue
            try:
                if connection.in_recovery and len(self.access.addresses) > 1:
                    continue
                return self._batch(connection, collectors, str(address), deadline)
            finally:
                connection.close(GOODBYE)
        return asked

    def _batch(self, connection: Connection, collectors: Sequence[Collector], member: str, deadline: Deadline) -> Asked:
        known = self._columns
        if known is None:
            first = ask_all(connection, (), member, deadline, tables=_tables(collectors))
            if first.down is not None:
                return first
            known = self._columns = first.columns
        asked = ask_all(connection, collectors, member, deadline, tables=_tables(collectors), columns=known)
        if asked.down is None and asked.columns is not None:
            if asked.columns != known:
                log.info("columns_changed", database=self.name, before=len(known or ()), now=len(asked.columns))
            self._columns = asked.columns
        return asked

    def close(self) -> None:
        """Nothing is held."""


def _tables(collectors: Sequence[Collector]) -> tuple[str, ...]:
    """The tables that any query of these collectors needs, or that decide whether one applies."""
    names = {collector.applies for collector in collectors if collector.applies}
    for collector in collectors:
        for alternatives in collector.ask.values():
            for query in chosen(alternatives):
                names.update(need.partition(".")[0] for need in query.needs)
    return tuple(sorted(names))
