"""One restore test from its beginning to its end: choose, bring back, recover, look, remove, and say what was found.

Whatever happens, the payload says how far it came. A test passes only where everything that the plan asks for was
looked at and found right; what could not be looked at is a failure of the test, with its own reason.
"""

from __future__ import annotations

import datetime as dt
import platform
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from closewatch.core.checks import Cancelled, Result, Task, Verdict
from closewatch.core.hours import zone
from closewatch.core.reasons import Reason, Unavailable
from closewatch.restores import looking
from closewatch.restores.origins import Backup, Logical, Moment, Physical, Window
from closewatch.restores.origins.loading import LOADER
from closewatch.restores.phases import Clock, Phase
from closewatch.restores.scratch import Scratch
from closewatch.restores.server import Server
from closewatch.restores.settings import RestoresTarget
from closewatch.restores.walend import wal_end
from closewatch.restores.why import Failed, Why

log = structlog.get_logger(__name__)

AHEAD = 600.0
"""Seconds that a backup, or a commit in it, may be newer than our clock."""
ANY = "newest"
RANDOM = "random"


@dataclass(slots=True)
class Course:
    """How far a test came, and what it found on the way."""

    plan: RestoresTarget
    task: Task
    clock: Clock
    began: float
    backup: Backup | None = None
    window: Window | None = None
    point: float | None = None
    usable: bool = False
    found: dict[str, Any] = field(default_factory=dict)

    def payload(self) -> dict[str, Any]:
        """Everything for the record."""
        backup, window = self.backup, self.window or Window(None, None)
        return {
            "origin": self.plan.origin.name,
            "database": self.plan.database,
            "backup": None if backup is None else _of(backup),
            "recoverable_from": moment(window.since),
            "recoverable_until": moment(window.until),
            "asked_for": moment(self.began - self.plan.point.back) if self.plan.point.back else None,
            "point": moment(self.point),
            "phases_ms": self.clock.milliseconds(usable=self.usable),
            "data_loss_ms": self.loss(),
            "objectives_ms": {"rto": _ms(self.plan.rto), "rpo": _ms(self.plan.rpo)},
            "ran_on": {"host": platform.node(), "segregated": self.plan.segregated},
            **self.found,
        }

    def loss(self) -> int | None:
        """From the newest moment that can be restored to the start of the test: when the failure is assumed."""
        newest = self.window.until if self.window is not None and self.window.until is not None else self.point
        if newest is None or not self.usable:
            return None
        return max(0, round((self.began - newest) * 1000))


def moment(at: float | None) -> str | None:
    """A time for the record: RFC 3339, UTC, seconds."""
    if at is None:
        return None
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _of(backup: Backup) -> dict[str, Any]:
    size = {"size": backup.size, "major": backup.major}
    return {"id": backup.id, "done": moment(backup.done), **size, "about": dict(backup.about)}


def run(task: Task) -> Verdict:
    """The check `restore`."""
    plan: RestoresTarget = task.target.settings
    course = Course(plan, task, Clock(task.progress), time.time())
    reason, words = _carried_out(course)
    payload = course.payload()
    payload["wrong"] = words
    if reason is None:
        return Verdict(Result.PASSED, payload)
    result = Result.UNKNOWN if reason is Why.CANCELLED else Result.FAILED
    return Verdict(result, payload, reason.value)


def _carried_out(course: Course) -> tuple[Why | None, list[str]]:
    """The reason why it did not pass, and what is wrong in words."""
    try:
        _all_phases(course)
    except Failed as failure:
        return failure.why, [failure.detail or failure.why.words]
    except Cancelled:
        return Why.CANCELLED, [Why.CANCELLED.words]
    except Unavailable as failure:
        why = Why.TIME_LIMIT if failure.reason is Reason.TIMEOUT else Why.UNREADABLE
        return why, [failure.detail or failure.reason.words]
    except Exception:
        log.exception("restore_test_failed", target=str(course.task.target))
        return Why.ERROR, [Why.ERROR.words]
    return None, []


def _all_phases(course: Course) -> None:
    plan, task = course.plan, course.task
    origin, path = plan.origin.make(plan), None
    try:
        with Scratch.create(
            plan.scratch, disk=plan.disk, deadline=task.deadline, stop=task.stop, progress=task.progress
        ) as scratch:
            path = scratch.path
            with course.clock.phase(Phase.CHOOSE):
                course.backup = _chosen(plan.take, origin.backups(scratch), course.began, plan.point.back)
                course.window = origin.window(scratch)
            server = _physical(course, origin, scratch) if plan.origin.physical else _logical(course, origin, scratch)
            try:
                course.usable = True
                looking.look(course, server, scratch, origin)
            finally:
                server.stop()
    finally:
        course.found["deleted"] = path is None or not path.exists()
    if not course.found["deleted"]:
        raise Failed(Why.ERROR, "the restored data could not be removed")


