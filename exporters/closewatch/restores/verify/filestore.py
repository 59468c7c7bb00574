"""Are the attachments there, and are they what they were? Every file that `ir_attachment` names is read and hashed.

Odoo names a file after the SHA-1 of its content and keeps that in `checksum` too: name, checksum and size must all be
those of what is read. Several attachments share a file; it is read once. A name is data from a database: one that leads
out of the filestore is wrong and never opened.

Source: Odoo's odoo/addons/base/models/ir_attachment.py (_file_read, _get_path, _compute_checksum).
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from closewatch.restores.verify import hashing
from closewatch.restores.verify.hashers import File, Hashed, Need, hashed
from closewatch.restores.verify.sample import CONFIDENCE, Reservoir, words
from closewatch.restores.why import Failed, Why

TABLE = """
SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'public' AND c.relname = 'ir_attachment' AND c.relkind IN ('r', 'p')
"""
"""Gives a row where the attachments are in a table, not in a view that shows what somebody likes."""
QUERY = """
SELECT store_fname, checksum, file_size::bigint, db_datas IS NOT NULL
FROM public.ir_attachment WHERE type = 'binary' ORDER BY store_fname COLLATE "C"
"""
"""What `check` reads, by a cursor: in the order of names, so that those who share a file stand together."""
EXAMPLES = 10
EACH = 1000
"""So many rows are gone through between two looks at the limits."""
MARKS = "checklist"
"""Odoo's folder of what it will clean up."""
_NAME = re.compile(r"(?!.*(^|/)\.{1,2}(/|$))[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*", re.ASCII)
_HASHED = re.compile(r"[0-9a-f]{2,3}/[0-9a-f]{40}")
_ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9_+.-]*://")
_SHA1 = 40

Row = Sequence[Any]
Progress = Callable[[str, float | None], None]


class Wanted(NamedTuple):
    """A file and what the attachments that name it say: several where they contradict each other."""

    name: str
    says: frozenset[tuple[str | None, int | None]]


@dataclass(slots=True)
class Findings:
    """Counts of files, each counted once; `examples` are names: hashes that tell nothing of the content.

    `wrong` names lead out of the filestore; `elsewhere` are files in another store, such as s3://…: they are not in
    what was restored. `in_database` and `empty` count attachments without a file. `orphans` are files without one.
    """

    total: int = 0
    checked: int = 0
    bytes: int = 0
    missing: int = 0
    altered: int = 0
    unreadable: int = 0
    wrong: int = 0
    elsewhere: int = 0
    in_database: int = 0
    empty: int = 0
    orphans: int = 0
    sampled: bool = False
    confidence: str | None = None
    examples: dict[str, list[str]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether everything that was looked at is there and right."""
        return not (self.missing or self.altered or self.unreadable or self.wrong or self.elsewhere)

    @property
    def words(self) -> str:
        """What is not right, for people."""
        kinds = ("missing", "altered", "unreadable", "wrong", "elsewhere")
        return ", ".join(f"{getattr(self, kind):,} {kind}" for kind in kinds if getattr(self, kind))

    @property
    def payload(self) -> Mapping[str, Any]:
        """For the record."""
        return {name: getattr(self, name) for name in self.__slots__} | {"complete": self.complete}

    def note(self, kind: str, name: str) -> None:
        """One file is not right."""
        setattr(self, kind, getattr(self, kind) + 1)
        some = self.examples.setdefault(kind, [])
        if len(some) < EXAMPLES and _HASHED.fullmatch(name):
            some.append(name)


def check(
    rows: Iterable[Row],
    root: Path,
    need: Need,
    *,
    sample: int | None = None,
    processes: int | None = None,
    progress: Progress | None = None,
) -> Findings:
    """Look at every file that `rows` (of `QUERY`) name, below `root`.

    All are hashed, or a random sample of so many: then of the others it is seen that they are there and how long. What
    `need` raises ends it. Raises Failed where there is no such folder, ValueError for rows out of the order of names.
    """
    if not root.is_dir():
        raise Failed(Why.FILESTORE_INCOMPLETE, "there is no filestore in the backup")
    found = Findings()
    there = _openable(_wanted(rows, found, need), found)
    expected: dict[str, frozenset[tuple[str | None, int | None]]] = {}

    def files(wanted: Iterable[Wanted]) -> Iterator[File]:
        for one in wanted:
            expected[one.name] = one.says
            yield File(one.name, next(iter(one.says))[1])

    if sample is not None:
        reservoir = Reservoir(sample)
        chosen = reservoir.fill(_sized(there, root, found, need))
        found.sampled = reservoir.seen > len(chosen)
        there = iter(sorted(chosen))
        if found.sampled and chosen:
            found.confidence = words(len(chosen), reservoir.seen, CONFIDENCE)
    for batch in hashed(root, files(there), need, processes):
        for one in batch:
            _compare(one, expected.pop(one.file.name), found)
        if progress is not None:
            progress("filestore", None)
    if not found.complete:
        found.confidence = None
    found.orphans = max(0, _count(root, need) - (found.total - found.missing - found.wrong - found.elsewhere))
    return found


def _wanted(rows: Iterable[Row], found: Findings, need: Need) -> Iterator[Wanted]:
    """The distinct files."""
    name: str | None = None
    says: set[tuple[str | None, int | None]] = set()
    for number, (fname, checksum, size, in_database) in enumerate(rows):
        if number % EACH == 0:
            need()
        if not fname:
            found.in_database += bool(in_database)
            found.empty += not in_database
            continue
        if fname != name:
            if name is not None:
                yield Wanted(name, frozenset(says))
                if fname < name:
                    raise ValueError("attachments are not in the order of their files")
            name, says = fname, set()
        says.add((checksum or None, size))
    if name is not None:
        yield Wanted(name, frozenset(says))


def _openable(wanted: Iterable[Wanted], found: Findings) -> Iterator[Wanted]:
    """Those whose names can be opened."""
    for one in wanted:
        found.total += 1
        if _ELSEWHERE.match(one.name):
            found.note("elsewhere", one.name)
        elif not _NAME.fullmatch(one.name):
            found.note("wrong", one.name)
        else:
            yield one


def _sized(wanted: Iterable[Wanted], root: Path, found: Findings, need: Need) -> Iterator[Wanted]:
    """Those that are there, and have the size they should have."""
    for number, one in enumerate(wanted):
        if number % EACH == 0:
            need()
        try:
            about = os.lstat(root / one.name)
        except (FileNotFoundError, NotADirectoryError):
            found.note("missing", one.name)
            continue
        except OSError:
            found.note("unreadable", one.name)
            continue
        if not stat.S_ISREG(about.st_mode):
            found.note("missing", one.name)
        elif any(size not in {None, about.st_size} for _, size in one.says):
            found.note("altered", one.name)
        else:
            yield one


def _compare(got: Hashed, says: frozenset[tuple[str | None, int | None]], found: Findings) -> None:
    if got.sha1 is None:
        found.note("missing" if got.why == hashing.MISSING else "unreadable", got.file.name)
        return
    found.checked += 1
    found.bytes += got.size
    named = got.file.name.rpartition("/")[2]
    right = len(named) != _SHA1 or named == got.sha1
    if not right or any(checksum not in {None, got.sha1} or size not in {None, got.size} for checksum, size in says):
        found.note("altered", got.file.name)


def _count(root: Path, need: Need) -> int:
    """All files below, without Odoo's marks."""
    count = 0
    for folder, below, files in os.walk(root):
        need()
        if Path(folder) == root and MARKS in below:
            below.remove(MARKS)
        count += len(files)
    return count
