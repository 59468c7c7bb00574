"""The scheduled check `posture`: how a bucket protects its backups, and what changed since the last look.

It fails (`tampering`) where this look shows a new sign; the next one compares with what it finds now, and passes: a
sign is an event, whose time is kept from record to record. A weak posture is no failure: the facts are metrics, and
rules judge them. It is unknown where the bucket can't be asked, and then keeps what the last look knew, so that
nothing is missed while the bucket is away.

The payload holds names of objects, which may tell of customers; metrics never show them. It may expire: the next look
is then a first one. Rights and cost: `closewatch.sources.s3.posture`.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from closewatch.backups import posture, tampering
from closewatch.backups.layouts import Layout, layout, listed
from closewatch.backups.posture_settings import PostureSettings
from closewatch.backups.tampering import Finding, Kept, View
from closewatch.core.checks import Check, Result, Task, Verdict
from closewatch.core.reasons import Unavailable
from closewatch.sources.aside import Aside
from closewatch.sources.s3.client import Access
from closewatch.sources.s3.objects import Walk
from closewatch.sources.s3.posture import Asker, Look

if TYPE_CHECKING:
    from closewatch.backups.settings import S3Place

NAME = "posture"
VERSION = 1
FORMAT = 1
HISTORY = 10
MOST = 2_000
"""Objects kept in a record, the newest."""
INTERVALS = 10
SHOWN = 50
"""Findings in a record."""
_STATE = ("versioning", "lock", "lock_mode", "lock_days", "rules", "kms")


def check(place: S3Place, settings: PostureSettings, name: str) -> Check:
    """The check of one target."""
    looking = Posture(place, settings, name)
    return Check(NAME, VERSION, looking.run, settings.every, settings.limit, history=HISTORY)


class Posture:
    """One bucket, looked at aside: a server that drips must not hold up the worker beyond its limit."""

    def __init__(self, place: S3Place, settings: PostureSettings, name: str) -> None:
        self._place = place
        self._settings = settings
        self._layout: Layout = layout(settings.layout, place.pattern)
        self._aside = Aside(f"posture {name}")

    def run(self, task: Task) -> Verdict:
        """Look, judge, compare."""
        last = self._last(task)
        task.progress("ask", None)
        try:
            look = self._aside.run(lambda: self._look(task, last.get("base", {})), task.deadline)
        except Unavailable as failure:
            return Verdict(Result.UNKNOWN, self._kept(last), failure.reason.value)
        task.progress("compare", None)
        payload, findings = self._judged(look, last, time.time())
        if findings:
            return Verdict(Result.FAILED, payload, "tampering")
        return Verdict(Result.PASSED, payload)

    def _look(self, task: Task, base: Mapping[str, Any]) -> Look:
        place = self._place
        ca = str(place.ca) if place.ca else None
        login = (place.access_key, place.secret_key, place.session_token)
        access = Access(place.bucket, place.prefix, place.endpoint, place.region, *login, ca, place.path_style)
        ways = [Walk(*way) for way in self._layout.ways]
        locked = sorted((one for one in base.get("objects", ()) if one.get("until_ms")), key=lambda one: -one["at_ms"])
        again = [one["name"] for one in locked]
        keep, catalogue = self._layout.keep, self._layout.catalogue
        return Asker(access, task.need).look(ways, keep, base.get("cursor", ""), again, catalogue)

    def _place_digest(self) -> str:
        """Which objects are compared: of another place, nothing is."""
        of = self._place
        parts = [of.endpoint or "", of.bucket, of.prefix, of.pattern, self._settings.layout]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _last(self, task: Task) -> Mapping[str, Any]:
        """The newest payload that tells of this place; empty where there is none."""
        for record in task.history:
            payload = record.payload
            if payload.get("format") == FORMAT and payload.get("place") == self._place_digest():
                return payload
        return {}

    def _kept(self, last: Mapping[str, Any]) -> dict[str, Any]:
        """What is carried on where nothing was seen."""
        kept = {name: last[name] for name in ("base",) if name in last}
        return {"format": FORMAT, "place": self._place_digest(), "seen": dict(last.get("seen", {})), **kept}

    def _judged(self, look: Look, last: Mapping[str, Any], now: float) -> tuple[dict[str, Any], list[Finding]]:
        settings = self._settings
        found = posture.facts(look, self._place.prefix, posture.Wanted(settings.retention, settings.locked_days), now)
        base = last.get("base", {})
        before, view = _before(base), self._view(look, found, base, now)
        findings: list[Finding] = []
        deletions = list(base.get("deletions", ()))
        if base:
            findings, early = tampering.compare(before, view, settings.retention)
            deletions = [*deletions, early][-INTERVALS:]
        seen = dict(last.get("seen", {})) | {one.sign: int(now * 1000) for one in findings}
        until = found.pop("retained_until")
        found["retained_until_ms"] = None if until is None else int(until * 1000)
        state = {name: base.get("state", {}).get(name) if found[name] is None else found[name] for name in _STATE}
        shown = [{"sign": one.sign, "what": one.what, "before": one.before, "after": one.after} for one in findings]
        payload = {
            **self._kept(last),
            "seen": seen,
            "facts": found,
            "answers": {name: told.state for name, told in look.answers.items()},
            "signs": shown[:SHOWN],
            "signs_total": len(shown),
            "objects_total": len(view.objects),
            "base": {
                "at_ms": int(now * 1000),
                "state": state,
                "objects": self._objects(view, before),
                "deletions": deletions,
                "cursor": look.objects.cursor,
            },
        }
        return payload, findings

    def _view(self, look: Look, found: Mapping[str, Any], base: Mapping[str, Any], now: float) -> View:
        """This look, with what is known of an object's lock and checksum."""
        keep = self._layout.keep
        held = {one.name: one for one in (*look.newest, *look.before)}
        objects = {}
        for name, one in look.objects.current.items():
            if keep(name):
                of = held.get(name)
                objects[name] = Kept(one.size, one.tag, one.at, of.until if of else None, of.checksum if of else None)
        hidden = {one.name: (one.at, one.made) for one in look.objects.markers.values() if keep(one.name)}
        freed = frozenset(one.name for one in held.values() if one.until is None and one.unsure is None)
        return View(
            now,
            {name: found[name] for name in _STATE},
            objects,
            hidden,
            look.objects.covers,
            listed(look.texts),
            self._layout.lasting,
            base.get("deletions", ()),
            freed,
        )

    def _objects(self, view: View, before: View) -> list[dict[str, Any]]:
        """What the next look compares with: what is there, and what this one didn't look at."""
        kept = {name: one for name, one in before.objects.items() if not view.covers(name)} | dict(view.objects)

        def first(name: str) -> tuple[bool, float]:
            return not view.lasting(name), -kept[name].at

        return [_written(name, kept[name], before.objects.get(name), view) for name in sorted(kept, key=first)[:MOST]]


def _written(name: str, one: Kept, old: Kept | None, view: View) -> dict[str, Any]:
    """As it stands in the record; of the same content, the lock and checksum that were read before."""
    same = old is not None and (old.size, old.tag) == (one.size, one.tag)
    until = one.until if one.until is not None or not same or name in view.freed or old is None else old.until
    checksum = one.checksum if one.checksum is not None or not same or old is None else old.checksum
    written: dict[str, Any] = {"name": name, "size": one.size, "tag": one.tag, "at_ms": int(one.at * 1000)}
    if until is not None:
        written["until_ms"] = int(until * 1000)
    if checksum is not None:
        written["checksum"] = checksum
    return written


def _before(base: Mapping[str, Any]) -> View:
    """What the last record kept."""
    objects = {
        one["name"]: Kept(
            one["size"],
            one["tag"],
            one["at_ms"] / 1000,
            one["until_ms"] / 1000 if "until_ms" in one else None,
            one.get("checksum"),
        )
        for one in base.get("objects", ())
    }
    deletions = base.get("deletions", ())
    return View(base.get("at_ms", 0) / 1000, base.get("state", {}), objects, deletions=deletions)
