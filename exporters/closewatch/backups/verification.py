"""The scheduled check `verification`: the tool's own, and what its newest record says.

    closewatch_backup_verified{type="full",by="tool"} 1

Why it did not pass is in `closewatch_check_failure_info`: corrupt, incomplete, locked, authentication, not_found,
no_backup, cannot_check, time_limit, tool_failed.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from closewatch.backups.age import VERIFIED
from closewatch.backups.tool_settings import VerifySettings
from closewatch.core.checks import Check, Result, Task, Verdict
from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Sample
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.targets import Target

CHECK, VERSION = "verification", 1
_REASONS = {
    Reason.TIMEOUT: "time_limit",
    Reason.NOT_FOUND: "not_found",
    Reason.SECRET: "authentication",
    Reason.AUTHENTICATION: "authentication",
}


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
