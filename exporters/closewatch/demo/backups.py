"""The nightly dumps of one tenant, made by pg_dump itself, in a folder: the backups that are watched."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from closewatch.demo.databases import CELL, TENANTS, Databases
from closewatch.demo.watching import KeepSecret, Targets
from closewatch.engines.binaries import client_program
from closewatch.engines.folder import RunFolder
from closewatch.engines.process import EngineError

TENANT = TENANTS[0]
TARGET = f"{TENANT}-dumps"
NIGHTS = 8
HOUR = 3600.0
LOOK = 2.0
"""Seconds between two looks at the folder; as shipped it is five minutes."""


class Backups:
    """A dump of each of the last nights, the newest three hours old."""

    title = f"Backups: the nightly dumps of {TENANT}"
    count = 1

    def __init__(self, run: RunFolder, databases: Databases) -> None:
        self.run = run
        self.databases = databases
        self.folder = run.folder("dumps")
        self.away = run.folder("dumps-away")
        today = time.time()
        self.nights = [f"{TENANT}-{_day(today - night * 24 * HOUR)}.dump" for night in range(NIGHTS)]
        """The files' names, the newest first."""

    def start(self) -> None:
        """Make one dump, and give it and its copies the dates of the last nights."""
        newest = self.dump(f"odoo_{TENANT}", self.nights[0])
        for name in self.nights[1:]:
            shutil.copy(newest, self.folder / name)
        for night, name in enumerate(self.nights):
            self.date(self.folder / name, 3 * HOUR + night * 24 * HOUR)

    def targets(self, keep_secret: KeepSecret) -> Targets:  # noqa: ARG002 - one signature for all parts
        """The folder; nothing is logged in to."""
        place = {"path": str(self.folder), "pattern": "*.dump", "settle": 1}
        return [
            {"kind": "backups", "name": TARGET, "tenant": TENANT, "cell": CELL, "folder": place, "every": LOOK},
        ]

    def close(self) -> None:
        """The files end with the run folder."""

    def dump(self, database: str, name: str) -> Path:
        """Dump a database of the first cell into the folder."""
        server = self.databases.primary
        path = self.folder / name
        command = [str(client_program("pg_dump", server.major)), "-Fc", "-f", str(path)]
        command.append(server.dsn(database, password=""))
        done = self.run.call(command, env={"PGPASSWORD": server.password}, timeout=60)
        if done.returncode:
            raise EngineError(f"pg_dump of {database}: {done.stderr.strip()}")
        return path

    @staticmethod
    def date(path: Path, ago: float) -> None:
        """Make the file so many seconds old."""
        os.utime(path, (time.time() - ago,) * 2)

    def lose(self, nights: int) -> Callable[[], None]:
        """Take the dumps of the last nights away; gives back what brings them back."""
        taken = self.nights[:nights]
        for name in taken:
            (self.folder / name).rename(self.away / name)

        def bring_back() -> None:
            for name in taken:
                (self.away / name).rename(self.folder / name)

        return bring_back


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at))
