"""WAL-G's own account: `backup-list --detail --json`, and `wal-verify integrity` for the WAL.

Listed is what is complete. A name with `_D_` is an increment. `wal-verify` asks a living server, or is told where to
look; where it can't say, nothing is said of the WAL. It gives no times of segments: up to when one can go back is not
known. Rights: to list and read the storage. Source: the types in WAL-G's internal/databases/postgres.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from closewatch.backups import wal
from closewatch.backups.found import Fault, Type
from closewatch.backups.judge import AHEAD, State
from closewatch.backups.reading import count, time_of, understood
from closewatch.backups.rows import Tables, place, row
from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.secrets import remember
from closewatch.sources import tool

INCREMENT = "_D_"
LOST = "MISSING_LOST"
LARGEST = 64 * 1024
SMALLEST = 1024 * 1024
"""Names of segments are only compared, never counted: read as of the smallest size, they keep their order in all."""
SHARE = 0.6
"""Of the time that is left, what `wal-verify` may take."""


class Storage:
    """One storage of WAL-G's. `environment` is a file of lines NAME=value, read anew for each look."""

    def __init__(
        self, command: Sequence[str], config: str | None, environment: Path | None, *, verify_wal: bool
    ) -> None:
        self._command = [*command, *([f"--config={config}"] if config else [])]
        self._environment = environment
        self._verify_wal = verify_wal

    def look(self, deadline: Deadline) -> Tables:
        """The tables `main` and `place`. Raises Unavailable."""
        environment = self._given()
        ran = tool.run([*self._command, "backup-list", "--detail", "--json"], deadline, environment=environment)
        if ran.code:
            raise Unavailable(Reason.SERVER_ERROR, f"wal-g backup-list ended with {ran.code}")
        # Without a backup it prints nothing, or says so in words.
        listed = [] if not ran.out.strip() or b"No backups found" in ran.out + ran.err else ran.json()
        return tables(listed, self._verified(environment, deadline), time.time())

    def _verified(self, environment: Mapping[str, str], deadline: Deadline) -> Any:
        if not self._verify_wal:
            return None
        command = [*self._command, "wal-verify", "integrity", "--json"]
        try:
            ran = tool.run(command, deadline.sooner(deadline.left() * SHARE), environment=environment)
            return None if ran.code else ran.json()
        except Unavailable:
            return None

    def _given(self) -> Mapping[str, str]:
        if self._environment is None:
            return {}
        try:
            with self._environment.open(encoding="utf-8") as file:
                text = file.read(LARGEST)
        except (OSError, UnicodeDecodeError):
            raise Unavailable(Reason.SECRET, "the file with WAL-G's environment can't be read") from None
        lines = [line.strip().removeprefix("export ") for line in text.splitlines()]
        pairs = [line.partition("=") for line in lines if "=" in line and not line.startswith("#")]
        found = {name.strip(): value.strip().strip("'\"") for name, _, value in pairs}
        for name, value in found.items():
            if any(word in name.upper() for word in ("SECRET", "PASSWORD", "TOKEN", "_KEY")):
                remember(value)
        return found


def tables(document: Any, verified: Any, now: float) -> Tables:
    """The rows of a list, and of what `wal-verify` says; None where it says nothing."""
    rows = understood("wal-g's list", lambda: [_row(one, now) for one in document or ()])
    starts = understood("wal-g's list", lambda: [_segment(str(one["wal_file_name"])[:24]) for one in document or ()])
    good = [(each["at"], start) for each, start in zip(rows, starts, strict=True) if each["state"] == State.GOOD.value]
    window = understood("wal-g's account of the WAL", lambda: _window(good, verified))
    return {"main": rows, "place": [place(rows, **window)]}


def _segment(name: str) -> wal.Segment | None:
    return wal.segment(name, SMALLEST)


def _row(one: Mapping[str, Any], now: float) -> Mapping[str, Any]:
    began, ended = time_of(one.get("start_time")), time_of(one.get("finish_time")) or time_of(one.get("time"))
    if ended is None:
        raise ValueError
    kind = Type.INCR if INCREMENT in str(one["backup_name"]) else Type.FULL
    fault = Fault.IN_THE_FUTURE if ended > now + AHEAD else None
    size = count(one.get("uncompressed_size"))
    return row(kind, ended, fault, size=size, seconds=None if began is None else ended - began, whole=True)


def _window(good: Sequence[tuple[float, wal.Segment | None]], verified: Any) -> Mapping[str, Any]:
    if not good:
        return {}
    if verified is None:
        return {"since": min(at for at, _ in good)}
    integrity = verified["integrity"]
    if integrity["status"] not in {"OK", "WARNING", "FAILURE"}:
        raise ValueError
    holes = [
        (int(one["segments_count"]), _segment(str(one["end_segment"])))
        for one in integrity["details"] or ()
        if one["status"] == LOST
    ]
    last = max((end.number for _, end in holes if end is not None), default=-1)
    after = [at for at, start in good if start is not None and start.number > last]
    window = {"since": min(after)} if after else {}
    return {**window, "missing": sum(count for count, _ in holes)}
