"""pg_dump's formats: custom, directory and tar begin with one kind of header and table of contents; plain is SQL.

Of the custom format the end can be seen: the table of contents says where each table's data begin, and the data of each
end with a length of 0 (large objects with two). A dump that was written to a pipe has no such places: whether all of
its data are there can't be told then, only that the last of them are whole.

Source: PostgreSQL's src/bin/pg_dump/pg_backup_archiver.c (ReadHead, ReadToc) and pg_backup_custom.c; archive versions
1.12 (PostgreSQL 9) to 1.16 (17, 18). Another version is said, not guessed at.
"""

from __future__ import annotations

import calendar
from collections.abc import Collection
from typing import NamedTuple

from closewatch.backups.found import HEAD, ZONE_BEHIND, Fault, Found, Read, Type, bad

MAGIC = b"PGDMP"
VERSIONS = range(12, 17)
"""Of 1.x."""
CUSTOM, TAR = 1, 3
"""The header's format; the directory format writes that of tar."""
SIZES = (HEAD, 1024 * 1024, 8 * 1024 * 1024)
"""How much is read for the table of contents, in steps; of one that is longer the end is not known."""
MOST_ENTRIES = 5_000_000
NO_PLACE, PLACE = 1, 2
LARGE_OBJECTS = b"\x03"
"""The kind of a block, in its first byte."""
PLAIN = (b"-- PostgreSQL database dump", b"-- PostgreSQL database cluster dump")
TAIL = 4096


class _Short(Exception):
    """The bytes end before what is read."""


class _Unsupported(Exception):
    """An archive version that isn't known."""


class _Broken(Exception):
    """Bytes that can't be a header."""


class Toc(NamedTuple):
    """What the header and the table of contents say; `size` is their length together.

    `unplaced` counts data without a place, `places` are those of the others; `files` those of the directory format.
    """

    format: int
    begun: float | None
    size: int
    step: int
    unplaced: int
    places: tuple[int, ...]
    files: tuple[str, ...]


class _Bytes:
    """Reads pg_dump's integers and strings."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.int_size = 4
        self.offset_size = 8

    def byte(self) -> int:
        return self.take(1)[0]

    def take(self, length: int) -> bytes:
        part = self.data[self.at : self.at + length]
        if len(part) < length:
            raise _Short
        self.at += length
        return part

    def number(self) -> int:
        sign = self.byte()
        if sign > 1:
            raise _Broken
        value = int.from_bytes(self.take(self.int_size), "little")
        return -value if sign else value

    def text(self) -> bytes | None:
        length = self.number()
        return None if length < 0 else self.take(length)

    def skip(self, strings: int) -> None:
        for _ in range(strings):
            self.text()


def inspect(read: Read, size: int, files: Collection[str] | None = None) -> Found:
    """A file that begins with the header; `files` are those of the folder, for the directory format's toc.dat."""
    try:
        toc = _toc(read, size)
    except _Unsupported:
        return bad(Fault.UNSUPPORTED_VERSION, Type.DUMP)
    except (_Short, _Broken):
        return bad(Fault.TRUNCATED, Type.DUMP)
    if toc is None:
        return Found(Type.DUMP)
    if files is not None:
        return _folder(toc, files)
    if toc.format == TAR:  # the table of contents of a tar: its own end is the archive's matter
        return Found(Type.DUMP, begun=toc.begun)
    return _custom(toc, read, size)


def _custom(toc: Toc, read: Read, size: int) -> Found:
    if not toc.places and not toc.unplaced:  # no data at all: a dump of the schema
        return Found(Type.DUMP, whole=True, begun=toc.begun)
    last = max(toc.places, default=0)
    if last >= size or toc.size >= size:
        return bad(Fault.TRUNCATED, Type.DUMP)
    ends = 2 * toc.step if last and read(last, 1) == LARGE_OBJECTS else toc.step
    ending = read(max(0, size - ends), ends)
    if ending.strip(b"\0"):
        return bad(Fault.TRUNCATED, Type.DUMP)
    return Found(Type.DUMP, whole=None if toc.unplaced else True, begun=toc.begun)


def _folder(toc: Toc, files: Collection[str]) -> Found:
    """Every file that the table of contents names is there; their ends aren't looked at."""
    bare = {name.removesuffix(ending) for name in files for ending in (".gz", ".lz4", ".zst", "")}
    if any(name not in bare for name in toc.files):
        return bad(Fault.INCOMPLETE, Type.DUMP)
    return Found(Type.DUMP, begun=toc.begun)


def _toc(read: Read, size: int) -> Toc | None:
    """Reads more as long as it is too short; None where it is longer than what is read at most."""
    for length in SIZES:
        try:
            return _parse(_Bytes(read(0, min(length, size))))
        except _Short:
            if length >= size:
                raise
    return None


def _parse(data: _Bytes) -> Toc:
    if data.take(len(MAGIC)) != MAGIC:
        raise _Broken
    major, minor, _revision = data.byte(), data.byte(), data.byte()
    if major != 1 or minor not in VERSIONS:
        raise _Unsupported
    data.int_size, data.offset_size = data.byte(), data.byte()
    form = data.byte()
    if not 0 < data.int_size <= 8 or not 0 < data.offset_size <= 8 or form not in {CUSTOM, TAR}:  # noqa: PLR2004 - bytes
        raise _Broken
    if minor >= 15:  # noqa: PLR2004 - archive version 1.15
        data.byte()
    else:
        data.number()
    clock = [data.number() for _ in range(7)]
    data.skip(3)  # the database, and the versions of the server and of pg_dump
    count = data.number()
    if not 0 <= count <= MOST_ENTRIES:
        raise _Broken
    unplaced, places, files = _entries(data, count, minor, form)
    return Toc(form, _begun(clock), data.at, data.int_size + 1, unplaced, tuple(places), tuple(files))


def _entries(data: _Bytes, count: int, minor: int, form: int) -> tuple[int, list[int], list[str]]:
    unplaced, places, files = 0, [], []
    for _ in range(count):
        data.number()  # id
        data.number()  # whether it has data
        data.skip(4)  # oids, tag, description
        data.number()  # section
        data.skip(5)  # definition, drop, copy, schema, tablespace
        if minor >= 14:  # noqa: PLR2004 - archive version 1.14
            data.text()  # access method
        if minor >= 16:  # noqa: PLR2004 - archive version 1.16
            data.number()  # kind
        data.skip(2)  # owner, oids
        while data.text() is not None:  # what it depends on
            continue
        if form == CUSTOM:
            state, place = data.byte(), int.from_bytes(data.take(data.offset_size), "little")
            unplaced += state == NO_PLACE
            if state == PLACE:
                places.append(place)
        elif name := data.text():
            files.append(name.decode("utf-8", "replace"))
    return unplaced, places, files


def _begun(clock: list[int]) -> float | None:
    """When it was begun at the latest; the header has the local time of an unknown zone."""
    second, minute, hour, day, month, year, _summer = clock
    try:
        return calendar.timegm((year + 1900, month + 1, day, hour, minute, second)) + ZONE_BEHIND
    except (ValueError, OverflowError):
        return None


def is_plain(head: bytes) -> bool:
    """Whether a text is pg_dump's, or pg_dumpall's."""
    return any(first in head[:TAIL] for first in PLAIN)


def inspect_plain(read: Read, size: int) -> Found:
    """Plain SQL says at its end that it is complete."""
    tail = read(max(0, size - TAIL), TAIL)
    if any(first + b" complete" in tail for first in PLAIN):
        return Found(Type.DUMP, whole=True)
    return bad(Fault.TRUNCATED, Type.DUMP)