def _chosen(take: str, backups: Any, now: float, back: float) -> Backup:
    """The newest, one at random, or the one that is named; where a moment is asked for, of those done before it."""
    if backups and not (backups := [one for one in backups if not back or one.done <= now - back]):
        raise Failed(Why.NO_BACKUP, "no backup was done before the moment that is asked for")
    if not backups:
        raise Failed(Why.NO_BACKUP)
    if take == ANY:
        found: Backup = backups[0]
    elif take == RANDOM:
        found = random.choice(backups)  # noqa: S311 - a sample, no secret
    else:
        named = [backup for backup in backups if backup.id == take]
        if not named:
            raise Failed(Why.NO_BACKUP, "there is no good backup of the name that the plan asks for")
        found = named[0]
    if found.done > now + AHEAD:
        raise Failed(Why.CLOCK, "the backup is from the future")
    return found


def _physical(course: Course, origin: Physical, scratch: Scratch) -> Server:
    """A copy of the cluster, recovered."""
    assert course.backup is not None
    plan = course.plan
    to = Moment(course.began - plan.point.back if plan.point.back else None)
    with course.clock.phase(Phase.RESTORE):
        settings = origin.restore(course.backup, to, scratch)
        scratch.measure()
    looking.before_start(course, scratch)
    with course.clock.phase(Phase.RECOVER):
        server = Server.on(scratch, settings)
        try:
            server.start()
        except Failed as failure:
            server.stop()
            if failure.why is Why.TARGET_NOT_REACHED:
                no_hole(server, _newest_wal(course, origin, scratch))
            raise
        if to.time is None:
            no_hole(server, _newest_wal(course, origin, scratch))
    course.point = server.recovered_to() or course.backup.done
    course.found["recovered_wal"] = wal_end(server)
    if course.point > time.time() + AHEAD:
        server.stop()
        raise Failed(Why.CLOCK, "the newest commit in it is from the future")
    return server


def _newest_wal(course: Course, origin: Physical, scratch: Scratch) -> str | None:
    """The newest segment in the archive, as far as the origin tells; the record says which."""
    newest = origin.newest_wal(scratch)
    course.found["newest_wal_segment"] = "not known" if newest is None else newest
    return newest


def no_hole(server: Server, newest: str | None) -> None:
    """Recovery to the end stops at a hole without a word: the newest segment in the archive must have been read.

    Stops the server and raises Failed(wal_missing) where it was not. Segments of a timeline that was left behind prove
    nothing of the one that followed.
    """
    fetched = [segment for segment in server.restored_segments() if newest is not None and segment[:8] == newest[:8]]
    if newest is None or (fetched and max(fetched) >= newest):
        return
    server.stop()
    raise Failed(Why.WAL_MISSING, "recovery stopped before the newest WAL segment of the archive")


def _logical(course: Course, origin: Logical, scratch: Scratch) -> Server:
    """A dump, loaded into an empty server."""
    assert course.backup is not None
    assert course.plan.database is not None
    with course.clock.phase(Phase.FETCH):
        course.backup = backup = origin.fetch(course.backup, scratch)
    with course.clock.phase(Phase.PREPARE):
        server = Server.new(scratch, backup.major)
        server.start()
    try:
        with course.clock.phase(Phase.PREPARE):
            server.create_database(course.plan.database)
        with course.clock.phase(Phase.RESTORE):
            origin.load(backup, server, course.plan.database, scratch)
            scratch.measure()
        server.looker = LOADER  # what somebody else wrote runs, if at all, as nobody special
    except BaseException:
        server.stop()
        raise
    course.point = _begun(course, backup)
    return server


def _begun(course: Course, backup: Backup) -> float:
    """What was committed while a dump was made isn't in it: its point is its begin, by its own words.

    Where it has none, or they can't be meant in the plan's time zone, it is the time of its file, and that is said.
    """
    if backup.clock is not None:
        local = dt.datetime.fromtimestamp(backup.clock, dt.UTC).replace(tzinfo=zone(course.plan.timezone))
        if local.timestamp() <= backup.done + 1:  # a header has whole seconds
            course.found["point_is"] = "when the dump was begun"
            return local.timestamp()
    course.found["point_is"] = "when the dump's file was written: when it was begun is not known"
    return backup.done


def summary(payload: Mapping[str, Any]) -> str:
    """The sentence: what an auditor asks first."""
    since, until = payload.get("recoverable_from"), payload.get("recoverable_until")
    took, loss = payload.get("phases_ms", {}).get("rta"), payload.get("data_loss_ms")
    if since and until:
        span = f"can be restored to any moment between {since} and {until}"
    else:
        span = f"can be restored as it was at {payload.get('point') or 'an unknown moment'}"
    return f"{span}; took {duration(took)}; data loss window {duration(loss)}"


def duration(milliseconds: int | None) -> str:
    """A duration as a person reads it."""
    if milliseconds is None:
        return "unknown"
    if milliseconds < 60_000:  # noqa: PLR2004 - a minute
        return f"{milliseconds / 1000:.1f} s"
    return str(dt.timedelta(seconds=round(milliseconds / 1000)))
