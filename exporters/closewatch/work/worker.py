"""One run of a check: under a lease, within its limit, and kept as a record or not counted."""

from __future__ import annotations

import contextlib
import getpass
import os
import platform
import threading
import time
from collections.abc import Iterator, Mapping, Sequence

import structlog

from closewatch import __version__
from closewatch.core.checks import Cancelled, Progress, Result, Task, Verdict
from closewatch.core.config import Config
from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.records import Chain, Lease, LeaseLost, Record, Store, StoreError
from closewatch.core.records.canonical import canonical
from closewatch.core.records.record import timestamp
from closewatch.resources import rules_hash
from closewatch.work.jobs import Job

log = structlog.get_logger(__name__)

LEASE = 60.0
"""Seconds; renewed at a third."""
GRACE = 60.0
"""Seconds that a check has, after its limit, to clean up."""
SCHEDULE = "schedule"


class Worker:
    """Runs jobs. `stop` ends what runs; what it found so far is recorded as unknown."""

    def __init__(
        self, config: Config, store: Store, actor: str = SCHEDULE, stop: threading.Event | None = None
    ) -> None:
        self.config = config
        self.store = store
        self.stop = stop or threading.Event()
        self._actor = actor
        self._owner = f"{platform.node()}:{os.getpid()}:{os.urandom(4).hex()}"

    def run(self, job: Job, progress: Progress = lambda _phase, _share: None) -> Record | None:
        """Run a check now and record what it found; None while another worker does. Raises StoreError."""
        lease = self.store.lease(job.chain, self._owner, LEASE)
        if lease is None:
            return None
        try:
            history = self.store.newest(job.chain, job.check.history)
            began = time.time()
            with self._kept(lease, job) as stop:
                task = Task(job.target, history, Deadline.after(job.check.limit), stop, progress, self._others(job))
                verdict = _verdict(job, task)
        except BaseException:
            with contextlib.suppress(StoreError):
                self.store.release(lease)
            raise
        try:
            about = header(self.config, job, verdict, began, self._actor)
            record = self.store.append(lease, about, verdict.payload)
        except LeaseLost:
            raise StoreError(f"{job.chain}: another worker took over; what was found is not kept") from None
        log.info("checked", check=job.check.name, target=str(job.target), result=record.result, reason=record.reason)
        return record

    def _others(self, job: Job) -> Mapping[str, Sequence[Record]]:
        of = job.target
        return {name: self.store.newest(Chain(name, of.kind, of.name), most) for name, most in job.check.reads.items()}

    @contextlib.contextmanager
    def _kept(self, lease: Lease, job: Job) -> Iterator[threading.Event]:
        """Renew the lease as long as the check runs and may; gives the event that tells it to stop."""
        stop, over = threading.Event(), threading.Event()
        thread = threading.Thread(target=self._renew, args=(lease, job, stop, over), name="lease", daemon=True)
        thread.start()
        try:
            yield stop
        finally:
            over.set()
            thread.join()

    def _renew(self, lease: Lease, job: Job, stop: threading.Event, over: threading.Event) -> None:
        """Until the check is over, loses its lease, or outlives its limit: then another worker may have it."""
        renewed = time.monotonic()
        overdue = renewed + job.check.limit + GRACE
        while not over.wait(0.2):
            if self.stop.is_set():
                stop.set()
            if time.monotonic() > overdue:
                log.error("check_overdue", check=job.check.name, target=str(job.target), limit=job.check.limit)
                break
            if time.monotonic() - renewed < LEASE / 3:
                continue
            with contextlib.suppress(StoreError):
                if not self.store.renew(lease, LEASE):
                    break
                renewed = time.monotonic()
            if time.monotonic() - renewed > LEASE:
                break
        stop.set()


def header(config: Config, job: Job, verdict: Verdict, began: float, actor: str) -> dict[str, object]:
    """What a record says of itself, but for its place in the chain."""
    labels = job.target.labels
    return {
        "check": job.check.name,
        "check_version": job.check.version,
        "kind": job.target.kind,
        "target": job.target.name,
        **{name: labels.get(name) for name in ("tenant", "environment", "cell")},
        "start": timestamp(began),
        "end": timestamp(max(began, time.time())),
        "result": verdict.result.value,
        "reason": verdict.reason,
        "closewatch": __version__,
        "config": config.hash,
        "rules": rules_hash(),
        "host": platform.node(),
        "actor": actor,
    }


def _verdict(job: Job, task: Task) -> Verdict:
    """What the check says, of which a record can be made; a fault of ours is `unknown`, and not tried at once again."""
    try:
        verdict = job.check.run(task)
        canonical(dict(verdict.payload))
    except Cancelled:
        return Verdict(Result.UNKNOWN, {}, "cancelled")
    except Unavailable as failure:
        log.warning("check_unavailable", check=job.check.name, target=str(job.target), reason=str(failure))
        return Verdict(Result.UNKNOWN, {}, failure.reason.value)
    except Exception:
        log.exception("check_failed", check=job.check.name, target=str(job.target))
        return Verdict(Result.UNKNOWN, {}, Reason.ERROR.value)
    return verdict


def account() -> str:
    """The account that runs a command by hand."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"
