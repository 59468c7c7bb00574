"""The scheduled check `verification` as it is run: by a worker, into records, shown by a scrape."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import yaml

from closewatch.core.config import Config
from closewatch.core.deadline import Deadline
from closewatch.core.records import Record
from closewatch.kinds import load
from closewatch.registry import Registry
from closewatch.work import Worker, jobs_of
from tests.fixtures.watch import Facts


class Verified:
    """One run of the check by a worker, and what a scrape shows of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def config(self, target: dict[str, Any], **verify: Any) -> Config:
        path = self.folder / "verified.yml"
        filled = {**target, "verify": {"every": 3600, **verify}}
        document = {"environment": "test", "records": {"path": "records.db"}, "targets": [filled]}
        path.write_text(yaml.safe_dump(document))
        return load(path)

    def __call__(self, target: dict[str, Any], **verify: Any) -> tuple[str, str | None, Facts]:
        config = self.config(target, **verify)
        store = config.records.store(read_only=False)
        registry = Registry(config)
        try:
            (job,) = jobs_of(registry)
            record = Worker(config, store).run(job)
            assert isinstance(record, Record)
            facts = Facts(registry.find(target["name"], "backups")[0].run(Deadline.after(9.5)))
        finally:
            store.close()
            registry.close()
        return record.result, record.reason, facts


def flip(path: Path, at: int | None = None) -> None:
    """One byte becomes another."""
    path.chmod(path.stat().st_mode | stat.S_IWUSR)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if at is None else at] ^= 0xFF
    path.write_bytes(data)


def shown(facts: Facts, type: str, by: str) -> list[float]:
    return facts.all("backup_verified", type=type, by=by)
