"""Barman's own account of one server: `barman -f json list-backup`, and `show-backup` once for each new backup.

A backup that waits for WAL can't be restored yet: for an hour that is unfinished, then it is bad. Where the folder of
the server's WAL can be read, its `xlog.db` names each segment with the time it was archived. Rights: those of the user
barman. Source: Barman's barman/output.py and barman/infofile.py; run with 3.4, newer fields by the former.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from closewatch.backups import wal
from closewatch.backups.found import Fault, Type
from closewatch.backups.judge import AHEAD, State
from closewatch.backups.reading import count, mapping, understood
from closewatch.backups.rows import Tables, place, row
from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources import tool

DONE, WAITING = "DONE", "WAITING_FOR_WALS"
UNDER_WAY = {"EMPTY", "STARTED", "SYNCING"}
PATIENCE = 3600.0
"""Seconds for which a backup may wait for its last WAL."""
NEW_AT_ONCE = 16
RESERVE = 3.0
"""Seconds before the deadline at which no further backup is asked for; it is unread until the next look."""
LARGEST = 64 * 1024 * 1024
"""Bytes of xlog.db that are read: half a million segments."""


class Server:
    """One server of Barman's."""

    def __init__(
        self,
        command: Sequence[str],
        server: str,
        config: str | None,
        wals: Path | None,
        segment_size: int = wal.SEGMENT_SIZE,
    ) -> None:
        self._command = [*command, *(["-c", config] if config else []), "-f", "json"]
        self._server = server
        self._wals = wals
        self._size = segment_size
        self._known: dict[str, Any] = {}

    def look(self, deadline: Deadline) -> Tables:
        """The tables `main` and `place`. Raises Unavailable."""
        listed = self._ask(deadline, "list-backup", self._server)
        ids = understood("barman's list", lambda: [str(one["backup_id"]) for one in listed[self._server]])
        for each in sorted((one for one in ids if one not in self._known), reverse=True)[:NEW_AT_ONCE]:
            if deadline.left() < RESERVE:
                break
            shown = self._ask(deadline, "show-backup", self._server, each)
            if understood("barman's backup", lambda shown=shown: shown[self._server]["status"]) == DONE:  # type: ignore[misc]
                self._known[each] = shown
        self._known = {each: self._known[each] for each in ids if each in self._known}
        return tables(listed, self._server, self._known, time.time(), self._archive(), self._size)

    def _ask(self, deadline: Deadline, *arguments: str) -> Any:
        ran = tool.run([*self._command, *arguments], deadline)
        if ran.code:
            raise Unavailable(Reason.SERVER_ERROR, f"barman {arguments[0]} ended with {ran.code}")
        return ran.json()

    def _archive(self) -> str | None:
        if self._wals is None:
            return None
        try:
            with (self._wals / "xlog.db").open("rb") as file:
                return file.read(LARGEST).decode("ascii", "replace")
        except FileNotFoundError:
            raise Unavailable(Reason.NOT_FOUND, "there is no xlog.db in the folder of WAL") from None
        except OSError:
            raise Unavailable(Reason.PERMISSION, "xlog.db in the folder of WAL can't be read") from None


def tables(
    document: Any,
    server: str,
    shown: Mapping[str, Any],
    now: float,
    archived: str | None = None,
    size: int = wal.SEGMENT_SIZE,
) -> Tables:
    """The rows of a list; `shown` has what `show-backup` says, by id; `archived` is the content of xlog.db."""
    about = understood("barman's backup", lambda: {each: _About(one[server], size) for each, one in shown.items()})
    rows = understood("barman's list", lambda: [_row(one, about, now) for one in document[server]])
    window = _window(rows, about, archived, size)
    encrypted = {one.encrypted for one in about.values()}
    return {
        "main": [{name: value for name, value in one.items() if name != "id"} for one in rows],
        "place": [place(rows, encrypted=encrypted.pop() if len(encrypted) == 1 else None, **window)],
    }


class _About:
    """What `show-backup` says of one."""

    def __init__(self, shown: Mapping[str, Any], size: int) -> None:
        base = shown["base_backup_information"]
        self.began, self.ended = float(base["begin_time_timestamp"]), float(base["end_time_timestamp"])
        self.first, self.last = (wal.segment(str(base[key]), size) for key in ("begin_wal", "end_wal"))
        self.incremental = bool(mapping(shown.get("catalog_information")).get("parent_backup_id")) or (
            str(base.get("backup_type") or "").startswith("incr")
        )
        told = "encryption" in base
        self.encrypted: bool | None = base["encryption"] not in {None, "", "None", "none"} if told else None


def _row(one: Mapping[str, Any], about: Mapping[str, _About], now: float) -> Mapping[str, Any]:
    status, each = str(one["status"]), str(one["backup_id"])
    ended = one.get("end_time_timestamp")
    at = float(ended) if ended is not None else _begun(each)
    known = about.get(each)
    kind = Type.INCR if known and known.incremental else Type.FULL
    fault, state = _judged(status, at, now)
    if known is None and status == DONE and fault is None:
        state = State.UNREAD  # of which type it is, is not known yet
    seconds = known.ended - known.began if known else None
    found = row(kind, at, fault, state=state, size=count(one.get("size_bytes")), seconds=seconds, whole=status == DONE)
    return {**found, "id": each}


def _judged(status: str, at: float, now: float) -> tuple[Fault | None, State | None]:
    if at > now + AHEAD:
        return Fault.IN_THE_FUTURE, None
    if status == DONE:
        return None, None
    if status == WAITING:
        return Fault.WAITING_FOR_WAL, State.UNFINISHED if now - at < PATIENCE else None
    if status in UNDER_WAY:
        return Fault.ABANDONED, State.UNFINISHED if now - at < 24 * PATIENCE else None
    return (Fault.FAILED if status == "FAILED" else Fault.UNSUPPORTED_VERSION), None


def _begun(each: str) -> float:
    """A backup's id is the time it was begun, by Barman's clock, such as 20261127T020000. Raises ValueError."""
    return time.mktime(time.strptime(each, "%Y%m%dT%H%M%S"))


def _window(
    rows: Sequence[Mapping[str, Any]], about: Mapping[str, _About], archived: str | None, size: int
) -> Mapping[str, Any]:
    good = [one for one in rows if one["state"] == State.GOOD.value]
    if not good or any(one["state"] == State.UNREAD.value for one in rows):
        return {}  # the oldest may be among those that are not read yet
    if archived is None:
        return {"since": min(one["at"] for one in good)}
    known = [(one["at"], about[one["id"]]) for one in good if one["id"] in about]
    bases = [wal.Base(one.first, one.last, at) for at, one in known if one.first and one.last]
    if len(bases) < len(good):
        return {}
    since, until, missing = wal.archive(_segments(archived), size=size).window(bases)
    return {"since": since, "until": until, "missing": missing}


def _segments(archived: str) -> Sequence[tuple[str, float]]:
    """Lines of xlog.db: name, size, time, compression."""
    lines = [line.split("\t") for line in archived.splitlines()]
    return understood("xlog.db", lambda: [(line[0], float(line[2])) for line in lines if line != [""]])
