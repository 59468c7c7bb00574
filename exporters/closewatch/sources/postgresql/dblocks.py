"""Databases that can't be logged in to because they themselves are locked: being dropped, renamed, moved or copied.

A login waits for such a lock on the server, where no time-out of ours reaches it: who gives up leaves a session that
waits on, and counts against the role's limit. So after a login that timed out the held session is asked which databases
are locked, and while any is, none of them is logged in to. As long as logins succeed nothing is asked at all.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable

LOCKED = """
SELECT DISTINCT d.datname::text AS name
  FROM pg_catalog.pg_locks l
  JOIN pg_catalog.pg_database d ON d.oid = l.objid
 WHERE l.locktype = 'object' AND l.classid = 'pg_catalog.pg_database'::pg_catalog.regclass
   AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
"""
"""The modes that a login, which takes RowExclusiveLock, waits for; also where they are awaited themselves."""

FRESH = 2.0
PATIENCE = 0.5
"""Seconds for which an answer is used, and that asking may take."""


class DatabaseLocks:
    """What is known of locked databases of a cluster. `ask` gives their names, None where nobody can be asked now."""

    def __init__(self) -> None:
        self.ask: Callable[[Deadline], frozenset[str] | None] = lambda _deadline: None
        self._locked: frozenset[str] = frozenset()
        self._at = 0.0
        self._lock = threading.Lock()

    def check(self, database: str) -> None:
        """Raises Unavailable(locked) for a database that is known to be locked, and still is."""
        if self._locked and time.monotonic() - self._at > FRESH:
            self._look()
        if database in self._locked:
            raise Unavailable(Reason.LOCKED, "the database itself is being dropped, renamed, moved or copied")

    def explain(self, database: str, failure: Unavailable) -> Unavailable:
        """Why a login failed: `locked` in place of a time-out where that is the cause."""
        if failure.reason is not Reason.TIMEOUT:
            return failure
        self._look()
        try:
            self.check(database)
        except Unavailable as locked:
            return locked
        return failure

    def _look(self) -> None:
        with self._lock:
            if time.monotonic() - self._at > FRESH / 2:
                found = self.ask(Deadline.after(PATIENCE))
                if found is not None:
                    self._locked, self._at = found, time.monotonic()
