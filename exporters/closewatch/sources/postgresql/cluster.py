"""How PostgreSQL is asked: a cluster by one held connection a member, a database by a short visit.

A kept session on an Odoo database breaks Odoo's own duplicate, rename and drop, so only the maintenance database's
session is held; databases are visited: open, one batch, close, few at once on a server.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from closewatch.core.collectors import Collector, On
from closewatch.core.deadline import Deadline
from closewatch.core.families import Family, Gauge, Sample
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.source import Outcome, Reply
from closewatch.sources.postgresql.access import Access
from closewatch.sources.postgresql.batch import UNREADABLE, Asked, ask_all, chosen
from closewatch.sources.postgresql.connection import Connection
from closewatch.sources.postgresql.member import Member

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

VISIT_LIMIT = 3.0
"""Seconds that a visit may take, so that a hung database doesn't keep its server's healthy ones waiting."""
GOODBYE = 0.25
"""Seconds to wait for a visit to have ended on the server, so that there are never more than three sessions there."""


class Cluster:
    """A primary and its standbys as one target; what is the primary's carries no member, to survive a failover."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._members = [Member(access, address) for address in access.addresses]
        self._threads = ThreadPoolExecutor(len(self._members), "member") if len(self._members) > 1 else None
        self._lock = threading.Lock()
        access.locks.ask = self._locked_databases

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
        tables = _tables(collectors)
        asked = ask_all(connection, collectors, member, deadline, tables=tables, columns=known)
        if asked.down is None and asked.columns is not None:
            # Nobody looked at the tables of those that aren't asked this time: what is known of them stays.
            found = asked.columns | {one for one in known or () if _table(one) not in tables}
            if found != known:
                log.info("columns_changed", database=self.name, before=len(known or ()), now=len(found))
            self._columns = found
        return asked

    def close(self) -> None:
        """Nothing is held."""


def _table(column: str) -> str:
    """The table of a known column: "table", "table.column" or "!table.column"."""
    return column.removeprefix(UNREADABLE).partition(".")[0]


def _tables(collectors: Sequence[Collector]) -> tuple[str, ...]:
    """The tables that any query of these collectors needs, or that decide whether one applies."""
    names = {collector.applies for collector in collectors if collector.applies}
    for collector in collectors:
        for alternatives in collector.ask.values():
            for query in chosen(alternatives):
                names.update(need.partition(".")[0] for need in query.needs)
    return tuple(sorted(names))
