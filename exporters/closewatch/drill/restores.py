"""`closewatch drill restores`: every case on the real thing, by the same worker and record store as in life."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import yaml

from closewatch.core.records import Chain, Record
from closewatch.core.records.sqlite import SqliteStore
from closewatch.core.records.verify import faults
from closewatch.core.words import number_of
from closewatch.drill import logical, physical
from closewatch.drill.buckets import CASES, BucketCase, Buckets, target, told
from closewatch.drill.cases import PASSED, Case, NotHere, Plan
from closewatch.drill.stage import Stage
from closewatch.engines.folder import RunFolder
from closewatch.engines.guardian import processes_of
from closewatch.engines.s3 import find_weed
from closewatch.kinds import load
from closewatch.registry import Registry
from closewatch.restores.scratch import PREFIX
from closewatch.work import Job, Worker, jobs_of

DISK = 512 * 1024 * 1024
LIMIT = 90
HEALTHY_ROUNDS = 20
Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a restore test said in a case. `found` is its reason, or PASSED; None where a program is missing."""

    name: str
    expected: tuple[str, ...]
    found: str | None
    seconds: float
    words: str
    left: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        """Whether the test said what was done, and left nothing behind; True where it was not carried out."""
        return self.found is None or (self.found in self.expected and not self.left)


