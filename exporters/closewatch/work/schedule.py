"""`closewatch work`: looks every few seconds what is due. One thread looks, some run checks, one keeps the records."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

from closewatch.core.config import Config
from closewatch.core.problems import ConfigError
from closewatch.core.records import Chain, Record, Store, StoreError
from closewatch.kinds import load
from closewatch.registry import Registry
from closewatch.work.jobs import Job, is_due, jobs_of
from closewatch.work.keeping import expire, keep_heads
from closewatch.work.worker import Worker

log = structlog.get_logger(__name__)

LOOK = 5.0
RETRY = 300.0
"""Seconds until a check runs again whose record could not be written: it may be an hour's work."""
KEEPING = 60.0
EXPIRY = 86_400.0


class Schedule:
    """Runs what is due, until it is told to end."""

    def __init__(self, config: Config, store: Store, threads: int) -> None:
        self.registry = Registry(config)
        self.stop = threading.Event()
        self.worker = Worker(config, store, stop=self.stop)
        self._stores = [store]
        self._pool = ThreadPoolExecutor(threads, "check")
        self._running: set[Chain] = set()
        self._not_before: dict[Chain, float] = {}
        self._newest: dict[Chain, Record] = {}
        self._lock = threading.Lock()
        self._keeper: threading.Thread | None = None
        self._kept = self._expired = 0.0

    def run(self, wait: Callable[[float], bool]) -> None:
        """Until `wait` (seconds) says that it is over. What runs then is told to stop; what waits never starts."""
        while True:
            self.look(time.time())
            if wait(LOOK):
                break
        self.stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._keeper is not None:
            self._keeper.join(LOOK)
        self.registry.close()
        for store in self._stores[1:]:
            store.close()

    def reload(self) -> bool:
        """Take the configuration up again; what runs goes on with its own. A bad one is logged, the old one stays."""
        before = self.worker.config
        try:
            config = load(before.path)
            registry = Registry(config, self.registry)
            store = self.worker.store
            if config.records is not None and config.records != before.records:
                store = config.records.store(read_only=False)
                self._stores.append(store)
        except ConfigError as error:
            for problem in error.problems:
                log.warning("config_problem", problem=str(problem))
            return False
        except StoreError as error:
            log.warning("config_problem", problem=f"records: {error}")
            return False
        old, self.registry = self.registry, registry
        registry.use()
        old.close(registry)
        self.worker = Worker(config, store, stop=self.stop)
        self._newest = {}
        log.info("config_loaded", path=str(config.path), checks=len(jobs_of(registry)))
        return True

    def look(self, now: float) -> None:
        """Start what is due, and see to the records."""
        self._keep(now)
        worker = self.worker
        for job in jobs_of(self.registry):
            with self._lock:
                if job.chain in self._running or self._not_before.get(job.chain, 0.0) > time.monotonic():
                    continue
            try:
                due = self._due(worker, job)
            except StoreError as error:
                log.error("records_unreadable", why=str(error))  # noqa: TRY400 - in our own words
                return
            if due:
                with self._lock:
                    self._running.add(job.chain)
                self._pool.submit(self._one, worker, job)

    def _due(self, worker: Worker, job: Job) -> bool:
        """By the newest record that is known; what that leaves due is looked up: another worker may have been there."""
        known = self._newest.get(job.chain)
        if known is None or is_due(job, known, time.time()):
            newest = worker.store.newest(job.chain)
            if not newest:
                return is_due(job, None, time.time())
            known = self._newest[job.chain] = Record(newest[0].header_text, None)
        return is_due(job, known, time.time())

    def _one(self, worker: Worker, job: Job) -> None:
        try:
            # It may have waited for its turn until its window closed, or until another worker ran it.
            if not self.stop.is_set() and self._due(worker, job):
                worker.run(job)
        except StoreError as error:
            log.error("not_recorded", target=str(job.target), why=str(error))  # noqa: TRY400 - in our own words
            self._later(job)
        except Exception:
            log.exception("check_failed", target=str(job.target))
            self._later(job)
        finally:
            with self._lock:
                self._running.discard(job.chain)

    def _later(self, job: Job) -> None:
        with self._lock:
            self._not_before[job.chain] = time.monotonic() + min(RETRY, job.check.every)

    def _keep(self, now: float) -> None:
        """Aside: a place for copies may hang, and checks must not wait for it."""
        if time.monotonic() - self._kept < KEEPING and self._kept:
            return
        if self._keeper is None or not self._keeper.is_alive():
            self._kept = time.monotonic()
            self._keeper = threading.Thread(
                target=self._see_to_records, args=(self.worker, now), name="keeping", daemon=True
            )
            self._keeper.start()

    def _see_to_records(self, worker: Worker, now: float) -> None:
        try:
            keep_heads(worker.config, worker.store, now)
            if time.monotonic() - self._expired > EXPIRY or not self._expired:
                self._expired = time.monotonic()
                expire(worker.config, worker.store, now)
        except Exception:
            log.exception("records_not_kept")
