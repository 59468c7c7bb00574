"""The receiver of Alertmanager's notifications: each one a record, before it counts as delivered.

Alertmanager tries again what was answered with 503, and gives up what was answered with 400: so only what can never be
recorded is refused for good. One that is tried again after its record was written, as the answer was lost, is answered
like the first and not recorded again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import threading
import time
from collections.abc import Mapping

import structlog

from closewatch.alertmanager import notification
from closewatch.core.checks import Cancelled, Check, Payload, Result, Task, Verdict
from closewatch.core.config import Config
from closewatch.core.deadline import Deadline
from closewatch.core.records import LeaseLost, Record, Store, StoreError
from closewatch.core.records.canonical import canonical
from closewatch.core.targets import Target
from closewatch.core.web import Limits, Request, Response, Route
from closewatch.core.web.messages import plain
from closewatch.registry import Registry
from closewatch.work import Job, header

log = structlog.get_logger(__name__)

ACTOR = "alertmanager"
PREFIX = "/notifications/"
LEASE = 30.0
PATIENCE = 8.0
"""Seconds in which a notification is recorded; Alertmanager waits for ten at least."""
PAUSE = 0.1
AGAIN = 120.0
"""Seconds within which the same notification is one that was tried again: Alertmanager waits less before it does."""
REMEMBERED = 10_000
LIMITS = Limits(connections=16, request=notification.MAX_BYTES + 64 * 1024)
"""Some Alertmanagers, and large bodies: few at once."""


def _never(_task: Task) -> Verdict:
    """Notifications come; nothing asks for them."""
    raise Cancelled


RECEIVED = Check(notification.NAME, notification.VERSION, _never, every=0, limit=PATIENCE)


class Receiver:
    """The routes by which the Alertmanagers of a configuration hand over what they sent."""

    def __init__(self, config: Config) -> None:
        self._config = config
        registry = Registry(config)
        targets = [scrape.target for scrape in registry.scrapes() if scrape.target.kind == "alertmanager"]
        registry.close()
        self.targets: Mapping[str, Target] = {one.name: one for one in targets}
        self._owner = f"{platform.node()}:{os.getpid()}:{os.urandom(4).hex()}"
        self._turn = threading.Lock()
        self._opened: Store | None = None
        self._recent: dict[tuple[str, str, str], tuple[str, float]] = {}

    def routes(self) -> Mapping[str, Route]:
        """The endpoints by path: one a target, and that of the process itself."""
        return {**dict.fromkeys(self.bodies(), self._taken), "/-/healthy": _healthy}

    def bodies(self) -> Mapping[str, int]:
        """The paths that take a body, and its most bytes."""
        return {f"{PREFIX}{name}": notification.MAX_BYTES for name in self.targets}

    def close(self) -> None:
        """Let go of the store."""
        with self._turn:
            self._drop()

    def _taken(self, request: Request) -> Response:
        target = self.targets[request.path.removeprefix(PREFIX)]
        began = time.time()
        try:
            payload = notification.read(request.body)
        except notification.MalformedError as error:
            log.warning("notification_malformed", target=str(target), why=str(error))
            return plain(400, str(error))
        try:
            record = self._recorded(target, payload, began)
        except StoreError as error:
            log.error("notification_not_recorded", target=str(target), why=str(error))  # noqa: TRY400 - our own words
            return plain(503, "the notification can't be recorded now: try again", {"Retry-After": "10"})
        if record is None:
            log.info("notification_repeated", target=str(target), alerts=len(payload["alerts"]))
            return plain(200, "recorded before")
        log.info("notification_recorded", target=str(target), sequence=record.sequence, alerts=len(payload["alerts"]))
        return plain(200, "recorded")

    def _recorded(self, target: Target, payload: Payload, began: float) -> Record | None:
        """One at a time, as each needs the lease; None where it was recorded a moment ago. Raises StoreError."""
        if not self._turn.acquire(timeout=PATIENCE):
            raise StoreError("other notifications are being recorded still")
        try:
            group = (target.name, str(payload["receiver"]), str(payload["groupKey"]))
            digest = hashlib.sha256(canonical(dict(payload)).encode()).hexdigest()
            if self._is_again(group, digest):
                return None
            record = self._append(Job(target, RECEIVED), payload, began)
        except StoreError:
            self._drop()  # opened anew next time: the file may have come, or come back
            raise
        else:
            self._recent.pop(group, None)
            self._recent[group] = (digest, time.monotonic())
            return record
        finally:
            self._turn.release()

    def _is_again(self, group: tuple[str, str, str], digest: str) -> bool:
        """Whether it is the newest of its group, recorded a moment ago. The oldest are in front, and forgotten."""
        oldest = time.monotonic() - AGAIN
        while self._recent:
            first = next(iter(self._recent))
            if self._recent[first][1] >= oldest and len(self._recent) < REMEMBERED:
                break
            del self._recent[first]
        return group in self._recent and self._recent[group][0] == digest

    def _append(self, job: Job, payload: Payload, began: float) -> Record:
        deadline = Deadline.after(PATIENCE)
        store = self._store()
        while deadline.left() > 0:
            lease = store.lease(job.chain, self._owner, LEASE)
            if lease is not None:
                about = header(self._config, job, Verdict(Result.PASSED, payload), began, ACTOR)
                with contextlib.suppress(LeaseLost):
                    return store.append(lease, about, payload)
            time.sleep(min(PAUSE, deadline.left()))
        raise StoreError(f"{job.chain}: another receiver holds the lease")

    def _store(self) -> Store:
        if self._opened is None:
            assert self._config.records is not None
            self._opened = self._config.records.store(read_only=False)
        return self._opened

    def _drop(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None


def _healthy(_request: Request) -> Response:
    return plain(200, "closewatch receives notifications.")
