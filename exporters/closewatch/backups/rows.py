"""What every source gives the collectors: a row a backup (`main`), and one row of the place (`place`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from closewatch.backups.found import Fault, Type
from closewatch.backups.judge import State

Tables = Mapping[str, Sequence[Mapping[str, Any]]]
PAGE_CHECKSUMS, MANIFEST, TOOL, ARCHIVE = "page_checksums", "manifest", "tool", "archive"
"""The label `by`: what a check looked at."""


def row(
    type: Type | None,
    at: float | None,
    fault: Fault | None = None,
    *,
    state: State | None = None,
    size: int | None = None,
    seconds: float | None = None,
    verified: bool | None = None,
    by: str | None = None,
    whole: bool | None = None,
    encrypted: bool | None = None,
) -> Mapping[str, Any]:
    """One backup; without a state, it is bad where it has a fault, and else good."""
    found = state or (State.BAD if fault else State.GOOD)
    return {
        "type": type.value if type else None,
        "state": found.value,
        "reason": fault.value if fault and found is State.BAD else None,
        "at": at,
        "size": size,
        "seconds": seconds if seconds is None or seconds >= 0 else None,
        "verified": verified,
        "by": by,
        "whole": whole,
        "encrypted": encrypted,
    }


def place(rows: Sequence[Mapping[str, Any]], **more: Any) -> Mapping[str, Any]:
    """The place: what is not given is not known.

    `since`, `until` and `missing` are of the WAL (see `wal`); `locked` is when the oldest lock was taken; `encrypted`
    is of the repository as a whole.
    """
    return {
        "truncated": False,
        "unread": 0,
        "oldest": min((one["at"] for one in rows if one["at"] is not None), default=None),
        "status": None,
        "since": None,
        "until": None,
        "missing": None,
        "locked": None,
        "encrypted": None,
        **more,
    }
