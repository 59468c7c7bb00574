"""Files and folders with certificates, read again only where something changed.

Links are followed, so the swap of `..data` in a Kubernetes volume and certbot's `live` are seen at once; folders that
were seen are not entered again, so circles of links end. Names that begin with a dot are not looked at in folders.
"""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason
from closewatch.core.secrets import Secret
from closewatch.sources.certificates.facts import Bundle
from closewatch.sources.certificates.places import Found
from closewatch.sources.certificates.read import State, read_file, state_of, why
from closewatch.sources.certificates.words import Fault, Unreadable

SUFFIXES = (".pem", ".crt", ".cer", ".cert", ".der", ".p12", ".pfx", ".jks", ".keystore")
"""The files of a folder that are looked at; a file that is named one by one may have any name."""
MAX_FILES = 20_000
MAX_DEPTH = 12

Known = tuple[State, Bundle | Fault | Reason]


class Files:
    """Some files, folders and patterns. Used by one thread at a time."""

    def __init__(self, patterns: Sequence[Path], ignore: Sequence[str] = (), password: Secret | None = None) -> None:
        self._patterns = [str(pattern) for pattern in patterns]
        self._ignore = tuple(ignore)
        self._password = password
        self._known: dict[str, Known] = {}

    def read(self, deadline: Deadline) -> Iterator[Found]:
        """Every file, with its bundle or why there is none. What the deadline cuts off is not reached."""
        known: dict[str, Known] = {}
        for count, (path, named) in enumerate(self._paths()):
            if count >= MAX_FILES or deadline.left() <= 0:
                yield Found("file", path, failure=Fault.NOT_REACHED)
                known.update(self._known)
                break
            found = self._one(path, known)
            if named or not _passing(found):
                yield found
        self._known = known

    def _one(self, path: str, known: dict[str, Known]) -> Found:
        try:
            state = state_of(path)
            before = self._known.get(path)
            if before is None or before[0] != state:
                before = (state, self._content(path))
            if before[1] not in (Fault.PASSWORD, Fault.CHANGING, Reason.PERMISSION):
                known[path] = before  # the others may change without the file
        except Unreadable as failure:
            return Found("file", path, failure=failure.reason)
        if isinstance(before[1], Bundle):
            return Found("file", path, before[1])
        return Found("file", path, failure=before[1])

    def _content(self, path: str) -> Bundle | Fault | Reason:
        try:
            return Bundle.of(read_file(path, self._password).certificates)
        except Unreadable as failure:
            return failure.reason

    def _paths(self) -> Iterator[tuple[str, bool]]:
        """(path, whether it is named in the configuration), each path once."""
        seen: set[str] = set()
        for pattern in self._patterns:
            named = not glob.has_magic(pattern)
            matches = [pattern] if named else sorted(glob.iglob(pattern))  # noqa: PTH207 - a text, as the labels are
            empty = True
            for match in matches:
                below = [match] if not os.path.isdir(match) else _below(match)  # noqa: PTH112
                for path in below:
                    empty = False
                    if path not in seen and not self._ignored(path):
                        seen.add(path)
                        yield path, named and path == match
            if empty and pattern not in seen:
                seen.add(pattern)
                yield pattern, True

    def _ignored(self, path: str) -> bool:
        return any(fnmatch.fnmatchcase(path, pattern) for pattern in self._ignore)


def _below(folder: str) -> Iterator[str]:
    """The files of a folder and its subfolders that look like certificates, in order; circles of links end."""
    seen: set[tuple[int, int]] = set()
    waiting = [(folder, 0)]
    while waiting:
        place, depth = waiting.pop()
        try:
            about = os.stat(place)  # noqa: PTH116
            if (about.st_dev, about.st_ino) in seen:
                continue
            seen.add((about.st_dev, about.st_ino))
            with os.scandir(place) as entries:
                inside = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda e: e.name)
        except OSError as error:
            if why(error).reason is Reason.PERMISSION:
                yield place  # said as a place of its own: what is in there is not known
            continue
        folders = []
        for entry in inside:
            if _is_folder(entry):
                folders.append((entry.path, depth + 1))
            elif entry.name.lower().endswith(SUFFIXES):
                yield entry.path
        if depth < MAX_DEPTH:
            waiting += reversed(folders)


def _passing(found: Found) -> bool:
    """Nothing to tell of a file of a folder: a key without a certificate, or removed since the folder was read."""
    if found.failure is Fault.GONE:
        return not os.path.islink(found.name)  # noqa: PTH114 - a link that leads nowhere stays, and is told
    return found.failure is Fault.NO_CERTIFICATE


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
