"""The scheduled lane: runs the checks of all targets when they are due, under a lease, and keeps what they found.

`closewatch work` and `closewatch serve` share nothing but the record store. A check that was missed runs once. Within
its window each target starts at a place of its own, by a hash of its name, so that 500 of them don't start at once and
the same one runs at the same time each day.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import getpass
import hashlib
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from closewatch import __version__
from closewatch.core.checks import Cancelled, Check, Progress, Result, Task, Verdict
from closewatch.core.config import Config
from closewatch.core.deadline import Deadline
from closewatch.core.hours import Hours
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.records import Chain, Lease, LeaseLost, Record, Store, StoreError
from closewatch.core.records.copies import bring_up_to_date
from closewatch.core.records.heads import KeyProblem, sign_due
from closewatch.core.records.record import timestamp
from closewatch.core.secrets import SecretError
from closewatch.core.targets import Target
from closewatch.registry import Registry
from closewatch.resources import rules_hash

log = structlog.get_logger(__name__)

LEASE = 60.0
"""Seconds; renewed at a third."""
GRACE = 60.0
"""Seconds that a check has, after its limit, to clean up."""
LOOK = 5.0
AHEAD = 600.0
"""Seconds that a record may be newer than our clock says."""
SPREAD = 3600.0
"""Within so many seconds of a window's beginning, or of being due, the starts are spread."""
SCHEDULE = "schedule"


@dataclass(frozen=True, slots=True)
class Job:
    """A check of a target."""

    target: Target
    check: Check

    @property
    def chain(self) -> Chain:
        """Where its records are."""
        return Chain(self.check.name, self.target.kind, self.target.name)

    @property
    def offset(self) -> float:
        """Its place within the spread, in seconds: always the same."""
        share = int.from_bytes(hashlib.sha256(str(self.chain).encode()).digest()[:4], "big") / 2**32
        return share * min(SPREAD, self.check.every / 2)


def jobs_of(registry: Registry) -> list[Job]:
    """All scheduled checks that are known now."""
    return [Job(scrape.target, check) for scrape in registry.scrapes() for check in scrape.target.settings.checks()]


def is_due(job: Job, newest: Record | None, now: float) -> bool:
    """Whether it is to run now. The first run of all comes at once: nobody waits a week to see whether it works."""
    check = job.check
    if check.window is not None:
        hours, at = Hours.parse(check.window, check.timezone), dt.datetime.fromtimestamp(now, dt.UTC)
        if not hours.active(at):
            return False
        # The window has been open for as long as the offset asks, or it is so short that there is no waiting.
        before = dt.datetime.fromtimestamp(now - job.offset, dt.UTC)
        if newest is not None and not hours.active(before):
            return False
    # A record from a time when the clock was ahead must not keep the check silent until that time comes.
    return newest is None or now >= newest.start + check.every or newest.start > now + AHEAD


class Worker:
    """Runs jobs. `stop` ends what runs; what it found so far is recorded as unknown."""

    def __init__(self, config: Config, store: Store, actor: str = SCHEDULE) -> None:
        self.config = config
        self.store = store
        self.stop = threading.Event()
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
            with self._kept(lease) as stop:
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
    def _kept(self, lease: Lease) -> Iterator[threading.Event]:
        """Renew the lease as long as the check runs; gives the event that tells it to stop."""
        stop, over = threading.Event(), threading.Event()

        def renew() -> None:
            renewed = time.monotonic()
            while not over.wait(0.2):
                if self.stop.is_set():
                    stop.set()
                if time.monotonic() - renewed < LEASE / 3:
                    continue
                with contextlib.suppress(StoreError):
                    if not self.store.renew(lease, LEASE):
                        stop.set()
                    renewed = time.monotonic()
                if time.monotonic() - renewed > LEASE:
                    stop.set()

        thread = threading.Thread(target=renew, name="lease", daemon=True)
        thread.start()
        try:
            yield stop
        finally:
            over.set()
            thread.join()


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
    try:
        return job.check.run(task)
    except Cancelled:
        return Verdict(Result.UNKNOWN, {}, "cancelled")
    except Unavailable as failure:
        log.warning("check_unavailable", check=job.check.name, target=str(job.target), reason=str(failure))
        return Verdict(Result.UNKNOWN, {}, failure.reason.value)
    except Exception:
        log.exception("check_failed", check=job.check.name, target=str(job.target))
        return Verdict(Result.UNKNOWN, {}, Reason.ERROR.value)


def account() -> str:
    """The account that runs a command by hand."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


class Schedule:
    """`closewatch work`: looks every few seconds what is due. One thread looks, some run checks."""

    def __init__(self, config: Config, store: Store, threads: int) -> None:
        self.registry = Registry(config)
        self.worker = Worker(config, store)
        self._pool = ThreadPoolExecutor(threads, "check")
        self._running: set[Chain] = set()
        self._lock = threading.Lock()
        self._housekeeping = 0.0

    def run(self, wait: Callable[[float], bool]) -> None:
        """Until `wait` (seconds) says that it is over."""
        while True:
            self.look(time.time())
            if wait(LOOK):
                break
        self.worker.stop.set()
        self._pool.shutdown(wait=True)
        self.registry.close()

    def look(self, now: float) -> None:
        """Start what is due, sign what is to be signed."""
        for job in jobs_of(self.registry):
            with self._lock:
                if job.chain in self._running:
                    continue
            try:
                newest = self.worker.store.newest(job.chain)
            except StoreError as error:
                log.error("records_unreadable", why=str(error))  # noqa: TRY400 - in our own words
                return
            if is_due(job, newest[0] if newest else None, now):
                with self._lock:
                    self._running.add(job.chain)
                self._pool.submit(self._one, job)
        if now - self._housekeeping > GRACE:
            self._housekeeping = now
            housekeeping(self.worker.config, self.worker.store, now)

    def _one(self, job: Job) -> None:
        try:
            self.worker.run(job)
        except StoreError as error:
            log.error("not_recorded", target=str(job.target), why=str(error))  # noqa: TRY400 - in our own words
        except Exception:
            log.exception("check_failed", target=str(job.target))
        finally:
            with self._lock:
                self._running.discard(job.chain)


def housekeeping(config: Config, store: Store, now: float) -> None:
    """Sign the day that has ended, bring the copies up to date, forget what has expired. What fails is logged."""
    settings = config.records
    if settings is None:
        return
    try:
        if settings.signing_key is not None:
            sign_due(store, settings.signing_key.read(), dt.datetime.fromtimestamp(now, dt.UTC))
        for name, why in bring_up_to_date(store, {copy.name: copy.make() for copy in settings.copies}).items():
            log.error("heads_not_copied", copy=name, why=why)
        store.expire(now - settings.keep_months * 30.44 * 86_400)
    except (StoreError, SecretError, KeyProblem) as error:
        log.error("records_not_kept", why=str(error))  # noqa: TRY400 - in our own words
