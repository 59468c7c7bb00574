"""Can each database be restored: to which moments, tested and verified when, how fast, and with what loss?

The first table reads as one sentence a database. The window is that of today's backups, by the plan's own target; where
these aren't watched, that of the newest test that passed.
"""

from __future__ import annotations

from dashboards.limits import limits
from dashboards.measures import NAME
from dashboards.parts import (
    CLEAR,
    GREEN,
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

TEST = "closewatch_restore_test_"
RESULT = {"0": ("not passed", RED), "1": ("passed", GREEN)}
KEPT = {"0": ("missed", RED), "1": ("kept", CLEAR)}
WHOLE = {"": ("(all of the server)", "text")}
# Why a test did not pass, in words that say where to look. The keys are the closed set of reasons.
REASONS = {
    "no_backup": ("no_backup: there is none", RED),
    "wrong_backup": ("wrong_backup: of another database", RED),
    "unreadable": ("unreadable: can't be read", RED),
    "wrong_version": ("wrong_version: no server of its version here", YELLOW),
    "no_space": ("no_space: too little room for the test", YELLOW),
    "start_failed": ("start_failed: the server doesn't start", RED),
    "target_not_reached": ("target_not_reached: ends before the moment asked for", RED),
    "wal_missing": ("wal_missing: WAL has a hole", RED),
    "manifest": ("manifest: not as its manifest says", RED),
    "corrupt": ("corrupt: damaged tables or indexes", RED),
    "books": ("books: the books in it don't add up", RED),
    "filestore_incomplete": ("filestore_incomplete: attachments missing or altered", RED),
    "secrets": ("secrets: the archive can't be opened", RED),
    "configuration": ("configuration: can't be read", RED),
    "infrastructure": ("infrastructure: the bundle is not whole", RED),
    "time_limit": ("time_limit: took too long", ORANGE),
    "tool_failed": ("tool_failed: the backup tool ended with an error", RED),
    "clock": ("clock: a clock is wrong", ORANGE),
    "cancelled": ("cancelled: ended before its end", YELLOW),
    "cannot_test": ("cannot_test: this kind of backup can't be tested", YELLOW),
    "error": ("error: see the log of closewatch", ORANGE),
}
NONE = "No restore tests are planned here."
TESTED_FOR = limits("restore_test_age_seconds")


def worst(metric: str, *labels: str, matchers: str = "", of: str = "max") -> str:
    """The highest value by target and labels, of tenants' own targets and of shared ones."""
    return f"{of} by ({', '.join((TARGET, *labels))}) {both(metric, matchers)}"


def age(metric: str, *labels: str, of: str = "max") -> str:
    """Seconds since a time; never below 0, as clocks differ."""
    return f"clamp_min(time() - {worst(metric, *labels, of=of)}, 0)"


def window(end: str) -> str:
    """A moment of the plan's window, in milliseconds: today's, or that of the newest test."""
    now = f"""max by (environment, backups)
        (label_join(closewatch_backup_recoverable_{end}_timestamp_seconds, "backups", "", "target"))"""
    plan = worst(f"{TEST}plan_info", "backups")
    live = f"max by ({TARGET}) ({plan} * on (environment, backups) group_left () {now})"
    return f"1000 * ({live} or {worst(f'{TEST}recoverable_{end}_timestamp_seconds')})"


def kept(reached: str, agreed: str) -> str:
    """1 where what was reached is within what was agreed."""
    return f"{reached} <= bool on ({TARGET}) {worst(agreed, of='min')}"


def panels() -> list[Panel]:
    """The sentence, then what it rests on."""
    return [_sentence(), *_tests(), _backups(), *_windows()]


def _sentence() -> Panel:
    took = worst(f"{TEST}duration_seconds", matchers='phase="rta"')
    # Without our rules nobody knows which source was idle: all is counted.
    loss = f"({worst('closewatch:restore_data_loss:seconds')} or {worst(f'{TEST}data_loss_seconds')})"
    parts: list[tuple[str, Column]] = [
        (window("from"), Column("", "can be restored to any moment between", unit="dateTimeAsIso", width=260)),
        (window("until"), Column("", "and", unit="dateTimeAsIso", width=150)),
        (
            f"1000 * {worst(f'{TEST}last_success_timestamp_seconds')}",
            Column("", "tested and verified at", unit="dateTimeAsIso", width=160),
        ),
        (took, Column("", "took", unit="s", width=80)),
        (loss, Column("", "data loss window", unit="s", width=120)),
        (worst(f"{TEST}success", of="min"), Column("", "Newest test", texts=RESULT, solid=True, width=100)),
        (kept(took, f"{TEST}rto_seconds"), Column("", "RTO", texts=KEPT, solid=True, width=75)),
        (kept(loss, f"{TEST}rpo_seconds"), Column("", "RPO", texts=KEPT, solid=True, width=75)),
        (worst(f"{TEST}failure_info", "reason"), Column("", "failed")),
    ]
    refs = [chr(ord("B") + index) for index in range(len(parts))]
    return table(
        "Can it be restored?",
        "Read each line as a sentence. The moments are today's backups'; what stands after them is of the newest test"
        " that passed. A data loss window of 0 may be that of a database to which nothing was written.",
        [
            query(worst(f"{TEST}plan_info", "database", "origin"), ref="A", table=True),
            *(query(expr, ref=ref, table=True) for ref, (expr, _) in zip(refs, parts, strict=True)),
        ],
        [
            Column("database", "Database", texts=WHOLE, width=150),
            *(column.of(f"Value #{ref}") for ref, (_, column) in zip(refs[:-1], parts, strict=False)),
            Column("reason", "Reason", texts=REASONS, width=240),
            Column("target", "Plan", link=only("Only this plan")),
            Column("origin", "From", width=110),
            Column("tenant", "Tenant"),
            Column("cell", "Cell"),
            Column("environment", "Environment"),
        ],
        hidden=("Value #A", f"Value #{refs[-1]}"),
        none=NONE,
        sort=("tested and verified at", False),
        size=(24, 10),
        alerts=(
            "RestoreTestFailed",
            "RestoreTestOverdue",
            "RestoreTestSilent",
            "RestoreTimeObjectiveMissed",
            "RestoreDataLossObjectiveMissed",
        ),
    )


def _tests() -> list[Panel]:
    covered = f'{TEST}coverage_ratio{{environment=~"$environment",cell=~"$cell"}}'
    point = age(f"{TEST}point_timestamp_seconds")
    return [
        chart(
            "Phases of the newest test",
            "How long each part of the newest test that passed took; rta is the time until the database could be used.",
            "s",
            [query(worst(f"{TEST}duration_seconds", "phase"), NAME + " {{phase}}")],
            limits=Limits(alerts=("RestoreTimeObjectiveMissed",)),
            none=NONE,
        ),
        chart(
            "Time since a test passed",
            "By plan; and how far back the newest moment lies that a test has brought back.",
            "s",
            [
                query(age(f"{TEST}last_success_timestamp_seconds"), NAME),
                query(point, NAME + " newest moment", ref="B"),
            ],
            limits=TESTED_FOR,
            none="No restore test has passed yet.",
        ),
        chart(
            "Coverage",
            "The share of databases that were restored and verified within their interval.",
            "percentunit",
            [query(f"min by (environment, cell) ({covered})", "{{environment}} {{cell}}")],
            limits=limits("restore_coverage_ratio"),
            top=1,
            none=NONE,
        ),
    ]


def _backups() -> Panel:
    gap, few = limits("backup_age_seconds").steps[-1:], limits("backup_kept")
    pair = """abs(max by (environment, cell, tenant, target, pair) (%s)
        * on (environment, cell, tenant, target) group_left () %s
        - on (environment, tenant, pair) group_left () max by (environment, tenant, pair)
        (label_join(closewatch_backup_last_success_timestamp_seconds, "pair", "", "target")))"""
    apart = pair % (both("closewatch_backup_pair_info"), worst("closewatch_backup_last_success_timestamp_seconds"))
    good = f"sum by ({TARGET}) ({worst('closewatch_backup_kept', 'type')})"
    short = ((0.0, few.steps[0][1]), (few.steps[0][0], CLEAR))
    told = {"0": ("no", YELLOW), "1": ("yes", CLEAR)}
    backup = "closewatch_backup_"
    rows: list[tuple[str, Column]] = [
        (good, Column("", "Good", steps=short, width=70)),
        (age(f"{backup}oldest_good_timestamp_seconds", of="min"), Column("", "Oldest good", unit="s", width=110)),
        (worst(f"{backup}longest_gap_seconds"), Column("", "Longest gap", unit="s", steps=gap, width=110)),
        (worst(f"{backup}wal_missing_segments"), Column("", "WAL missing", steps=((1, RED),), width=105)),
        (
            f"max by ({TARGET}) ({apart})",
            Column("", "Apart from files", unit="s", steps=limits("backup_pair_skew_seconds").steps, width=125),
        ),
        (
            age(f"{backup}repository_locked_since_timestamp_seconds", of="min"),
            Column("", "Locked for", unit="s", steps=limits("backup_lock_seconds").steps, width=100),
        ),
        (worst(f"{backup}encrypted", of="min"), Column("", "Encrypted", texts=told, solid=True, width=95)),
    ]
    refs = [chr(ord("A") + index) for index in range(len(rows))]
    return table(
        "What a restore rests on",
        "A line a place with backups: how many good ones, since when, which holes. Empty: the source doesn't tell.",
        [query(expr, ref=ref, table=True) for ref, (expr, _) in zip(refs, rows, strict=True)],
        [
            Column("target", "Place", link=only("Only this place")),
            *(column.of(f"Value #{ref}") for ref, (_, column) in zip(refs, rows, strict=True)),
            Column("tenant", "Tenant"),
            Column("cell", "Cell"),
            Column("environment", "Environment"),
        ],
        none="No place with backups is watched here.",
        sort=("Good", False),
        alerts=(
            "BackupRetentionNotKept",
            "BackupWalGap",
            "BackupFilestoreSkew",
            "BackupRepositoryLocked",
            "BackupUnverified",
        ),
    )


def _windows() -> list[Panel]:
    ends = {end: f"closewatch_backup_recoverable_{end}_timestamp_seconds" for end in ("from", "until")}
    newest = f"({worst(ends['until'])} or {worst('closewatch_backup_last_success_timestamp_seconds')})"
    return [
        chart(
            "Length of the window",
            "How far back one can go, to any moment; up to the newest good backup where no times of WAL are known. "
            "Where WAL is archived only.",
            "s",
            [query(f"{newest} - on ({TARGET}) {worst(ends['from'], of='min')}", NAME)],
            limits=limits("recovery_window_seconds"),
            size=(12, 8),
            none="No WAL is archived here, or no source tells of it.",
        ),
        chart(
            "What would be lost now",
            "How far back the newest moment lies that could be restored, by place. Where times of WAL are known.",
            "s",
            [query(age(ends["until"]), NAME)],
            limits=limits("recovery_point_seconds"),
            size=(12, 8),
            none="No WAL is archived here, or no source tells its times.",
        ),
    ]
