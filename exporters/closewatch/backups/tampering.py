"""Signs that somebody tampers with backups: this look compared with what the last record kept.

A sign needs proof. What is gone counts where its retention had not ended: by the days asked for (less a day, as
programs go by dates), by the lock's own date, or where the program's catalogue lists it still. What was not looked at
is never gone. Changed is another size or checksum; another ETag only where both were made in the same way: copies,
transitions to other classes and keys of KMS change it without the content. A backup that was due to expire may be
overwritten: names that come back each week. The first look has nothing to compare with.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

DAY = 86_400.0
SIGNS = (
    "gone", "changed", "lock_weakened", "versioning_weakened", "retention_shortened", "delete_burst",
    "lifecycle_added",
)  # fmt: skip
BURST = 10
TIMES_USUAL = 3
_PLAIN = re.compile(r"[0-9a-f]{32}")
_PARTS = re.compile(r"[0-9a-f]{32}-(\d+)")


@dataclass(frozen=True, slots=True)
class Kept:
    """An object as it was seen: times in Unix seconds; `until` its retention's end and `checksum`, where known."""

    size: int
    tag: str
    at: float
    until: float | None = None
    checksum: str | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What one look knew. `state` holds versioning, lock, lock_mode, lock_days, rules, kms; None is not known.

    `hidden` are objects under a delete marker: when it was set, when the object was made. `deletions` are how many
    there were in earlier intervals. `freed` are objects whose lock was read and is no more.
    """

    at: float
    state: Mapping[str, Any]
    objects: Mapping[str, Kept]
    hidden: Mapping[str, tuple[float, float | None]] = field(default_factory=dict)
    covers: Callable[[str], bool] = lambda _: True
    listed: Mapping[str, bool] | None = None
    lasting: Callable[[str], bool] = lambda _: False
    deletions: Sequence[int] = ()
    freed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a sign was seen by; `what` may be a name, for the record alone."""

    sign: str
    what: str
    before: str = ""
    after: str = ""


def compare(before: View, now: View, retention: float | None) -> tuple[list[Finding], int]:
    """The findings, and how many objects were deleted early. `retention` in days, where it was asked for."""
    days = retention if retention is not None else (before.state.get("lock_days") or None)
    gone = [name for name in before.objects if _gone(name, before, now, days)]
    early = set(gone) | set(_hidden(before, now, days))
    found = [Finding("gone", name) for name in gone]
    found += _changed(before, now, days)
    usual = statistics.median(before.deletions) if before.deletions else 0
    if len(early) > max(BURST, TIMES_USUAL * usual):
        found.append(Finding("delete_burst", "deletions", str(int(usual)), str(len(early))))
    return [*found, *_weakened(before.state, now.state), *_shortened(before, now)], len(early)


def _due(kept: Kept, days: float | None, at: float) -> bool | None:
    """Whether its retention has ended; None where nobody knows of one."""
    if kept.until is not None and kept.until > at:
        return False
    if days is None:
        return None
    return at - kept.at >= days * DAY - min(DAY, days * DAY / 2)


def _gone(name: str, before: View, now: View, days: float | None) -> bool:
    if name in now.objects or not now.covers(name):
        return False
    if now.lasting(name) or (now.listed or {}).get(name):
        return True
    return _due(before.objects[name], days, now.at) is False


def _hidden(before: View, now: View, days: float | None) -> Iterable[str]:
    """What was deleted since the last look, and was not known one by one."""
    for name, (at, made) in now.hidden.items():
        new = name not in before.objects and at > before.at
        if new and made is not None and _due(Kept(0, "", made), days, at) is False:
            yield name


def _changed(before: View, now: View, days: float | None) -> Iterable[Finding]:
    kms = bool(before.state.get("kms") or now.state.get("kms"))
    for name, old in before.objects.items():
        new = now.objects.get(name)
        if new is None or not differs(old, new, kms=kms):
            continue
        if now.lasting(name) or not _due(old, days, now.at):
            yield Finding("changed", name, f"{old.size} {old.tag}", f"{new.size} {new.tag}")


def differs(old: Kept, new: Kept, *, kms: bool = False) -> bool:
    """Whether the content is surely another."""
    if old.size != new.size:
        return True
    if old.checksum and new.checksum and old.checksum.partition(":")[0] == new.checksum.partition(":")[0]:
        return old.checksum != new.checksum
    if old.tag == new.tag or kms:
        return False
    if _PLAIN.fullmatch(old.tag) and _PLAIN.fullmatch(new.tag):
        return True
    parts = [_PARTS.fullmatch(tag) for tag in (old.tag, new.tag)]
    return all(parts) and len({found.group(1) for found in parts if found}) == 1


def _weakened(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Finding]:
    """What the configuration says less than before; what is not known says nothing."""

    def was(name: str) -> tuple[Any, Any]:
        return before.get(name), now.get(name)

    found = []
    old, new = was("versioning")
    if old == "enabled" and new in {"suspended", "never"}:
        found.append(Finding("versioning_weakened", "versioning", old, new))
    old, new = was("lock")
    if old is True and new is False:
        found.append(Finding("lock_weakened", "object lock", "on", "off"))
    elif old is True and new is True:
        found += _default(*was("lock_days"), *was("lock_mode"))
    return found + _added(*was("rules"))


def _default(days: int | None, days_now: int | None, mode: str | None, mode_now: str | None) -> list[Finding]:
    """The default retention of new objects."""
    if not days or days_now is None:
        return []
    if not days_now:
        return [Finding("lock_weakened", "default retention", f"{days} days", "none")]
    found = []
    if mode == "compliance" and mode_now == "governance":
        found.append(Finding("lock_weakened", "mode", mode, mode_now))
    if days_now < days:
        found.append(Finding("retention_shortened", "default retention", f"{days} days", f"{days_now} days"))
    return found


def _shortened(before: View, now: View) -> Iterable[Finding]:
    """Locks of single objects: a retention that ends earlier than it did, of the same content."""
    for name, old in before.objects.items():
        new = now.objects.get(name)
        if new is None or (new.size, new.tag) != (old.size, old.tag) or old.until is None or old.until <= now.at:
            continue
        if name in now.freed:
            yield Finding("retention_shortened", name, str(int(old.until)), "none")
        elif new.until is not None and new.until < old.until - 1.0:
            yield Finding("retention_shortened", name, str(int(old.until)), str(int(new.until)))


def _added(before: Sequence[Mapping[str, Any]] | None, now: Sequence[Mapping[str, Any]] | None) -> list[Finding]:
    """Rules that delete earlier, or more, than any that was there."""
    if before is None or now is None:
        return []

    def covered(rule: Mapping[str, Any]) -> bool:
        return any(_wider(one, rule) for one in before)

    return [Finding("lifecycle_added", "rule", "", _said(rule)) for rule in now if not covered(rule)]


def _wider(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether an old rule already deleted all that the new one does, and no later."""

    def sooner(key: str) -> bool:
        return new[key] is None or (old[key] is not None and old[key] <= new[key])

    same_objects = not old["filtered"] or old == new
    return new["prefix"].startswith(old["prefix"]) and same_objects and sooner("current") and sooner("noncurrent")


def _said(rule: Mapping[str, Any]) -> str:
    return f"current after {rule['current']}, noncurrent after {rule['noncurrent']} days"
