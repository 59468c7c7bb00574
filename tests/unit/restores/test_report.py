"""The report of a restore test: all that an auditor asks, and nothing that a backup's names could do to a page."""

from __future__ import annotations

from typing import Any

from closewatch.core.records.record import Record, make, timestamp
from closewatch.restores.report import as_page, as_text
from closewatch.restores.run import duration, summary

PAYLOAD: dict[str, Any] = {
    "origin": "pgbackrest",
    "database": "odoo_acme",
    "backup": {"id": "20261128-024224F", "done": "2026-11-28T02:42:28.000Z", "size": 31_000, "major": 15, "about": {}},
    "recoverable_from": "2026-11-20T02:42:28.000Z",
    "recoverable_until": "2026-11-28T02:42:29.000Z",
    "point": "2026-11-28T02:42:29.745Z",
    "phases_ms": {"restore": 1271, "rta": 2008, "total": 7_525_000},
    "data_loss_ms": 90_000,
    "objectives_ms": {"rto": 1000, "rpo": 300_000},
    "ran_on": {"host": "restore-01", "segregated": "yes"},
    "deleted": True,
    "wrong": [],
    "databases": {"odoo_acme": {"books": {"looked": "x"}, "compared_with": "not compared"}},
}


def record(result: str = "passed", reason: str | None = None, **changes: Any) -> Record:
    times = {"start": timestamp(0.0), "end": timestamp(9.0)}
    about = {
        "check": "restore",
        "kind": "restores",
        "target": "acme-weekly",
        **times,
        "result": result,
        "reason": reason,
    }
    return make(about, {**PAYLOAD, **changes}, None)


def test_the_sentence():
    assert summary(PAYLOAD) == (
        "can be restored to any moment between 2026-11-20T02:42:28.000Z and 2026-11-28T02:42:29.000Z; "
        "took 2.0 s; data loss window 0:01:30"
    )
    dump = {**PAYLOAD, "recoverable_from": None, "recoverable_until": None}
    assert summary(dump).startswith("can be restored as it was at 2026-11-28T02:42:29.745Z; took")


def test_as_text():
    text = as_text(record())
    assert "odoo_acme can be restored to any moment between" in text
    assert "time to restore              2.0 s of 1.0 s allowed: MISSED" in text
    assert "data loss window             0:01:30 of 0:05:00 allowed: kept" in text
    assert "counted from the newest recoverable moment, whether or not something was written after it" in text
    assert "restored data removed        yes" in text
    assert "compared with                not compared" in text


def test_what_failed_says_why_first():
    text = as_text(record("failed", "books", wrong=["odoo_acme: 1 posted entry does not balance"]))
    lines = text.splitlines()
    assert lines[2].split() == ["result", "failed"]
    assert "books: the books in it are not right" in lines[3]
    assert "does not balance" in lines[4]
    assert "in a sentence" not in text
    assert "counted from" not in as_text(record("failed", "no_backup", data_loss_ms=None))


def test_what_was_not_removed_is_shouted():
    assert "restored data removed        NO" in as_text(record(deleted=False))


def test_a_page_stands_on_its_own_and_is_not_steered_by_names():
    evil = "<script>alert(1)</script>\x1b[2J"
    page = as_page(record("failed", "wrong_backup", wrong=[evil], database=evil))
    assert page.startswith("<!doctype html>")
    assert "<script>" not in page
    assert "http" not in page.split("<body>", 1)[1]
    assert "\x1b" not in as_text(record("failed", "wrong_backup", wrong=[evil]))


def test_a_record_whose_payload_has_expired():
    expired = Record(record().header_text, None)
    assert "acme-weekly" in as_text(expired)


def test_durations():
    assert [duration(value) for value in (None, 0, 59_999, 60_000, 90_061_000)] == [
        "unknown", "0.0 s", "60.0 s", "0:01:00", "1 day, 1:01:01",
    ]  # fmt: skip
