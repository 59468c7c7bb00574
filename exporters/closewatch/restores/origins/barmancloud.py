"""From a bucket as barman-cloud-backup and barman-cloud-wal-archive fill it, CloudNativePG's too.

Read by our own client, so that no login gets to a program. WAL is brought near before recovery: for a moment, what was
archived up to an hour after it, and some more, as recovery only knows the moment by a commit that is later.
Source: Barman's barman/cloud.py, 3.4 to 3.17.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from closewatch.core.reasons import Reason, Unavailable
from closewatch.restores.links import take_in
from closewatch.restores.origins import backupinfo, unpacked
from closewatch.restores.origins.base import Backup, Moment, Window
from closewatch.restores.origins.recovery import PACKED, SEGMENT, from_folder, settings_for
from closewatch.restores.scratch import Scratch
from closewatch.restores.why import Failed, Why
from closewatch.sources.s3.tree import Item, Tree
from closewatch.sources.store import Gone

LARGEST = 1024 * 1024
"""Bytes of a backup.info."""
AFTER = 3600.0
"""Seconds by which archiving may lag behind."""
MORE = 4 * 1024**3
"""Bytes of WAL, as archived, beyond that: a quiet weekend without a commit fits in."""
LABEL = "backup_label"
_BACKUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_ARCHIVE = re.compile(r"(data|\d+)(_\d{4})?\.tar(\.[a-z0-9]+)?")
_HISTORY = re.compile(rf"[0-9A-F]{{8}}\.history(\.({'|'.join(PACKED)}))?")
_ANY_SEGMENT = re.compile(r"([0-9A-F]{24})(\.[a-z0-9]+)?")
_UNPACKED = {None, ".gz", ".bz2", ".xz", ".zst", ".lz4"}
Answer = TypeVar("Answer")


class BarmanCloud:
    """One server's backups and WAL below a prefix."""

    name = "barman_cloud"

    def __init__(self, tree: Tree, server: str) -> None:
        self._tree = tree
        self._base = f"{server}/base/"
        self._wals = f"{server}/wals/"
        self._known: dict[str, backupinfo.Info] = {}
        self._reached: str | None = None
        """The newest segment that was fetched, where later ones were left."""

    def backups(self, scratch: Scratch) -> Sequence[Backup]:
        """Those that are done, the newest first. Raises Failed, also where there are others alone."""
        self._asked(self._tree.connect)
        names = [name for name in self._all(self._tree.folders(self._base, scratch.watch)) if _BACKUP.fullmatch(name)]
        self._known, damaged = {}, 0
        for name in names:
            try:
                info = self._info(name, scratch)
            except ValueError:
                damaged += 1
                continue
            if info is not None:
                self._known[name] = info
        if not self._known:
            why = Why.UNREADABLE if damaged else Why.NO_BACKUP
            raise Failed(why, f"of {len(names)} backups none is done" + (", or can be read" if damaged else ""))
        found = [_backup(name, info) for name, info in self._known.items()]
        return sorted(found, key=lambda backup: backup.done, reverse=True)

    def window(self, scratch: Scratch) -> Window | None:
        """From the end of the oldest backup to when the newest segment was archived."""
        good, newest = self.backups(scratch), self._newest(scratch)
        return Window(min(backup.done for backup in good), newest.modified if newest else None)

    def newest_wal(self, scratch: Scratch) -> str | None:
        """The newest segment in the bucket; where WAL was fetched up to a moment, the newest of that."""
        if self._reached is not None:
            return self._reached
        newest = self._newest(scratch)
        return None if newest is None else _last(newest)[:24]

    def restore(self, backup: Backup, to: Moment, scratch: Scratch) -> Mapping[str, str]:
        """Fetch and unpack it, then fetch the WAL. Raises Failed."""
        info = self._known.get(backup.id)
        if info is None:
            raise Failed(Why.NO_BACKUP, "the backup that was chosen is no longer there, or no longer good")
        if info.snapshots:
            raise Failed(Why.CANNOT_TEST, "the backup is a snapshot of volumes: only the cluster itself can restore it")
        self._unpack(backup.id, info, scratch)
        wal = scratch.folder("wal")
        self._fetch_wal(info, to, wal, scratch)
        return settings_for(from_folder(wal), to)

    def _info(self, name: str, scratch: Scratch) -> backupinfo.Info | None:
        """None where it isn't done. Raises ValueError where its account is damaged."""
        whole = f"{self._base}{name}/backup.info"
        item = next((one for one in self._all(self._tree.items(whole, scratch.watch)) if one.name == whole), None)
        if item is None:
            return None  # it is written at the end
        if item.size > LARGEST:
            raise ValueError
        return backupinfo.parse(b"".join(self._content(item, scratch)).decode())

    def _unpack(self, name: str, info: backupinfo.Info, scratch: Scratch) -> None:
        items = self._all(self._tree.items(f"{self._base}{name}/", scratch.watch))
        archives = [(item, found) for item in items if (found := _ARCHIVE.fullmatch(_last(item)))]
        lacks = {"data", *info.tablespaces} - {found[1] for _, found in archives}
        if lacks:
            raise Failed(Why.UNREADABLE, "an archive of the backup is not in the bucket")
        if any(found[3] not in _UNPACKED for _, found in archives):
            raise Failed(Why.CANNOT_TEST, "the backup is compressed in a way that can't be unpacked here")
        places = {"data": scratch.data}
        size, done = sum(item.size for item, _ in archives) or 1, 0
        near = scratch.folder("fetched")
        for item, found in archives:
            if found[1] not in places:
                places[found[1]] = scratch.folder(f"tablespace-{found[1]}")
            file = near / _last(item)
            self._download(item, file, scratch)
            done += item.size
            scratch.progress("fetch", done / size)
            if scratch.run(["tar", "-xf", str(file), "-C", str(places[found[1]])], cwd=scratch.path).code:
                raise Failed(Why.UNREADABLE, "an archive of the backup is damaged or cut short")
            file.unlink()
        # Barman writes it last: a plain tar that is cut between two files is no error to the program.
        if not (scratch.data / LABEL).is_file():
            raise Failed(Why.UNREADABLE, "an archive of the backup is cut short: its label is not there")
        for number in places.keys() - {"data"}:
            take_in(scratch, scratch.data / "pg_tblspc" / number, places[number])

    def _fetch_wal(self, info: backupinfo.Info, to: Moment, wal: Path, scratch: Scratch) -> None:
        begin = info.begin_wal
        own = self._all(self._tree.items(f"{self._wals}{begin[:8]}.history", scratch.watch))
        rest = self._all(self._tree.items(self._wals, scratch.watch, f"{self._wals}{begin[:16]}/"))
        segments = [item for item in rest if (found := _ANY_SEGMENT.fullmatch(_last(item))) and found[1] >= begin]
        if not segments or _last(segments[0])[:24] != begin:
            raise Failed(Why.WAL_MISSING, "the segment in which the backup begins is not in the bucket")
        wanted = segments if to.time is None else until(segments, to.time, info.end_wal)
        if any(not SEGMENT.fullmatch(_last(item)) for item in wanted):
            raise Failed(Why.CANNOT_TEST, "the WAL is compressed in a way that can't be unpacked here")
        for item in [one for one in (*own, *rest) if _HISTORY.fullmatch(_last(one))] + wanted:
            if not (wal / _last(item)).exists():
                self._download(item, wal / _last(item), scratch)
        if len(wanted) < len(segments):
            self._reached = max((_last(item)[:24] for item in wanted), key=lambda name: name[8:])

    def _newest(self, scratch: Scratch) -> Item | None:
        """From the newest backup on, as it needs what follows it."""
        begin = max((info.begin_wal for info in self._known.values()), key=lambda name: name[8:], default="")
        after = f"{self._wals}{begin[:16]}/" if begin else ""
        found = self._all(self._tree.items(self._wals, scratch.watch, after))
        segments = [item for item in found if _ANY_SEGMENT.fullmatch(_last(item))]
        return max(segments, key=lambda item: _last(item)[:24], default=None)

    def _download(self, item: Item, to: Path, scratch: Scratch) -> None:
        unpacked.write(self._content(item, scratch), to)
        scratch.give(to)

    def _content(self, item: Item, scratch: Scratch) -> Iterator[bytes]:
        if not item.readable:
            raise Failed(Why.UNREADABLE, "a part of it lies in an archive tier, from where it can't be read now")
        try:
            yield from self._tree.chunks(item, scratch.watch)
        except Gone:
            raise Failed(Why.UNREADABLE, "the backup was changed or removed while it was fetched") from None
        except Unavailable as failure:
            raise _failed(failure) from None

    def _all(self, found: Iterable[Answer]) -> list[Answer]:
        return self._asked(lambda: list(found))

    def _asked(self, ask: Callable[[], Answer]) -> Answer:
        try:
            return ask()
        except Unavailable as failure:
            raise _failed(failure) from None


def until(segments: Sequence[Item], moment: float, end: str) -> list[Item]:
    """Of the segments in order, those that recovery to a moment reads; those of the backup itself in any case."""
    found, more = [], 0
    for item in segments:
        if item.modified > moment + AFTER and _last(item)[8:24] > end[8:]:
            more += item.size
        if more <= MORE:
            found.append(item)
    return found


def _backup(name: str, info: backupinfo.Info) -> Backup:
    about: dict[str, str | int | bool] = {"wal": f"{info.begin_wal} to {info.end_wal}"}
    if info.system_identifier is not None:
        about["system_identifier"] = info.system_identifier
    return Backup(name, info.done, info.size, info.major, about=about)


def _last(item: Item) -> str:
    return item.name.rpartition("/")[2]


def _failed(failure: Unavailable) -> Failed:
    why = Why.NO_BACKUP if failure.reason is Reason.NOT_FOUND else Why.UNREADABLE
    return Failed(why, f"the bucket of the backups: {failure.reason.words}")
