"""How many databases of one server are visited at once, so that hung ones don't starve the healthy.

One that hung the last time is a suspect: suspects share a single place and are tried less and less often. Whoever
finds no place in time hears its last reason again, or `busy`: the server itself is never asked more than its share.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable

LONGEST_PAUSE = 60.0
SUSPECT_WAIT = 0.5
PATIENCE = 2
"""Time-outs in a row after which a suspect is tried less often."""


@dataclass(slots=True)
class _Suspect:
    times: int
    next: float
    failure: Unavailable


@dataclass(slots=True)
class Visit:
    """Set `failure` where the visit went wrong: a time-out makes its visitor a suspect."""

    failure: Unavailable | None = None


class Visits:
    """Places for short sessions on one server."""

    def __init__(self, places: int) -> None:
        self._free = threading.BoundedSemaphore(places)
        self._suspects_place = threading.BoundedSemaphore(1)
        self._suspects: dict[Hashable, _Suspect] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def enter(self, visitor: Hashable, deadline: Deadline) -> Iterator[Visit]:
        """Hold a place. Raises Unavailable where there is none for this visitor now."""
        suspect = self._suspects.get(visitor)
        if suspect is not None and time.monotonic() < suspect.next:
            raise suspect.failure
        with contextlib.ExitStack() as places:
            if suspect is not None:
                if not self._suspects_place.acquire(timeout=min(SUSPECT_WAIT, deadline.left())):
                    raise suspect.failure
                places.callback(self._suspects_place.release)
            if not self._free.acquire(timeout=deadline.left()):
                raise Unavailable(Reason.BUSY)
            places.callback(self._free.release)
            visit = Visit()
            yield visit
            if visit.failure is not None and visit.failure.reason is Reason.TIMEOUT:
                self._suspect(visitor, visit.failure)
            else:
                self._clear(visitor)

    def _suspect(self, visitor: Hashable, failure: Unavailable) -> None:
        with self._lock:
            times = self._suspects[visitor].times + 1 if visitor in self._suspects else 1
            pause = 0.0 if times < PATIENCE else min(2.0**times, LONGEST_PAUSE)
            self._suspects[visitor] = _Suspect(times, time.monotonic() + pause, failure)

    def _clear(self, visitor: Hashable) -> None:
        with self._lock:
            self._suspects.pop(visitor, None)
