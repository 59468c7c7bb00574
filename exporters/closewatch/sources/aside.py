"""Blocking work aside, in a thread of its own, so that who waits for it keeps the deadline.

A hung network mount blocks `stat` and `read` in the kernel, a name server blocks the resolver: neither knows a
time-out. Such a thread can't be ended; it is left alone, and as long as it is stuck no second one is started.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable

T = TypeVar("T")


class _Work(Generic[T]):
    """One piece of work, and what became of it."""

    def __init__(self, work: Callable[[], T], name: str) -> None:
        self._work = work
        self.result: list[T] = []
        self.error: Exception | None = None
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        try:
            self.result.append(self._work())
        except Exception as error:  # noqa: BLE001 - it belongs to who waits, and is raised there
            self.error = error


class Aside:
    """Runs one piece of work at a time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._stuck: threading.Thread | None = None

    def run(self, work: Callable[[], T], deadline: Deadline) -> T:
        """What `work` gives or raises. Raises Unavailable(timeout) at the deadline, or while earlier work is stuck."""
        if self._stuck is not None and self._stuck.is_alive():
            raise Unavailable(Reason.TIMEOUT, "an earlier look is still blocked")
        running = _Work(work, self._name)
        self._stuck = running.thread
        running.thread.start()
        running.thread.join(deadline.left())
        if running.error is not None:
            raise running.error
        if not running.result:
            raise Unavailable(Reason.TIMEOUT, "blocked until the deadline")
        return running.result[0]
