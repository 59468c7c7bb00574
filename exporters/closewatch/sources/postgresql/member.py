"""One server of a cluster, and the session that is held on its maintenance database."""

from __future__ import annotations

from collections.abc import Sequence

from closewatch.core.collectors import Collector, On
from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources.address import Address
from closewatch.sources.backoff import Backoff
from closewatch.sources.postgresql import extensions as pgextensions
from closewatch.sources.postgresql.access import Access
from closewatch.sources.postgresql.batch import Asked, ask_all, needed_extensions
from closewatch.sources.postgresql.connection import DEFAULT_LIMIT, Connection, Statement
from closewatch.sources.postgresql.dblocks import LOCKED
from closewatch.sources.postgresql.extensions import Extensions


class Member:
    """One server of a cluster and its held session; tried less often while it hangs."""

    def __init__(self, access: Access, address: Address) -> None:
        self.access = access
        self.address = address
        self.role: On | None = None
        self._connection: Connection | None = None
        self._extensions: Extensions | None = None
        self._backoff = Backoff()

    def ask(self, collectors: Sequence[Collector], deadline: Deadline) -> Asked:
        """One batch; a second one only where the role turned out to be another than assumed."""
        if (failure := self._backoff.failure) is not None:
            return Asked(down=failure)
        asked = self._attempt(collectors, deadline)
        self._backoff.note(asked.down)
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
        if self._extensions is None and (names := needed_extensions(mine)):
            # Once, before anything is known; from then on each batch looks again on its way.
            first = connection.batch([Statement(pgextensions.look(names), DEFAULT_LIMIT)], deadline)[0]
            self._extensions = None if first.failure is not None else pgextensions.found(first.rows)
        asked = ask_all(connection, mine, str(self.address), deadline, extensions=self._extensions)
        if asked.extensions is not None:
            self._extensions = asked.extensions
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
