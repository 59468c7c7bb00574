"""The schedule at work: what waits when it is told to end, what is tried again, a hang-up, a copy that hangs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from closewatch.core.checks import Check, Result, Task, Verdict
from closewatch.core.config import Config
from closewatch.core.records import Chain, StoreError
from closewatch.core.records.heads import new_key
from closewatch.core.records.sqlite import SqliteStore
from closewatch.core.targets import Target
from closewatch.kinds import load
from closewatch.work import Job, Schedule


def write(folder: Path, *names: str, **records: Any) -> Path:
    """A configuration with these plans; each fails at once, as a volume snapshot can't be tested."""
    plan = {"kind": "restores", "origin": {"volume_snapshot": "s"}, "every": 3600, "scratch": str(folder)}
    targets = [{**plan, "name": name} for name in names]
    document = {"environment": "test", "records": {"path": "records.db", **records}, "targets": targets}
    path = folder / "closewatch.yml"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load(write(tmp_path, "acme"))


@pytest.fixture
def store(config: Config) -> Iterator[SqliteStore]:
    opened = config.records.store(read_only=False)
    yield opened
    opened.close()


def jobs(run: Callable[[Task], Verdict], count: int = 1, **more: Any) -> list[Job]:
    check = Check("restore", 1, run, **{"every": 3600.0, "limit": 60.0, **more})
    return [Job(Target.of("restores", f"t{number}", environment="test"), check) for number in range(count)]


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_still_waits_when_it_ends_leaves_no_record(config: Config, store: SqliteStore, monkeypatch):
    began = threading.Event()

    def run(task: Task) -> Verdict:
        began.set()
        while True:
            task.need()
            time.sleep(0.01)

    monkeypatch.setattr("closewatch.work.schedule.jobs_of", lambda _registry: jobs(run, 5))
    Schedule(config, store, 1).run(lambda _seconds: began.wait(30))
    assert [(chain.target, [one.reason for one in store.records(chain)]) for chain in store.chains()] == [
        ("t0", ["cancelled"])
    ]


def test_what_waited_past_the_end_of_its_window_does_not_start(config: Config, store: SqliteStore, monkeypatch):
    ran, open_ = [], [True]

    def run(_task: Task) -> Verdict:
        ran.append(1)
        open_[0] = False  # the night ends while the first runs
        return Verdict(Result.PASSED, {})

    monkeypatch.setattr("closewatch.work.schedule.jobs_of", lambda _registry: jobs(run, 3))
    monkeypatch.setattr("closewatch.work.schedule.is_due", lambda _job, newest, _now: open_[0] and newest is None)
    schedule = Schedule(config, store, 1)
    schedule.run(lambda _seconds: bool(ran) and not schedule._running)
    assert len(ran) == 1


def test_a_check_whose_record_can_not_be_written_is_not_run_again_at_once(config: Config, store, monkeypatch):
    ran = []

    def run(_task: Task) -> Verdict:
        ran.append(1)
        return Verdict(Result.PASSED, {})

    def refuse(*_arguments: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(store, "append", refuse)
    monkeypatch.setattr("closewatch.work.schedule.jobs_of", lambda _registry: jobs(run))
    schedule, looks = Schedule(config, store, 1), []

    def wait(_seconds: float) -> bool:
        looks.append(1)
        until(lambda: not schedule._running)
        return len(looks) > 5

    schedule.run(wait)
    assert len(ran) == 1
    assert store.chains() == []


class Work:
    """`closewatch work` as a process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        command = [sys.executable, "-m", "closewatch", "work", str(path)]
        self.log = path.parent / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log)

    def recorded(self, name: str, file: str = "records.db") -> bool:
        try:
            store = SqliteStore(self.path.parent / file, read_only=True)
        except StoreError:
            return False
        try:
            return bool(store.newest(Chain("restore", "restores", name)))
        except StoreError:
            return False
        finally:
            store.close()

    def said(self, words: str) -> bool:
        return words in self.log.read_text()

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture
def work() -> Iterator[Callable[[Path], Work]]:
    begun: list[Work] = []

    def begin(path: Path) -> Work:
        begun.append(Work(path))
        return begun[-1]

    yield begin
    for one in begun:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def test_a_hang_up_takes_the_configuration_up_again(tmp_path: Path, work):
    running = work(write(tmp_path, "acme"))
    until(lambda: running.recorded("acme"))
    running.path.write_text("targets: 3\n")
    running.process.send_signal(signal.SIGHUP)
    until(lambda: running.said("config_problem"))
    write(tmp_path, "acme", "globex")
    running.process.send_signal(signal.SIGHUP)
    until(lambda: running.recorded("globex"))
    write(tmp_path, "acme", "initech", path="others.db")
    running.process.send_signal(signal.SIGHUP)
    until(lambda: running.recorded("initech", "others.db") and running.recorded("acme", "others.db"))
    assert not running.recorded("initech")
    assert running.end() == 0


def test_a_place_for_copies_that_hangs_holds_up_no_check(tmp_path: Path, work):
    private, _ = new_key()
    (tmp_path / "key").write_text(private)
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "worm").mkdir()
    for days in range(3):  # who reads a FIFO waits for a writer, as who reads a lost network mount does
        day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86_400 * days))
        os.mkfifo(tmp_path / "worm" / f"{day}.json")
    key = {"signing_key": {"file": "key"}, "copies": [{"name": "worm", "folder": "worm"}]}
    running = work(write(tmp_path, "acme", **key))
    until(lambda: running.recorded("acme"))
    write(tmp_path, "acme", "globex", **key)
    running.process.send_signal(signal.SIGHUP)
    until(lambda: running.recorded("globex"))
    assert running.end() == 0


def test_the_store_is_asked_again_only_for_what_may_be_due(config: Config, store: SqliteStore, monkeypatch):
    ran: list[str] = []
    asked: list[Chain] = []
    newest = SqliteStore.newest

    def counted(store: SqliteStore, chain: Chain, count: int = 1):
        asked.append(chain)
        return newest(store, chain, count)

    def run(task: Task) -> Verdict:
        ran.append(task.target.name)
        return Verdict(Result.PASSED, {})

    monkeypatch.setattr("closewatch.work.schedule.jobs_of", lambda _registry: jobs(run, 1))
    looks = iter([False] * 20)

    def wait(_seconds: float) -> bool:
        until(lambda: ran)
        time.sleep(0.05)
        return next(looks, True)

    monkeypatch.setattr(SqliteStore, "newest", counted)
    Schedule(config, store, 1).run(wait)
    assert ran == ["t0"]
    assert 0 < len(asked) < 10, "some for the run itself, one look after it, and none for the others"
