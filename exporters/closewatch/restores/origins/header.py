"""What a dump says of itself at its begin: of which database it is, from which version, by which pg_dump.

Source: PostgreSQL's src/bin/pg_dump/pg_backup_archiver.c (WriteHead, and the comments of the plain format).
"""

from __future__ import annotations

import datetime as dt
import re
from typing import NamedTuple

from closewatch.backups.dump import MAGIC, VERSIONS
from closewatch.restores.why import Failed, Why

PLAIN = re.compile(rb"^-- Dumped (from database|by pg_dump) version (\d+)(?:\.(\d+))?", re.MULTILINE)
CLUSTER = b"-- PostgreSQL database cluster dump"
NEW_NUMBERS = 10
"""From here on the first number alone is the major version."""


class Header(NamedTuple):
    """`major` is the lowest version of PostgreSQL that can load it: pg_dump's own version counts too.

    `clock` is when it was begun, in the local time of a zone that isn't said, as if that were UTC.
    """

    database: str | None = None
    major: int | None = None
    server: str | None = None
    clock: float | None = None


def of_archive(data: bytes) -> Header:
    """Of the custom format, or of a toc.dat. Raises Failed."""
    try:
        return _archive(data)
    except (IndexError, ValueError):
        raise Failed(Why.UNREADABLE, "the header of the dump is cut short or altered") from None


def _archive(data: bytes) -> Header:
    if not data.startswith(MAGIC) or data[5] != 1 or data[6] not in VERSIONS:
        raise Failed(Why.UNREADABLE, "the header of the dump is of no version that is known")
    minor, size, at = data[6], data[8], 11
    at += 1 if minor >= 15 else 1 + size  # noqa: PLR2004 - archive version 1.15: the compression is one byte
    clock = [int.from_bytes(data[at + n * (1 + size) :][1 : 1 + size], "little") for n in range(6)]
    at += 7 * (1 + size)
    texts = []
    for _ in range(3):
        length = int.from_bytes(data[at + 1 : at + 1 + size], "little") if not data[at] else 0
        at += 1 + size
        if at + length > len(data):
            raise ValueError
        texts.append(data[at : at + length].decode("utf-8", "replace"))
        at += length
    return Header(texts[0] or None, _major(texts[1:]), texts[1].split(" ")[0][:32] or None, _seconds(clock))


def _seconds(clock: list[int]) -> float | None:
    second, minute, hour, day, month, year = clock
    try:
        return dt.datetime(year + 1900, month + 1, day, hour, minute, min(second, 59), tzinfo=dt.UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def of_plain(text: bytes) -> Header:
    """Of the first kilobytes of a plain dump. Raises Failed."""
    if CLUSTER in text:
        raise Failed(Why.CANNOT_TEST, "it is pg_dumpall's dump of a whole cluster, which is not tested")
    versions = {found[1]: b".".join(part for part in found.groups()[1:] if part) for found in PLAIN.finditer(text)}
    server = versions.get(b"from database")
    return Header(None, _major([one.decode() for one in versions.values()]), server.decode() if server else None)


def _major(versions: list[str]) -> int | None:
    found = [int(match[0]) for version in versions if (match := re.match(r"\d+", version))]
    return max(*found, NEW_NUMBERS) if found else None
