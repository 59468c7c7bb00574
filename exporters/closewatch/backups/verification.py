"""The scheduled check `verification`: the tool's own, and what its newest record says.

    closewatch_backup_verified{type="full",by="tool"} 1

Why it did not pass is in `closewatch_check_failure_info`. Failed: corrupt, incomplete. Not known: locked,
authentication, permission, not_found, no_backup, cannot_check, time_limit, tool_failed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from closewatch.backups.age import VERIFIED
from closewatch.backups.found import Type
from closewatch.backups.tool_settings import VerifySettings
from closewatch.core.checks import Cancelled, Check, Result, Task, Verdict
from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.deadline import Deadline
from closewatch.core.families import Sample
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.targets import Target

CHECK, VERSION = "verification", 1
_REASONS = {
    Reason.TIMEOUT: "time_limit",
    Reason.NOT_FOUND: "not_found",
    Reason.SECRET: "authentication",
    Reason.AUTHENTICATION: "authentication",
    Reason.PERMISSION: "permission",
}


class Verified(NamedTuple):
    """`passed` is None where it could not be looked at, with the reason why."""

    type: Type
    by: str
    passed: bool | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Until(Deadline):
    """A deadline that comes at once when the check is told to stop, so that its program is ended too."""

    stop: threading.Event

    def left(self) -> float:
        """Seconds left; none once it is stopped."""
        return 0.0 if self.stop.is_set() else Deadline.left(self)


def until(task: Task) -> Until:
    """How long a program may run for a task."""
    return Until(task.deadline.at, task.stop)


def checks(key: str, place: Any, settings: VerifySettings | None) -> tuple[Check, ...]:
    """The check of a place, where it is asked for."""
    if settings is None:
        return ()
    run = partial(verify, key, place)
    return (
        Check(CHECK, VERSION, run, settings.every, settings.limit, window=settings.window, timezone=settings.timezone),
    )


def verify(key: str, place: Any, task: Task) -> Verdict:
    """One run."""
    from closewatch.backups.verifiers import VERIFIERS  # noqa: PLC0415 - only `work` runs them

    try:
        found = VERIFIERS[key](place, task)
    except Unavailable as failure:
        if task.stop.is_set():
            raise Cancelled from None
        return Verdict(Result.UNKNOWN, {"place": key}, _REASONS.get(failure.reason, "tool_failed"))
    payload = {"place": key, "type": found.type.value, "by": found.by, "passed": found.passed}
    if found.passed:
        return Verdict(Result.PASSED, payload)
    return Verdict(Result.UNKNOWN if found.passed is None else Result.FAILED, payload, found.reason)


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """Of the newest record; nothing where nothing could be looked at."""
    found = (answer.one("newest") or {}).get("payload") or {}
    if found.get("passed") is not None:
        yield VERIFIED(found["passed"], type=found["type"], by=found["by"])


VERIFICATION = Collector("verification", {}, read, (VERIFIED,), recorded=CHECK)
