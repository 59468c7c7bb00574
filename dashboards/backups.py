"""Backups: is there a good one of each thing, how old, how large against what is usual, and what is wrong with it?"""

from __future__ import annotations

from dashboards.limits import limits
from dashboards.measures import NAME, YES_IS_GOOD
from dashboards.parts import (
    CLEAR,
    ORANGE,
    RED,
    TARGET,
    YELLOW,
    Column,
    Limits,
    Panel,
    both,
    chart,
    only,
    query,
    table,
)

KNOWN = {"0": ("not known", YELLOW), "1": ("whole", CLEAR)}
VERIFIED = {"0": ("failed", RED), "1": ("passed", CLEAR)}
BY_TYPE = f"{TARGET}, type"
SUCCESS = "closewatch_backup_last_success_timestamp_seconds"
SIZE, USUAL = "closewatch_backup_size_bytes", "closewatch_backup_usual_size_bytes"
DURATION, USUAL_DURATION = "closewatch_backup_duration_seconds", "closewatch_backup_usual_duration_seconds"
FAILURE = "closewatch_backup_last_failure_timestamp_seconds"
NONE = "No place with backups is watched here."


def most(metric: str, *labels: str, matchers: str = "", of: str = "max") -> str:
    """The highest value by target and labels, of tenants' own places and of shared ones."""
    return f"{of} by ({', '.join((TARGET, *labels))}) {both(metric, matchers)}"


def ratio() -> str:
    """The newest one's size against what is usual."""
    return f"max by ({BY_TYPE}) ({most(SIZE, 'type')} / {most(USUAL, 'type')})"


def panels() -> list[Panel]:
    """A line a place, then age, size, and what is not good."""
    return [_places(), *_times(), *_content()]


def _places() -> Panel:
    age, small = limits("backup_age_seconds"), limits("backup_size_ratio")
    good, bad = (most("closewatch_backup_seen", matchers=f'state="{state}"') for state in ("good", "bad"))
    answers = most("closewatch_target_up", matchers='kind="backups"')
    shrunk = ((0, small.steps[0][1]), (small.steps[0][0], CLEAR))
    rows: list[tuple[str, Column]] = [
        (answers, Column("", "Answers", texts=YES_IS_GOOD, solid=True, width=80)),
        (f"time() - {most(SUCCESS)}", Column("", "Newest good", unit="s", steps=age.steps, width=110)),
        (f"time() - {most(FAILURE)}", Column("", "Newest bad", unit="s", width=110)),
        (f"min by ({TARGET}) ({ratio()})", Column("", "Of usual size", unit="percentunit", steps=shrunk, width=110)),
        (
            most("closewatch_backup_completeness_known", of="min"),
            Column("", "Whole", texts=KNOWN, solid=True, width=90),
        ),
        (most("closewatch_backup_verified", of="min"), Column("", "Checked", texts=VERIFIED, width=80)),
        (good, Column("", "Good", width=70)),
        (bad, Column("", "Bad", steps=((1, ORANGE),), width=70)),
        (
            f"time() - {most('closewatch_backup_oldest_timestamp_seconds', of='min')}",
            Column("", "Oldest", unit="s", width=100),
        ),
    ]
    refs = [chr(ord("A") + index) for index in range(len(rows))]
    return table(
        "Places with backups",
        "A line a place, the one with the oldest good backup first. Whole says that the end of the newest one was seen;"
        " that it can be restored only a restore shows.",
        [query(expr, ref=ref, table=True) for ref, (expr, _) in zip(refs, rows, strict=True)],
        [
            Column("target", "Place", link=only("Only this place")),
            *(column.of(f"Value #{ref}") for ref, (_, column) in zip(refs, rows, strict=True)),
            Column("tenant", "Tenant"),
            Column("cell", "Cell"),
            Column("environment", "Environment"),
        ],
        none=NONE,
        sort=("Newest good", True),
        alerts=("BackupMissing", "BackupFailed", "BackupShrunk", "BackupUnreadable", "BackupUnverified"),
    )


def _times() -> list[Panel]:
    name = NAME + " {{type}}"
    return [
        chart(
            "Time since the newest good backup",
            "By place and type. It falls to nothing with each backup; what only grows is late.",
            "s",
            [query(f"time() - {most(SUCCESS, 'type')}", name)],
            limits=limits("backup_age_seconds"),
            none=NONE,
        ),
        chart(
            "Duration",
            "How long the newest one took, where the tool says so.",
            "s",
            [query(most(DURATION, "type"), name)],
            none="No tool here tells how long a backup took.",
        ),
        chart(
            "Duration against what is usual",
            "Against the median of those before it, of the same type. A quick one may take many times as long.",
            "none",
            [query(f"max by ({BY_TYPE}) ({most(DURATION, 'type')} / {most(USUAL_DURATION, 'type')})", name)],
            limits=limits("backup_duration_ratio"),
            none="No place has enough backups to know what is usual.",
        ),
        chart(
            "Backups in the place",
            "Good, bad, being written, and older ones that were not looked into.",
            "short",
            [query(f"sum by (state) ({most('closewatch_backup_seen', 'state')})", "{{state}}")],
            stacked=True,
            none=NONE,
        ),
    ]


def _content() -> list[Panel]:
    name = NAME + " {{type}}"
    return [
        chart(
            "Size of the newest",
            "By place and type; of pgBackRest's, of the database that it restores.",
            "bytes",
            [query(most(SIZE, "type"), name)],
            none=NONE,
        ),
        chart(
            "Size against what is usual",
            "Against the median of those before it, of the same type. There from the fourth backup on.",
            "percentunit",
            [query(ratio(), name)],
            limits=limits("backup_size_ratio"),
            top=1.2,
            none="No place has enough backups to know what is usual.",
        ),
        chart(
            "Why backups are not good",
            "The newest bad one of each place: how long ago, by reason. And places of which more is there than can be"
            " listed, or of which pgBackRest itself says that something is wrong.",
            "s",
            [
                query(f"time() - {most(FAILURE, 'reason')}", NAME + " {{reason}}"),
                query(f"{most('closewatch_backup_listing_truncated')} == 1", NAME + " listing truncated", ref="B"),
                query(
                    most("closewatch_backup_repository_info", "status", matchers='status!="ok"'),
                    NAME + " pgBackRest: {{status}}",
                    ref="C",
                ),
            ],
            limits=Limits(alerts=("BackupFailed", "BackupUnreadable")),
            none="Every newest backup is good.",
        ),
    ]
