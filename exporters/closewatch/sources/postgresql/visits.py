"""How many databases of one server are visited at once, so that hung ones don't starve the healthy.

One that hung the last time is a suspect: suspects share a single place and are tried less and less often. Whoever
finds no place in time hears its last reason again, or `busy`: the server itself is never asked more than its share.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources.backoff import Backoff

LONGEST_PAUSE = 60.0
SUSPECT_WAIT = 0.5


@dataclass(slots=True)
class Visit:
    """Set `failure` where the visit went wrong: a time-out makes its visitor a suspect."""

    failure: Unavailable | None = None


class Visits:
    """Places for short sessions on one server."""

    def __init__(self, places: int) -> None:
        self._free = threading.BoundedSemaphore(places)
        self._suspects_place = threading.BoundedSemaphore(1)
        self._suspects: dict[Hashable, Backoff] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def enter(self, visitor: Hashable, deadline: Deadline) -> Iterator[Visit]:
        """Hold a place. Raises Unavailable where there is none for this visitor now."""
        suspect = self._suspects.get(visitor)
        if suspect is not None and (failure := suspect.failure) is not None:
            raise failure
        with contextlib.ExitStack() as places:
            if suspect is not None:
                if not self._suspects_place.acquire(timeout=min(SUSPECT_WAIT, deadline.left())):
                    raise suspect.last or Unavailable(Reason.BUSY)
                places.callback(self._suspects_place.release)
            if not self._free.acquire(timeout=deadline.left()):
                raise Unavailable(Reason.BUSY)
            places.callback(self._free.release)
            visit = Visit()
            yield visit
            self._note(visitor, visit.failure)

    def _note(self, visitor: Hashable, failure: Unavailable | None) -> None:
        with self._lock:
            suspect = self._suspects.pop(visitor, None) or Backoff(LONGEST_PAUSE)
            suspect.note(failure)
            if suspect.last is not None:
                self._suspects[visitor] = suspect
