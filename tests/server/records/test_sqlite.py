"""The record store in a file: real files, real other processes, and what happens to disks and files in life."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from closewatch.core.records import Chain, LeaseLost, StoreError
from closewatch.core.records.record import timestamp
from closewatch.core.records.sqlite import SqliteStore
from closewatch.core.records.verify import faults

CHAIN = Chain("restore", "restores", "acme")
pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


def about(at: float = 0.0, result: str = "passed", reason: str | None = None) -> dict[str, object]:
    names = {"check": "restore", "check_version": 1, "kind": "restores", "target": "acme"}
    return {**names, "start": timestamp(at), "end": timestamp(at + 1), "result": result, "reason": reason}


def add(store: SqliteStore, at: float, **more: str) -> None:
    lease = store.lease(CHAIN, "me", 60)
    assert lease is not None
    store.append(lease, about(at, **more), {"at": int(at)})


@pytest.fixture
def store(tmp_path: Path):
    opened = SqliteStore(tmp_path / "records.db")
    yield opened
    opened.close()


def test_what_is_kept_is_read_again_by_another(store: SqliteStore):
    for number in range(3):
        add(store, float(number * 10), **({} if number < 2 else {"result": "failed", "reason": "books"}))
    other = SqliteStore(store.path, read_only=True)
    assert [record.sequence for record in other.newest(CHAIN, 2)] == [3, 2]
    assert other.newest_passed(CHAIN).sequence == 2
    assert other.chains() == [CHAIN]
    assert list(faults(CHAIN, other.records(CHAIN))) == []
    with pytest.raises(StoreError, match="can't be written to"):
        other.lease(CHAIN, "other", 60)
    other.close()
    assert store.path.stat().st_mode & 0o077 == 0


def test_a_lease_keeps_others_out_and_an_older_one_can_not_write(store: SqliteStore):
    first = store.lease(CHAIN, "first", 0.3)
    assert store.lease(CHAIN, "second", 60) is None
    assert store.renew(first, 0.3)
    time.sleep(0.4)
    second = store.lease(CHAIN, "second", 60)
    assert second.counter == first.counter + 1
    assert not store.renew(first, 60)
    with pytest.raises(LeaseLost):
        store.append(first, about(), {})
    store.append(second, about(), {})
    with pytest.raises(LeaseLost):
        store.append(second, about(5.0), {})  # a lease is for one record
    assert len(store.newest(CHAIN, 9)) == 1


def test_a_payload_that_has_no_canonical_form_keeps_the_lease_and_writes_nothing(store: SqliteStore):
    lease = store.lease(CHAIN, "me", 60)
    with pytest.raises(TypeError, match="float has no place"):
        store.append(lease, about(), {"a": 1.5})
    assert store.newest(CHAIN) == []
    store.append(lease, about(), {"a": "1.5"})


def test_payloads_expire_and_headers_stay(store: SqliteStore):
    for number in range(3):
        add(store, number * 1000.0)
    assert store.expire(1500.0) == 2
    assert [record.payload_text is None for record in store.records(CHAIN)] == [True, True, False]
    assert list(faults(CHAIN, store.records(CHAIN))) == []
    assert store.expire(1500.0) == 0


def test_the_file_itself_refuses_to_forget(store: SqliteStore):
    add(store, 0.0)
    other = sqlite3.connect(store.path)
    store.keep_head("2026-11-27", "{}", "")
    for statement in (
        "DELETE FROM record", "UPDATE record SET header = '{}'", "UPDATE record SET sequence = 9",
        "UPDATE record SET payload = '{}'", "DELETE FROM head", "UPDATE head SET document = ''",
    ):  # fmt: skip
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            other.execute(statement)
    with pytest.raises(sqlite3.OperationalError, match="cannot UPDATE generated column"):
        other.execute("UPDATE record SET result = 'passed'")
    other.close()


def test_a_record_that_somebody_made_unreadable_is_said_by_name(store: SqliteStore):
    add(store, 0.0)
    other = sqlite3.connect(store.path)
    for (trigger,) in other.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        other.execute(f"DROP TRIGGER {trigger}")
    good = store.newest(CHAIN)[0].header_text
    for bad in ('{"end":"","result":"passed"}', good.replace('"sequence":1', '"sequence":"1x"')):
        other.execute("UPDATE record SET header = ?", (bad,))
        other.commit()
        with pytest.raises(StoreError, match=r"restore of restores acme: a record was changed .* can't be read"):
            store.newest(CHAIN)
    other.execute("UPDATE record SET header = ?, payload = '[]'", (good,))
    other.commit()
    with pytest.raises(StoreError, match="a record was changed"):
        store.newest_passed(CHAIN)
    other.close()


def _write(path: Path, owner: str, enough: int) -> None:
    """Add records until there are so many, whoever added them; then one more of our own."""
    store = SqliteStore(path)
    mine = 0
    while len(store.newest(CHAIN, enough)) < enough or not mine:
        lease = store.lease(CHAIN, owner, 30)
        if lease is not None:
            now = timestamp(time.time())
            store.append(lease, {**about(), "start": now, "end": now}, {"owner": owner})
            mine += 1


def test_two_workers_at_once_make_one_whole_chain(store: SqliteStore):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write, args=(store.path, name, 60)) for name in ("a", "b")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    records = list(store.records(CHAIN))
    assert len(records) >= 60
    assert list(faults(CHAIN, records)) == []
    assert {record.payload["owner"] for record in records} == {"a", "b"}


def test_a_worker_that_is_killed_leaves_a_whole_chain(store: SqliteStore):
    code = f"""
import sys; sys.path.insert(0, {str(Path.cwd())!r})
from tests.server.records.test_sqlite import _write
from pathlib import Path
_write(Path({str(store.path)!r}), "killed", 10**9)
"""
    process = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 60
    while len(store.newest(CHAIN, 20)) < 20:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert list(faults(CHAIN, SqliteStore(store.path, read_only=True).records(CHAIN))) == []


def test_a_full_disk(tmp_path: Path):
    """By a limit on the size of files, which SQLite meets as it would a full disk."""
    code = f"""
import resource, sys
sys.path.insert(0, {str(Path.cwd())!r})
from pathlib import Path
from closewatch.core.records import StoreError
from closewatch.core.records.sqlite import SqliteStore
from tests.server.records.test_sqlite import CHAIN, about
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
