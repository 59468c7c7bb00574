"""Whether the store can be written to is told apart from whether it can be read."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from closewatch.core.recorded import RecordsReader
from closewatch.core.records import sqlite
from closewatch.records.settings import Records


def told(path: Path) -> dict[str, float]:
    reader = RecordsReader(Records.model_validate({"path": str(path)}))
    try:
        return {sample.family.name: sample.value for sample in reader.samples()}
    finally:
        reader.close()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "records"
    Records.model_validate({"path": str(path)}).store(read_only=False).close()
    return path


def test_a_store_that_is_well(store: Path):
    assert told(store) == {"closewatch_records_unwritable": 0, "closewatch_records_unreadable": 0}


def test_a_store_that_nobody_may_write_to(store: Path):
    store.chmod(0o444)
    assert told(store) == {"closewatch_records_unwritable": 1, "closewatch_records_unreadable": 0}


def test_a_full_disk(store: Path, monkeypatch: pytest.MonkeyPatch):
    full = SimpleNamespace(f_bavail=10, f_frsize=4096, f_files=10, f_favail=5)
    monkeypatch.setattr(sqlite.os, "statvfs", lambda _path: full)
    assert told(store)["closewatch_records_unwritable"] == 1


def test_no_store(tmp_path: Path):
    assert told(tmp_path / "gone") == {"closewatch_records_unreadable": 1}
