"""What `backup.info` says, the account that Barman keeps beside each of its backups: lines of NAME=value. Pure.

Source: Barman's barman/infofile.py, 3.4 to 3.17.
"""

from __future__ import annotations

import ast
import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass

DONE = "DONE"
_SEGMENT = re.compile(r"[0-9A-F]{24}")
_NEW_NUMBERS = 100_000
"""From version 10 on, a number such as 150004 is 15.4."""


@dataclass(frozen=True, slots=True)
class Info:
    """A backup that is done; `done` is in Unix seconds, `tablespaces` are their numbers."""

    done: float
    begin_wal: str
    end_wal: str
    major: int | None
    system_identifier: str | None
    size: int | None
    tablespaces: frozenset[str]
    snapshots: bool


def parse(text: str) -> Info | None:
    """What it says; None where the backup isn't done. Raises ValueError where it is no such file."""
    lines = [line.partition("=") for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found = {name.strip(): value.strip() for name, equals, value in lines if equals}
    if "status" not in found:
        raise ValueError("no status")
    if found["status"] != DONE:
        return None
    begin, end = found.get("begin_wal", ""), found.get("end_wal", "")
    if not _SEGMENT.fullmatch(begin) or not _SEGMENT.fullmatch(end):
        raise ValueError("no WAL")
    version = _number(found, "version")
    return Info(
        done=_time(found.get("end_time", "")),
        begin_wal=begin,
        end_wal=end,
        major=version // 10_000 if version and version >= _NEW_NUMBERS else None,
        system_identifier=found["systemid"] if found.get("systemid", "").isdecimal() else None,
        size=_number(found, "size"),
        tablespaces=_tablespaces(found.get("tablespaces", "None")),
        snapshots=found.get("snapshots_info", "None") not in {"", "None"},
    )


def _number(found: Mapping[str, str], name: str) -> int | None:
    value = found.get(name, "")
    return int(value) if value.isdecimal() and value.isascii() else None


def _time(text: str) -> float:
    """As Python writes it, or as C's ctime does; without a zone it is UTC."""
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        at = dt.datetime.strptime(text, "%a %b %d %H:%M:%S %Y").replace(tzinfo=dt.UTC)
    return (at if at.tzinfo else at.replace(tzinfo=dt.UTC)).timestamp()


def _tablespaces(text: str) -> frozenset[str]:
    """From a list of (name, number, place) as Python writes it."""
    try:
        listed = ast.literal_eval(text)
        return frozenset(str(int(number)) for _, number, _ in listed or ())
    except (SyntaxError, TypeError, ValueError, MemoryError, RecursionError):
        raise ValueError("no list of tablespaces") from None
