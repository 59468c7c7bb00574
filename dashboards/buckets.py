"""Buckets with backups: who gets in, who could take the backups away, and whether somebody has begun to."""

from __future__ import annotations

from dashboards.limits import limits
from dashboards.measures import NAME
from dashboards.parts import CLEAR, ORANGE, RED, TARGET, YELLOW, Column, Panel, only, query, table, timeline
from dashboards.recoverability import worst

BUCKET = "closewatch_bucket_"
UNSURE = ("cannot tell", YELLOW)
GOOD = {"0": ("no", ORANGE), "1": ("yes", CLEAR), "2": UNSURE}
NICE = {"0": ("no", CLEAR), "1": ("yes", CLEAR), "2": UNSURE}
BAD = {"0": ("no", CLEAR), "1": ("yes", RED), "2": UNSURE}
MODE = {"0": ("governance", YELLOW), "1": ("compliance", CLEAR)}
SIGN = {"0": ("not seen", CLEAR), "1": ("seen", RED)}
WHO = "policy|acl|ownership|block|outside"


def answer(metric: str, questions: str, of: str) -> str:
    """1 yes, 0 no, 2 where the service does not tell."""
    unknown = worst(f"{BUCKET}answer_unknown", matchers=f'question=~"{questions}"')
    return f"{worst(BUCKET + metric, of=of)} or 2 * {unknown}"


def panels() -> list[Panel]:
    """A line a bucket, then the signs over time."""
    return [_posture(), _tampering()]


def _posture() -> Panel:
    retained = limits("bucket_retained_seconds").steps[0]
    left = f"{worst(f'{BUCKET}retained_until_timestamp_seconds', of='min')} - time()"
    rows: list[tuple[str, Column]] = [
        (answer("public", WHO, "max"), Column("", "Public", texts=BAD, solid=True, width=95)),
        (answer("versioning_enabled", "versioning", "min"), Column("", "Versions", texts=GOOD, solid=True, width=95)),
        (answer("object_lock_enabled", "lock", "min"), Column("", "Object lock", texts=GOOD, solid=True, width=105)),
        (worst(f"{BUCKET}object_lock_compliance", of="min"), Column("", "Mode", texts=MODE, width=100)),
        (worst(f"{BUCKET}object_lock_days", of="min"), Column("", "Days", width=70)),
        (
            left,
            Column("", "Newest locked for", unit="s", steps=((-1e10, retained[1]), (retained[0], CLEAR)), width=140),
        ),
        (
            worst(f"{BUCKET}lifecycle_contradictions"),
            Column("", "Rules against retention", steps=((1, ORANGE),), width=165),
        ),
        (answer("encrypted", "encryption", "min"), Column("", "Encrypted", texts=GOOD, solid=True, width=95)),
        (answer("replicated", "replication", "min"), Column("", "Replicated", texts=NICE, solid=True, width=95)),
        (worst(f"{BUCKET}incomplete_uploads"), Column("", "Uploads not ended", width=140)),
        (worst(f"{BUCKET}delete_markers"), Column("", "Delete markers", width=120)),
    ]
    refs = [chr(ord("A") + index) for index in range(len(rows))]
    return table(
        "Buckets",
        "A line a bucket, as its newest check saw it. Cannot tell: the service refuses, or doesn't know the question.",
        [query(expr, ref=ref, table=True) for ref, (expr, _) in zip(refs, rows, strict=True)],
        [
            Column("target", "Place", link=only("Only this place")),
            *(column.of(f"Value #{ref}") for ref, (_, column) in zip(refs, rows, strict=True)),
            Column("tenant", "Tenant"),
            Column("cell", "Cell"),
            Column("environment", "Environment"),
        ],
        none="No bucket's posture is checked here.",
        sort=("Public", True),
        alerts=("BucketPublic", "BucketUnprotected", "BucketRetentionEnding", "BucketLifecycleContradicts"),
    )


def _tampering() -> Panel:
    seen = worst("closewatch_backup_tampering_last_seen_timestamp_seconds", "sign")
    for_a_day = limits("backup_tampering_seconds")
    return timeline(
        "Signs of tampering",
        "Each sign that was ever seen: red for a day after a check saw it. The record of that check names the objects.",
        [
            query(
                f"(time() - {seen} < bool {for_a_day.steps[0][0]:.0f}) and on ({TARGET}, sign) {seen} > 0",
                NAME + " {{sign}}",
            )
        ],
        SIGN,
        none="No check ever saw a sign.",
        alerts=for_a_day.alerts,
    )
