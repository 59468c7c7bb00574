"""What hung is asked less and less often: each time-out costs a scrape its whole deadline, and the server a session."""

from __future__ import annotations

import time

from closewatch.core.reasons import Reason, Unavailable

PATIENCE = 2
"""Time-outs in a row after which it is asked less often."""
LONGEST_PAUSE = 30.0


class Backoff:
    """Counts the time-outs in a row of one thing. Any other outcome, good or bad, came in time and ends the count."""

    def __init__(self, longest: float = LONGEST_PAUSE) -> None:
        self._longest = longest
        self._times = 0
        self._next = 0.0
        self._failure: Unavailable | None = None

    @property
    def failure(self) -> Unavailable | None:
        """Why it isn't to be asked now; None where it is."""
        return self._failure if time.monotonic() < self._next else None

    @property
    def last(self) -> Unavailable | None:
        """The time-out that is counted; None where the newest outcome was none."""
        return self._failure

    def note(self, down: Unavailable | None) -> None:
        """Take note of how asking went."""
        if down is None or down.reason is not Reason.TIMEOUT:
            self._times, self._next, self._failure = 0, 0.0, None
            return
        self._times += 1
        self._failure = down
        pause = 0.0 if self._times < PATIENCE else min(2.0**self._times, self._longest)
        self._next = time.monotonic() + pause
