"""The record store in a file: what happens to disks and files in life. What every store does is in test_store."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from closewatch.core.records import StoreError
from closewatch.core.records.sqlite import SqliteStore
from closewatch.core.records.verify import faults
from tests.server.records.stores import CHAIN, add


@pytest.fixture
def store(tmp_path: Path):
    opened = SqliteStore(tmp_path / "records.db")
    yield opened
    opened.close()


def test_a_full_disk(tmp_path: Path):
    """By a limit on the size of files, which SQLite meets as it would a full disk."""
    code = f"""
import resource, sys
sys.path.insert(0, {str(Path.cwd())!r})
from pathlib import Path
from closewatch.core.records import StoreError
from closewatch.core.records.sqlite import SqliteStore
from tests.server.records.stores import CHAIN, about
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = SqliteStore(Path({str(tmp_path / "full.db")!r}))
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    for number in range(1000):
        lease = store.lease(CHAIN, "me", 60)
        store.append(lease, about(float(number)), {{"text": "x" * 5000}})
except StoreError as error:
    print("refused:", str(error).split(": ", 1)[1])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.startswith("refused: "), done.stderr
    store = SqliteStore(tmp_path / "full.db", read_only=True)
    assert list(faults(CHAIN, store.records(CHAIN))) == []
    store.close()


def test_only_its_owner_may_read_it(store: SqliteStore):
    assert store.path.stat().st_mode & 0o077 == 0


def test_a_file_that_was_replaced_is_no_longer_the_store(store: SqliteStore):
    assert store.current()
    store.path.rename(store.path.with_name("old.db"))
    assert not store.current()
    SqliteStore(store.path).close()
    assert not store.current()


BAD = {
    "no folder": (lambda path: path / "no" / "records.db", "No such file or directory"),
    "a folder": (lambda path: path, "Is a directory"),
    "no database": (lambda path: _file(path / "x.db", b"something else" * 100), "it is no database of SQLite"),
    "another's database": (lambda path: _other(path / "x.db"), "is no record store of this version"),
}


def _file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _other(path: Path) -> Path:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (a)")
    other.commit()
    other.close()
    return path


@pytest.mark.parametrize(("make", "words"), BAD.values(), ids=BAD)
def test_a_file_that_is_none_is_refused_by_name(tmp_path: Path, make, words):
    path = make(tmp_path)
    with pytest.raises(StoreError, match=words) as said:
        SqliteStore(path)
    assert str(path) in str(said.value)


def test_a_store_that_is_not_there_yet_can_not_be_read(tmp_path: Path):
    with pytest.raises(StoreError):
        SqliteStore(tmp_path / "records.db", read_only=True)
    assert not (tmp_path / "records.db").exists()


def test_a_damaged_file(store: SqliteStore):
    for number in range(50):
        add(store, float(number * 10))
    store.close()
    size = store.path.stat().st_size
    with store.path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 8192))
    with pytest.raises(StoreError, match=r"damaged|no database"):
        list(SqliteStore(store.path).records(CHAIN))
