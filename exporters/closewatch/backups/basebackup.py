"""Folders that pg_basebackup wrote, one for each backup, and a folder with archived WAL.

pg_basebackup writes `backup_manifest` last: a folder without one is not done, or was left. The manifest's own checksum
is computed; those of the files are for the scheduled check. Source: PostgreSQL's documentation of the backup manifest
(versions 1 and 2) and of pg_basebackup, 13 to 18.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from closewatch.backups import wal
from closewatch.backups.found import Fault, Type
from closewatch.backups.judge import ABANDONED, AHEAD, State
from closewatch.backups.rows import Tables, place, row
from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable

MANIFEST = "backup_manifest"
LARGEST = 64 * 1024 * 1024
"""Bytes of a manifest that are read: some hundred thousand files; a longer one is said to be unsupported."""
VERSIONS = {1, 2}
MOST_FOLDERS = 400
MOST_FILES = 400_000
LONGEST_HISTORY = 65_536
BARE = 24
"""Length of a segment's name; a packed one's is longer."""
_LAST_LINE = b'"Manifest-Checksum"'


class BaseBackups:
    """A folder of folders, and where the WAL is archived."""

    def __init__(self, path: Path, archive: Path | None, segment_size: int = wal.SEGMENT_SIZE) -> None:
        self._path = path
        self._archive = archive
        self._size = segment_size
        self._known: dict[str, tuple[tuple[float, int], Mapping[str, Any]]] = {}

    def look(self, deadline: Deadline) -> Tables:
        """The tables `main` and `place`. Raises Unavailable."""
        found = []
        known = {}
        for folder in self._folders():
            deadline.need()
            try:
                at, size = _stamp(folder)
            except FileNotFoundError:  # retention took it away since it was listed
                continue
            before = self._known.get(folder.name)
            about = before[1] if before and before[0] == (at, size) else manifest(_read(folder), self._size)
            known[folder.name] = ((at, size), about)
            found.append((at, about))
        self._known = known
        now = time.time()
        return tables(found, None if self._archive is None else self._segments(deadline), now)

    def _folders(self) -> Sequence[Path]:
        try:
            found = sorted(Path(one.path) for one in os.scandir(self._path) if one.is_dir(follow_symlinks=False))
        except FileNotFoundError:
            raise Unavailable(Reason.NOT_FOUND, "the folder with the backups is not there") from None
        except OSError:
            raise Unavailable(Reason.PERMISSION, "the folder with the backups can't be read") from None
        return found[-MOST_FOLDERS:]

    def _segments(self, deadline: Deadline) -> wal.Archive:
        assert self._archive is not None
        names: list[tuple[str, float]] = []
        histories: dict[int, str] = {}
        try:
            with os.scandir(self._archive) as entries:
                for one in entries:
                    deadline.need()
                    if len(names) >= MOST_FILES:
                        raise Unavailable(Reason.INVALID_ANSWER, f"more than {MOST_FILES:,} files in the WAL folder")
                    timeline = wal.history_of(one.name)
                    try:
                        about = one.stat(follow_symlinks=False)
                        if timeline is not None and one.name.endswith(".history"):
                            histories[timeline] = _start_of(Path(one.path))
                    except FileNotFoundError:  # a clean-up took it away since it was listed
                        continue
                    # What isn't packed has the size of a segment, unless it is still written, or was cut short.
                    if stat.S_ISREG(about.st_mode) and (len(one.name) != BARE or about.st_size == self._size):
                        names.append((one.name, about.st_mtime))
        except FileNotFoundError:
            raise Unavailable(Reason.NOT_FOUND, "the folder with the WAL is not there") from None
        except OSError:
            raise Unavailable(Reason.PERMISSION, "the folder with the WAL can't be read") from None
        return wal.archive(names, histories, self._size)


def _start_of(path: Path) -> str:
    """A history has a line for each timeline: what is longer is none."""
    with path.open("rb") as file:
        return file.read(LONGEST_HISTORY).decode("ascii", "replace")


def _stamp(folder: Path) -> tuple[float, int]:
    """When the manifest was written, and its size; without one, when the folder last changed, and -1."""
    try:
        found = (folder / MANIFEST).stat()
    except OSError:
        return folder.stat().st_mtime, -1
    return found.st_mtime, found.st_size


def _read(folder: Path) -> bytes | None:
    try:
        with (folder / MANIFEST).open("rb") as file:
            return file.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError:
        raise Unavailable(Reason.PERMISSION, "a manifest can't be read") from None


def manifest(raw: bytes | None, segment_size: int = wal.SEGMENT_SIZE) -> Mapping[str, Any]:
    """What a manifest says: `fault`, `type`, `size`, and `start` and `stop` as segments."""
    nothing = {"fault": None, "type": Type.FULL, "size": None, "start": None, "stop": None, "there": raw is not None}
    if raw is None:
        return {**nothing, "fault": Fault.INCOMPLETE}
    if len(raw) > LARGEST:
        return {**nothing, "fault": Fault.UNSUPPORTED_VERSION}
    try:
        found = json.loads(raw)
        if found["PostgreSQL-Backup-Manifest-Version"] not in VERSIONS:
            return {**nothing, "fault": Fault.UNSUPPORTED_VERSION}
        covered = raw[: raw.rindex(_LAST_LINE)]
        if hashlib.sha256(covered).hexdigest() != found["Manifest-Checksum"]:
            return {**nothing, "fault": Fault.MANIFEST}
        names = [str(one.get("Path") or "") for one in found["Files"]]
        parts = [_range(one, segment_size) for one in found["WAL-Ranges"]]
        size = sum(int(one["Size"]) for one in found["Files"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {**nothing, "fault": Fault.MANIFEST}
    increment = any(name.rpartition("/")[2].startswith("INCREMENTAL.") for name in names)
    start = min((one[0] for one in parts), key=lambda one: one.number, default=None)
    stop = max((one[1] for one in parts), key=lambda one: one.number, default=None)
    kind = Type.INCR if increment else Type.FULL
    return {**nothing, "type": kind, "size": size, "start": start, "stop": stop}


def _range(one: Mapping[str, Any], size: int) -> tuple[wal.Segment, wal.Segment]:
    """The end is the position after the last record: at the begin of a segment, that segment isn't needed."""
    timeline = int(one["Timeline"])
    first, last = wal.position(str(one["Start-LSN"])), wal.position(str(one["End-LSN"]))
    return wal.at(timeline, first, size), wal.at(timeline, max(first, last - 1), size)


def tables(found: Sequence[tuple[float, Mapping[str, Any]]], archive: wal.Archive | None, now: float) -> Tables:
    """The rows of folders, each with its time and what its manifest says; and the window that the WAL gives."""
    rows, bases = [], []
    for at, about in found:
        fault = about["fault"]
        if fault is None and at > now + AHEAD:
            fault = Fault.IN_THE_FUTURE
        moving = not about["there"] and now - at < ABANDONED
        state = State.UNFINISHED if moving else None
        rows.append(row(about["type"], at, fault, state=state, size=about["size"], whole=fault is None))
        if fault is None and about["start"] is not None:
            bases.append(wal.Base(about["start"], about["stop"], at))
    window: Mapping[str, Any] = {}
    if archive is not None and bases:
        window = archive.window(bases)._asdict()
    return {"main": rows, "place": [place(rows, **window)]}
