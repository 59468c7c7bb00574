"""The scheduled lane: checks under a lease, cancelled, over their time, killed; and what a scrape shows of them."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from closewatch.core.checks import Check, Result, Task, Verdict
from closewatch.core.config import Config
from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.records import Chain, StoreError
from closewatch.core.records.sqlite import SqliteStore
from closewatch.core.records.verify import faults
from closewatch.core.targets import Target
from closewatch.kinds import load
from closewatch.registry import Registry
from closewatch.work import Job, Schedule, Worker
from tests.fixtures.watch import Facts

PLAN = {
    "kind": "restores",
    "name": "acme",
    "origin": {"volume_snapshot": "snapshot-1"},
    "every": 3600,
}
CHAIN = Chain("restore", "restores", "acme")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "closewatch.yml"
    plan = {**PLAN, "scratch": str(tmp_path), "tenant": "acme", "disk": 2_000_000}
    document = {"environment": "test", "records": {"path": "records.db"}, "targets": [plan]}
    path.write_text(yaml.safe_dump(document))
    return load(path)


@pytest.fixture
def store(config: Config):
    opened = config.records.store(read_only=False)
    yield opened
    opened.close()


def job(run: Callable[[Task], Verdict], **more: float) -> Job:
    check = Check("restore", 1, run, **{"every": 3600.0, "limit": 60.0, **more})
    return Job(Target.of("restores", "acme", environment="test", tenant="acme"), check)


def test_a_verdict_becomes_a_record_with_all_that_the_format_asks_for(config: Config, store: SqliteStore):
    record = Worker(config, store, "somebody").run(job(lambda _: Verdict(Result.FAILED, {"found": 3}, "books")))
    header = dict(record.header)
    assert {name for name in header if len(str(header[name])) > 0} == {
        "schema", "sequence", "check", "check_version", "kind", "target", "tenant", "environment", "start", "end",
        "result", "reason", "closewatch", "config", "rules", "host", "actor", "salt", "payload", "previous",
    }  # fmt: skip
    assert (header["actor"], header["reason"], header["config"]) == ("somebody", "books", config.hash)
    assert record.payload == {"found": 3}
    assert list(faults(CHAIN, store.records(CHAIN))) == []


def _raise(error: Exception) -> Callable[[Task], Verdict]:
    def run(_task: Task) -> Verdict:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "reason"),
    [(Unavailable(Reason.REFUSED, "x"), "refused"), (RuntimeError("a name of ours"), "error")],
    ids=["unavailable", "a fault of ours"],
)
def test_a_check_that_can_not_look_is_unknown(config: Config, store: SqliteStore, error, reason):
    record = Worker(config, store).run(job(_raise(error)))
    assert (record.result, record.reason, record.payload) == ("unknown", reason, {})


def test_while_one_worker_runs_another_does_not(config: Config, store: SqliteStore):
    inside, go = threading.Event(), threading.Event()

    def run(_task: Task) -> Verdict:
        inside.set()
        assert go.wait(30)
        return Verdict(Result.PASSED, {})

    thread = threading.Thread(target=lambda: Worker(config, store).run(job(run)))
    thread.start()
    assert inside.wait(30)
    assert Worker(config, store).run(job(lambda _: Verdict(Result.PASSED, {}))) is None
    go.set()
    thread.join(30)
    assert len(store.newest(CHAIN, 9)) == 1


def test_a_worker_that_is_stopped_tells_its_check_and_says_so(config: Config, store: SqliteStore):
    worker = Worker(config, store)

    def run(task: Task) -> Verdict:
        worker.stop.set()
        until = Deadline.after(30)
        while until.need():
            task.need()
            time.sleep(0.01)
        raise AssertionError

    assert (worker.run(job(run)).reason, worker.run(job(run)).result) == ("cancelled", "unknown")


def test_a_record_that_can_not_be_written_is_no_result(config: Config, store: SqliteStore):
    def run(_task: Task) -> Verdict:
        # Somebody takes the lease away, as after a sleep that was longer than its term.
        lease = store._connection
        lease.execute("UPDATE lease SET owner = 'other', counter = counter + 1")
        return Verdict(Result.PASSED, {})

    with pytest.raises(StoreError, match="another worker took over"):
        Worker(config, store).run(job(run))
    assert store.newest(CHAIN) == []


@pytest.mark.parametrize("payload", [{"a": 0.1}, {"a": b"x"}, {"a": 2**60}, {1: "a"}, {"a": "\ud800"}])
def test_a_payload_of_which_no_record_can_be_made_is_a_fault_that_is_recorded(config: Config, store, payload):
    record = Worker(config, store).run(job(lambda _: Verdict(Result.PASSED, payload)))
    assert (record.result, record.reason, record.payload) == ("unknown", "error", {})
    assert Worker(config, store).run(job(lambda _: Verdict(Result.PASSED, {}))).sequence == 2


def test_a_check_that_outlives_its_limit_is_told_to_stop_and_its_lease_ends(
    config: Config, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("closewatch.work.worker.GRACE", 0.1)
    monkeypatch.setattr("closewatch.work.worker.LEASE", 1.0)
    later: list[str] = []

    def run(task: Task) -> Verdict:  # it looks at no clock, as a library that hangs
        assert task.stop.wait(30)
        until = time.monotonic() + 30
        while not later and time.monotonic() < until:
            if Worker(config, store, "other").run(job(lambda _: Verdict(Result.PASSED, {}))):
                later.append("another took over")
            time.sleep(0.05)
        return Verdict(Result.PASSED, {})

    with pytest.raises(StoreError, match="another worker took over"):
        Worker(config, store).run(job(run, limit=0.2))
    assert later
    assert [record.header["actor"] for record in store.newest(CHAIN, 9)] == ["other"]


def test_the_schedule_runs_what_is_due_once(config: Config, store: SqliteStore):
    looked = threading.Event()

    def wait(_seconds: float) -> bool:
        looked.set()
        return len(store.newest(CHAIN, 2)) > 0 and time.monotonic() > began + 1

    began = time.monotonic()
    Schedule(config, store, 2).run(lambda seconds: wait(seconds) or time.sleep(0.05) or time.monotonic() > began + 30)
    records = store.newest(CHAIN, 9)
    assert [(record.result, record.reason) for record in records] == [("failed", "cannot_test")]
    assert records[0].header["actor"] == "schedule"


def test_what_a_scrape_shows(config: Config):
    registry = Registry(config)
    (scrape,) = registry.find("acme", "restores")
    facts = Facts(scrape.run(Deadline.after(5)))
    assert facts.failing == {"tested": "records"}  # nobody has worked yet: there is no store
    assert facts.one("check_interval_seconds", check="restore") == 3600
    store = config.records.store(read_only=False)
    wal = {"system_identifier": "7713112814927306417", "timeline": 1, "position": 150_994_984}
    payload = {"phases_ms": {"rta": 1500}, "data_loss_ms": 20, "recovered_wal": wal}
    Worker(config, store).run(job(lambda _: Verdict(Result.PASSED, payload)))
    facts = Facts(scrape.run(Deadline.after(5)))
    assert facts.failing == {}
    assert facts.one("check_passed", check="restore") == 1
    assert facts.one("restore_test_duration_seconds", phase="rta") == 1.5
    assert facts.one("restore_test_data_loss_seconds") == 0.02
    about = {"system_identifier": "7713112814927306417", "timeline": "1"}
    assert facts.one("restore_test_wal_position_bytes", **about) == 150_994_984
    Worker(config, store).run(job(lambda _: Verdict(Result.FAILED, {}, "books")))
    facts = Facts(scrape.run(Deadline.after(5)))
    assert facts.one("restore_test_success") == 0
    assert facts.labels("restore_test_failure_info", "reason") == ["books"]
    assert facts.labels("check_failure_info", "reason") == ["books"]
    # The figures stay those of the newest that passed, with its time.
    assert facts.one("restore_test_duration_seconds", phase="rta") == 1.5
    assert facts.one("check_last_passed_timestamp_seconds") < facts.one("check_last_run_timestamp_seconds")
    store.close()
    registry.close()


def command(config: Config, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "closewatch", *arguments]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_runs_one_check_and_its_exit_code_says_how_it_went(config: Config):
    done = command(config, "work", str(config.path), "--once", "restore", "acme")
    assert done.returncode == 1, done.stderr
    assert command(config, "work", str(config.path), "--once", "restore", "nobody").returncode == 2
    done = command(config, "restore-test", "acme", "--config", str(config.path), "--html", str(config.path) + ".html")
    assert done.returncode == 1
    assert "cannot_test" in done.stdout
    assert "cannot_test" in Path(str(config.path) + ".html").read_text()
    listed = command(config, "records", "list", "--config", str(config.path))
    assert "restore of restores acme  #2 (cannot_test)" in listed.stdout
    assert command(config, "records", "verify", "--config", str(config.path)).returncode == 0
    shown = command(config, "records", "show", "restore", "acme", "1", "--config", str(config.path))
    assert '"sequence": 1' in shown.stdout


def test_verify_says_what_was_changed(config: Config):
    import sqlite3

    command(config, "work", str(config.path), "--once", "restore", "acme")
    other = sqlite3.connect(config.records.path)
    other.execute("DROP TRIGGER payload_only_goes")
    other.execute("UPDATE record SET payload = '{}'")
    other.commit()
    other.close()
    done = command(config, "records", "verify", "--config", str(config.path))
    assert done.returncode == 1
    assert "BROKEN at record 1: its payload was changed" in done.stdout


def test_the_worker_ends_when_it_is_told_to(config: Config):
    process = subprocess.Popen([sys.executable, "-m", "closewatch", "work", str(config.path)], stderr=subprocess.PIPE)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if Path(config.records.path).exists() and _count(config):
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert _count(config) == 1


def _count(config: Config) -> int:
    try:
        store = SqliteStore(Path(config.records.path), read_only=True)
    except StoreError:
        return 0
    try:
        return len(store.newest(CHAIN, 9))
    except StoreError:
        return 0
    finally:
        store.close()


def test_signing_by_hand(config: Config, tmp_path: Path):
    key = tmp_path / "key"
    assert command(config, "records", "key", str(key)).returncode == 0
    assert key.stat().st_mode & 0o077 == 0
    assert command(config, "records", "key", str(key)).returncode == 1  # never overwritten
    document = yaml.safe_load(config.path.read_text())
    document["records"] |= {"signing_key": {"file": "key"}, "copies": [{"name": "worm", "folder": "worm"}]}
    config.path.write_text(yaml.safe_dump(document))
    (tmp_path / "worm").mkdir()
    command(config, "work", str(config.path), "--once", "restore", "acme")
    done = command(config, "records", "sign", "--config", str(config.path))
    assert done.stdout.startswith("signed heads: 1 day\ncopy worm: up to 20")
    arguments = ("records", "verify", "--config", str(config.path), "--public-key", f"{key}.pub")
    done = command(config, *arguments)
    assert (done.returncode, "signed heads: 1 day, all good" in done.stdout) == (0, True)
    done = command(config, *arguments, "--heads", str(tmp_path / "worm"))
    assert (done.returncode, "signed heads: 1 day in the copy, all good" in done.stdout) == (0, True)
    for folder in (tmp_path, tmp_path / "nowhere"):
        done = command(config, *arguments, "--heads", str(folder))
        assert done.returncode == 1
        assert "there are no signed heads" in done.stderr
    registry = Registry(load(config.path))
    facts = Facts(list(registry.records.samples()))
    assert facts.one("records_heads_signed_timestamp_seconds") > time.time() - 2 * 86_400
    assert facts.one("records_heads_copied_timestamp_seconds", copy="worm") > time.time() - 2 * 86_400
    registry.close()