class Drill:
    """One drill in a run folder of its own."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.stage = Stage.build(run)
        self.scratch = run.path / "scratch"
        self.scratch.mkdir()
        self.scratch.chmod(0o711)
        self.records = run.path / "records.db"
        self._store = SqliteStore(self.records)
        self._buckets: Buckets | None = None
        self._numbers = itertools.count(1)

    def carry_out(self, case: Case) -> Outcome:
        """Prepare, restore, and compare."""
        began = time.monotonic()
        try:
            plan = case.prepare(self.stage)
        except NotHere as missing:
            return Outcome(case.name, case.expected, None, 0.0, f"not carried out: {missing} is not here")
        over = threading.Event()
        meanwhile = None
        if plan.meanwhile is not None:
            meanwhile = threading.Thread(target=plan.meanwhile, args=(self.scratch, over), name="meanwhile")
            meanwhile.start()
        try:
            began = time.monotonic()
            record = self.test(plan)
        finally:
            over.set()
            if meanwhile is not None:
                meanwhile.join()
        took = time.monotonic() - began
        words = "; ".join(record.payload.get("wrong", ()))
        return Outcome(case.name, case.expected, record.reason or PASSED, took, words, tuple(self.left()))

    def two_at_once(self) -> Outcome:
        """Two tests of the same backup side by side: neither sees the other."""
        began = time.monotonic()
        plans = [physical.HEALTHY["pg_basebackup and WAL"](self.stage) for _ in range(2)]
        with ThreadPoolExecutor(2) as threads:
            records = list(threads.map(self.test, plans))
        found = next((record.reason for record in records if record.reason), PASSED) or PASSED
        return Outcome("two tests at once", (PASSED,), found, time.monotonic() - began, "", tuple(self.left()))

    def of_bucket(self, case: BucketCase) -> Outcome:
        """Look at a healthy bucket, do the harm, and look again."""
        if find_weed() is None:
            return Outcome(case.name, (case.expected,), None, 0.0, "not carried out: an S3 server (weed) is not here")
        if self._buckets is None:
            self._buckets = Buckets(self.run)
        began = time.monotonic()
        bucket = self._buckets.make(case)
        job, worker = self._job({**target(bucket), "kind": "backups"})
        first = worker.run(job)
        assert first is not None
        before = told(first.payload, first.reason)
        case.harm(bucket)
        record = worker.run(job)
        assert record is not None
        found = told(record.payload, record.reason)
        said = case.expected if case.expected in found else ", ".join(sorted(found))
        early = "" if before == {PASSED} else f"before the harm it said {', '.join(sorted(before))}"
        return Outcome(case.name, (case.expected,), early or said, time.monotonic() - began, "")

    def test(self, plan: Plan) -> Record:
        """Carry out a plan as `closewatch work` does."""
        given = {"disk": DISK, "limit": LIMIT, "scratch": str(self.scratch)}
        job, worker = self._job({**given, **plan.settings, "kind": "restores"})
        record = worker.run(job)
        assert record is not None
        return record

    def _job(self, settings: dict[str, Any]) -> tuple[Job, Worker]:
        """The only check of a target with these settings."""
        name = f"drill{next(self._numbers)}"
        file = self.run.path / f"{name}.yml"
        targets = [{**settings, "name": name}]
        document = {"environment": "drill", "records": {"path": str(self.records)}, "targets": targets}
        file.write_text(yaml.safe_dump(document), encoding="utf-8")
        config = load(file)
        (job,) = jobs_of(Registry(config))
        return job, Worker(config, self._store, "drill")

    def left(self) -> Iterator[str]:
        """What a test left behind: folders, and processes that work in them."""
        for folder in self.scratch.glob(f"{PREFIX}*"):
            yield f"folder {folder.name}"
            yield from (f"process {process}" for process in processes_of(folder))

    def records_are_whole(self) -> int:
        """The number of records. Raises ValueError where a chain is not whole."""
        count = 0
        for chain in self._store.chains():
            records = list(self._store.records(chain))
            wrong = list(faults(Chain(chain.check, chain.kind, chain.target), records))
            if wrong:
                raise ValueError(f"{chain}: {wrong[0].words}")
            count += len(records)
        return count

    def close(self) -> None:
        """Let go of the records, and stop the clusters."""
        self._store.close()
        self.stage.remove()


def all_cases() -> Sequence[Case]:
    """Every sabotage."""
    return [*physical.cases.found, *logical.cases.found]


def healthy_cases() -> Sequence[Case]:
    """Every way to restore, on backups that nobody touched."""
    ways = {**physical.HEALTHY, **logical.HEALTHY}
    return [Case(f"healthy: {name}", (PASSED,), prepare) for name, prepare in ways.items()]


def drill(say: Say, *, only: str | None = None, rounds: int = 1) -> bool:
    """Carry out the drill and print the table. `rounds` is how often each healthy backup is restored."""
    with RunFolder() as run:
        say("Making a cluster under write load, and backups of it ...")
        ground = Drill(run)
        try:
            outcomes = list(_outcomes(ground, say, only, rounds))
            records = ground.records_are_whole()
        finally:
            ground.close()
    wrong = [one for one in outcomes if not one.right]
    skipped = [one for one in outcomes if one.found is None]
    say("")
    say(f"{number_of(len(outcomes), 'case')}, {len(wrong)} wrong, {len(skipped)} not carried out;"
        f" {number_of(records, 'record')}, all whole")  # fmt: skip
    return not wrong


def _outcomes(ground: Drill, say: Say, only: str | None, rounds: int) -> Iterator[Outcome]:
    cases = [*healthy_cases(), *all_cases()]
    for case in cases:
        if only is not None and only not in case.name:
            continue
        times = rounds if case.expected == (PASSED,) else 1
        for _ in range(times):
            outcome = ground.carry_out(case)
            say(line(outcome))
            yield outcome
    for bucket in CASES:
        if only is None or only in bucket.name:
            for _ in range(rounds if bucket.expected == PASSED else 1):
                outcome = ground.of_bucket(bucket)
                say(line(outcome))
                yield outcome
    if only is None or only in "two tests at once":
        outcome = ground.two_at_once()
        say(line(outcome))
        yield outcome


def line(outcome: Outcome) -> str:
    """A line of the table."""
    mark = "    " if outcome.right else "!!! "
    found = outcome.found or "-"
    left = f"  LEFT: {', '.join(outcome.left)}" if outcome.left else ""
    wanted = "" if outcome.right else f"  (expected {' or '.join(outcome.expected)})"
    words = f"  {outcome.words}" if outcome.words else ""
    return f"{mark}{outcome.name:<62} {found:<20} {outcome.seconds:5.1f} s{wanted}{left}{words}"
