"""A point in time until which something may take. Passed down, so that every blocking call knows what is left."""

from __future__ import annotations

import time
from dataclasses import dataclass

from closewatch.core.reasons import Reason, Unavailable


@dataclass(frozen=True, slots=True)
class Deadline:
    """`at` is on the monotonic clock, in seconds."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The deadline so many seconds from now."""
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        """Seconds left; never negative."""
        return max(0.0, self.at - time.monotonic())

    def need(self) -> float:
        """Seconds left; raises Unavailable(timeout) when there are none."""
        left = self.left()
        if left <= 0:
            raise Unavailable(Reason.TIMEOUT)
        return left

    def sooner(self, seconds: float) -> Deadline:
        """This deadline, or so many seconds from now where that is earlier."""
        return Deadline(min(self.at, time.monotonic() + seconds))
