"""A case: what is done to a backup, and what a restore test must say of it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from closewatch.drill.stage import Stage

PASSED = "passed"


class NotHere(Exception):
    """A program that the case needs isn't on this machine: the case is not carried out, and that is said."""


@dataclass(slots=True)
class Plan:
    """What a prepared case is: the plan's settings, and what happens while it runs."""

    settings: dict[str, Any]
    meanwhile: Callable[[Path, threading.Event], None] | None = None
    """Called in a thread with the folder of scratch folders, and told when the test is over."""


@dataclass(frozen=True, slots=True)
class Case:
    """`expected` are the reasons that are right, or PASSED."""

    name: str
    expected: tuple[str, ...]
    prepare: Callable[[Stage], Plan]


@dataclass(slots=True)
class Cases:
    """Collects cases: `@cases.case("name", "reason")` above a function from the stage to a plan."""

    found: list[Case] = field(default_factory=list)

    def case(self, name: str, *expected: str) -> Callable[[Callable[[Stage], Plan]], Callable[[Stage], Plan]]:
        """Take up a case."""

        def take(prepare: Callable[[Stage], Plan]) -> Callable[[Stage], Plan]:
            self.found.append(Case(name, expected, prepare))
            return prepare

        return take


def by_base(stage: Stage, bases: Path, wal: Path | None = None, **more: Any) -> Plan:
    """A plan that restores a base backup; amcheck is left to what needs it, as the cases are many."""
    origin = {"basebackup": {"path": str(bases), "wal": str(wal or stage.ground.wal)}}
    return Plan({"origin": origin, "database": "odoo_books", "amcheck": "books", **more})


def by_dump(place: Path, **more: Any) -> Plan:
    """A plan that loads the dumps of a folder."""
    return Plan(
        {
            "origin": {"dump": {"folder": {"path": str(place), "settle": 1}}},
            "database": "odoo_books",
            "amcheck": "none",
            **more,
        }
    )


def by_pgbackrest(stage: Stage, repo: Path | None = None, **more: Any) -> Plan:
    """A plan that restores from pgBackRest; from a copy of the repository where one is named."""
    if not stage.ground.pgbackrest:
        raise NotHere("pgbackrest")
    config = stage.ground.config
    if repo is not None:
        config = repo.parent / "pgbackrest.conf"
        text = stage.ground.config.read_text(encoding="utf-8")
        config.write_text(text.replace(str(stage.ground.repo), str(repo)), encoding="utf-8")
        config.chmod(0o644)
    origin = {"pgbackrest": {"stanza": "main", "config": str(config)}}
    return Plan({"origin": origin, "database": "odoo_books", "amcheck": "books", **more})


def flip(path: Path, at: int | None = None) -> None:
    """Turn one byte over; its times stay as they were."""
    about = path.stat()
    place = about.st_size // 2 if at is None else at
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)
        file.seek(place)
        file.write(bytes([byte[0] ^ 0xFF]))
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


def cut(path: Path, share: float) -> None:
    """Keep only the first part of a file."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(int(size * share))
    aged(path)


def aged(path: Path, seconds: float = 60.0) -> None:
    """Last changed so long ago: nobody is still writing it."""
    os.utime(path, (time.time() - seconds,) * 2)
