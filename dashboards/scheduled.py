"""Scheduled checks and their records: carried out, with a result, readable, signed, and copied elsewhere."""

from __future__ import annotations

from dashboards.limits import limits
from dashboards.parts import CLEAR, ORANGE, RED, TARGET, Column, Limits, Panel, chart, only, query, table
from dashboards.recoverability import age, worst

CHECK = "closewatch_check_"
RECORDS = "closewatch_records_"
PASSED = {"0": ("failed", RED), "1": ("passed", CLEAR)}


def panels() -> list[Panel]:
    """A line a check, then the records."""
    return [_checks(), *_records()]


def _checks() -> Panel:
    every, ran = worst(f"{CHECK}interval_seconds", "check"), f"{CHECK}last_run_timestamp_seconds"
    late = f"{age(ran, 'check')} / on ({TARGET}, check) {every}"
    when = "dateTimeFromNow"
    rows: list[tuple[str, Column]] = [
        (every, Column("", "Every", unit="s", width=80)),
        (f"1000 * {worst(ran, 'check')}", Column("", "Last run", unit=when, width=130)),
        (late, Column("", "In intervals", steps=limits("check_silent_intervals").steps, width=105)),
        (worst(f"{CHECK}passed", "check", of="min"), Column("", "Result", texts=PASSED, solid=True, width=80)),
        (
            f"1000 * {worst(f'{CHECK}last_passed_timestamp_seconds', 'check')}",
            Column("", "Last passed", unit=when, width=130),
        ),
        (worst(f"{CHECK}failure_info", "check", "reason"), Column("", "failed")),
    ]
    refs = [chr(ord("A") + index) for index in range(len(rows))]
    return table(
        "Scheduled checks",
        "A line a check of a target, what is longest ago on top. Without a result the newest run could not tell.",
        [query(expr, ref=ref, table=True) for ref, (expr, _) in zip(refs, rows, strict=True)],
        [
            Column("check", "Check", width=110),
            Column("target", "Target", link=only("Only this target")),
            *(column.of(f"Value #{ref}") for ref, (_, column) in zip(refs[:-1], rows, strict=False)),
            Column("reason", "Reason", width=160),
            Column("tenant", "Tenant"),
            Column("cell", "Cell"),
            Column("environment", "Environment"),
        ],
        hidden=(f"Value #{refs[-1]}",),
        none="No scheduled checks are configured.",
        sort=("In intervals", True),
        size=(24, 9),
        alerts=("ClosewatchCheckSilent", "ClosewatchCheckInconclusive", "RestoreTestSilent"),
    )


def _records() -> list[Panel]:
    signed, copied = (f"{RECORDS}heads_{word}_timestamp_seconds" for word in ("signed", "copied"))
    return [
        chart(
            "Since records were signed",
            "The age of the newest day whose records are signed.",
            "s",
            [query(f"time() - max by (instance) ({signed})", "{{instance}}")],
            limits=limits("records_unsigned_seconds"),
            none="Records are not signed here.",
        ),
        chart(
            "Since signed records were copied",
            "The age of the newest signed day in each copy, out of reach of whoever can change the records.",
            "s",
            [query(f"time() - max by (copy) ({copied})", "{{copy}}")],
            limits=limits("records_copied_seconds"),
            none="Records are not copied.",
        ),
        chart(
            "Records that can't be read",
            "1 while a process can't read the record store: then nothing of the above is known to it.",
            "none",
            [query(f"max by (instance) ({RECORDS}unreadable)", "{{instance}}")],
            limits=Limits(((1, ORANGE),), ("ClosewatchRecordsUnreadable",)),
            top=1,
            none="No record store is configured.",
        ),
    ]
