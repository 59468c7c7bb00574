"""A plan that restores the newest nightly dump, carried out by `closewatch work` in a process of its own."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from closewatch.core.records.heads import new_key
from closewatch.demo.backups import TARGET as BACKUPS
from closewatch.demo.backups import TENANT, Backups
from closewatch.demo.thresholds import Threshold
from closewatch.demo.watching import ENVIRONMENT, KeepSecret, Targets
from closewatch.engines.folder import RunFolder
from closewatch.engines.process import Process
from closewatch.restores.scratch import LONGEST_PATH

TARGET = f"{TENANT}-restore"
COVERAGE = Threshold("restore_coverage_ratio", "warning", 0.0, ENVIRONMENT, "", "")
"""Only one tenant of the demo has backups: that the others have no restore test is no news here."""
DISK = 1024**3
EVERY = 600.0
FIRST = 60.0
"""Seconds within which the first test is to be done."""


class Restores:
    """The plan, its record store, and the worker."""

    title = f"Restore tests: the newest dump of {TENANT}, in a throwaway PostgreSQL"
    count = 1

    def __init__(self, run: RunFolder, backups: Backups) -> None:
        self.run = run
        self.backups = backups
        self.folder = run.folder("records")
        self.scratch = run.folder("scratch")
        if len(os.fsencode(self.scratch)) > LONGEST_PATH:  # too long for sockets; a restore test cleans up by itself
            self.scratch = Path("/tmp")  # noqa: S108 - folders of its own are made in it
        self.copies = run.folder("copies")
        self._config: Path | None = None
        self._worker: Process | None = None

    def start(self) -> None:
        """The worker is started when the configuration is there (`work`)."""

    def targets(self, keep_secret: KeepSecret) -> Targets:  # noqa: ARG002 - one signature for all parts
        """The plan; nothing is logged in to."""
        place = {"path": str(self.backups.folder), "pattern": "*.dump", "settle": 1}
        plan = {
            "kind": "restores",
            "name": TARGET,
            "tenant": TENANT,
            "backups": BACKUPS,
            "origin": {"dump": {"folder": place}},
            "database": f"odoo_{TENANT}",
            "scratch": str(self.scratch),
            "disk": DISK,
            "every": EVERY,
            "rto": 3600,
            "rpo": 26 * 3600,
        }
        return [plan]

    def records(self, keep_secret: KeepSecret) -> dict[str, object]:
        """Where results are kept: signed, and copied."""
        private, _public = new_key()
        return {
            "path": str(self.folder / "records.db"),
            "signing_key": {"file": keep_secret("signing-key", private)},
            "copies": [{"name": "elsewhere", "folder": str(self.copies)}],
        }

    def work(self, config: Path) -> None:
        """Start the worker, and wait for the first record."""
        self._config = config
        command = [sys.executable, "-m", "closewatch", "work", str(config)]
        self._worker = self.run.spawn("closewatch-work", command, cwd=self.folder)
        self._worker.wait_ready((self.folder / "records.db").exists, FIRST)

    def test_now(self) -> None:
        """Carry out the plan now, as a person would; waits for an earlier test to end."""
        command = [sys.executable, "-m", "closewatch", "work", str(self._config), "--once", "restore", TARGET]
        until = time.monotonic() + FIRST
        while self.run.call(command, timeout=FIRST).returncode == 2 and time.monotonic() < until:  # noqa: PLR2004 - busy
            time.sleep(0.5)

    def spoil(self, database: str) -> Callable[[], None]:
        """Put a dump of another database under tonight's name, and test it; gives back what mends it."""
        file = self.backups.dump(database, f"{TENANT}-tonight.dump")
        self.backups.date(file, 60.0)
        self.test_now()

        def mend() -> None:
            file.unlink()
            self.test_now()

        return mend

    def close(self) -> None:
        """The worker ends with the run folder."""
