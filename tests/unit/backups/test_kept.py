"""What is kept, the window, and the newest verification: rows in, samples out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from closewatch.backups.age import AGE
from closewatch.backups.found import Fault, Type
from closewatch.backups.judge import State
from closewatch.backups.kept import KEEPING
from closewatch.backups.rows import place
from closewatch.backups.rows import row as made
from closewatch.backups.verification import VERIFICATION
from closewatch.backups.window import WINDOW
from closewatch.core.collectors import Answer, Collector
from closewatch.core.targets import Target
from tests.unit.backups.reading import TARGET

MOST = 60
"""Series that one target may have."""


def read(collector: Collector, tables: dict[str, Any], target: Any = TARGET) -> dict[str, float]:
    found: dict[str, float] = {}
    for sample in collector.read(Answer(tables), target, {}):
        assert sample.family in collector.families
        if sample.value is not None:
            key = ":".join((sample.family.name.removeprefix("closewatch_backup_"), *sample.labels))
            assert key not in found
            found[key] = float(sample.value)
    return found


def kept(*rows: Any, target: Any = TARGET, **more: Any) -> dict[str, float]:
    return read(KEEPING, {"main": rows, "place": [place(rows, **more)]}, target)


def test_only_good_ones_are_kept():
    rows = [
        made(Type.FULL, 3000.0, seconds=30), made(Type.FULL, 1000.0, seconds=10), made(Type.FULL, 1500.0, seconds=20),
        made(Type.FULL, 2000.0, seconds=60), made(Type.INCR, 2500.0), made(Type.FULL, 500.0, Fault.FAILED),
        made(Type.FULL, 9000.0, state=State.UNFINISHED), made(None, None, state=State.UNFINISHED),
    ]  # fmt: skip
    assert kept(*rows) == {
        "kept:full": 4,
        "kept:incr": 1,
        "usual_duration_seconds:full": 20,  # of the three before the newest
        "oldest_good_timestamp_seconds": 1000,
        "longest_gap_seconds": 500,
    }


def test_nothing_kept_says_nothing():
    assert kept() == {}
    assert kept(made(Type.DUMP, 5.0)) == {"kept:dump": 1, "oldest_good_timestamp_seconds": 5}


def test_encrypted_is_said_where_it_is_known_of_all():
    yes, no, unknown = (made(Type.DUMP, 1.0, encrypted=one) for one in (True, False, None))
    assert kept(yes, yes)["encrypted"] == 1
    assert kept(yes, no)["encrypted"] == 0
    assert "encrypted" not in kept(yes, unknown)
    assert kept(unknown, encrypted=True)["encrypted"] == 1
    assert kept(encrypted=False)["encrypted"] == 0


def test_a_lock_and_a_pair():
    target = Target.of("backups", "acme", environment="test", settings=SimpleNamespace(pair="acme-filestore"))
    assert kept(locked=700.0, target=target) == {
        "repository_locked_since_timestamp_seconds": 700,
        "pair_info:acme-filestore": 1,
    }


def test_the_window():
    assert read(WINDOW, {"place": [place((), since=1.0, until=2.0, missing=0)]}) == {
        "recoverable_from_timestamp_seconds": 1,
        "recoverable_until_timestamp_seconds": 2,
        "wal_missing_segments": 0,
    }
    assert read(WINDOW, {"place": [place(())]}) == {}


def test_what_the_newest_verification_says():
    def said(payload: Any) -> dict[str, float]:
        return read(VERIFICATION, {"newest": [] if payload is None else [{"payload": payload}], "passed": []})

    assert said({"type": "full", "by": "tool", "passed": True}) == {"verified:full:tool": 1}
    assert said({"type": "full", "by": "manifest", "passed": False}) == {"verified:full:manifest": 0}
    assert said({"type": "full", "by": "tool", "passed": None}) == {}
    assert said({"place": "restic"}) == {}
    assert said({}) == {}
    assert said(None) == {}


def test_a_target_has_few_series():
    """All types at once, which no tool has: each with four good ones, and one that failed its own check."""
    rows = [
        made(kind, float(n), size=1, seconds=1.0, verified=True, by="page_checksums", whole=True, encrypted=True)
        for kind in (Type.FULL, Type.DIFF, Type.INCR)
        for n in range(1, 6)
    ]
    rows += [made(Type.FULL, 0.5, fault) for fault in Fault]
    tables = {
        "main": rows,
        "place": [place(rows, status="ok", since=1.0, until=2.0, missing=1, locked=1.0, encrypted=True)],
        "newest": [{"payload": {"type": "full", "by": "tool", "passed": True}}],
    }
    target = Target.of("backups", "a", environment="test", settings=SimpleNamespace(pair="b"))
    count = sum(len(read(one, tables, target)) for one in (AGE, KEEPING, WINDOW, VERIFICATION))
    assert 30 < count <= MOST
