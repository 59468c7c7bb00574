"""The shape of a scheduled check: too dear for a scrape, run by `closewatch work`, kept as a record.

A check is a name and a function from a `Task` (the target, what earlier records say, how long it may take) to a
`Verdict` (passed, failed or unknown; why; and what was found). It writes nothing itself: plumbing holds the lease and
commits the record. A kind of target names its checks in `TargetSettings.checks`; what a scrape shows of them is a
collector with `recorded=NAME`, whose answer is the newest record.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from closewatch.core.deadline import Deadline

if TYPE_CHECKING:
    from closewatch.core.records import Record
    from closewatch.core.targets import Target

Payload = Mapping[str, Any]
"""What a check found, as JSON: text, int, bool, None, lists and mappings. No floats: amounts are text, times are RFC
3339 in UTC or integers of milliseconds (`..._ms`), so that its digest is the same everywhere."""


class Result(enum.StrEnum):
    """`unknown` is for what could not be looked at, and always has a reason: it is neither good nor bad."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check says. `reason` is a word of the check's closed set; None only where it passed."""

    result: Result
    payload: Payload
    reason: str | None = None

    def __post_init__(self) -> None:
        if (self.reason is None) != (self.result is Result.PASSED):
            raise ValueError("a verdict has a reason if, and only if, the check did not pass")


class Cancelled(Exception):
    """The check has to stop: its lease was lost, or the program ends."""


Progress = Callable[[str, float | None], None]
"""Told of the phase, and of its share that is done (0 to 1) where that is known."""


def _nobody(_phase: str, _share: float | None) -> None:
    return


@dataclass(frozen=True, slots=True)
class Task:
    """What one run of a check is given.

    `history` are the newest records of this check on this target, the newest first, with their payloads where these
    have not expired; `others` are those of what `Check.reads` names. `stop` is set when the run must end; `need`
    raises then.
    """

    target: Target
    history: Sequence[Record]
    deadline: Deadline
    stop: threading.Event = field(default_factory=threading.Event)
    progress: Progress = _nobody
    others: Mapping[str, Sequence[Record]] = field(default_factory=dict)

    def need(self) -> float:
        """Seconds left. Raises Cancelled where the run must stop, Unavailable(timeout) at the deadline."""
        if self.stop.is_set():
            raise Cancelled
        return self.deadline.need()


@dataclass(frozen=True, slots=True)
class Check:
    """A named check of a target.

    `version` grows when its meaning changes. `every` and `limit` are in seconds: how often, and how long at most.
    `window` are operating hours such as "Mon-Sun 22:00-05:00" within which it may start, in `timezone`; None is always.
    `history` is how many of its newest records a run is shown; `reads` how many of what else is recorded of the target.
    """

    name: str
    version: int
    run: Callable[[Task], Verdict]
    every: float
    limit: float
    window: str | None = None
    timezone: str = "UTC"
    history: int = 2
    reads: Mapping[str, int] = field(default_factory=dict)
