"""The collector `bucket`, and how the check is configured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from closewatch.backups.bucket import BUCKET
from closewatch.backups.tampering import SIGNS
from closewatch.core.collectors import Answer
from closewatch.core.problems import ConfigError
from closewatch.core.targets import Target
from closewatch.kinds import load

FACTS: dict[str, Any] = {
    "lock": True, "lock_days": 35, "lock_mode": "governance", "versioning": "suspended", "public": None,
    "encrypted": False, "replicated": None, "retained_until_ms": 5000, "contradictions": ["lock_shorter"],
    "uploads": 2, "delete_markers": None, "unknown": ["policy"],
}  # fmt: skip


def read(payload: Any) -> dict[str, float]:
    tables = {"newest": [] if payload is None else [{"payload": payload}], "passed": []}
    found = {}
    for sample in BUCKET.read(Answer(tables), Target.of("backups", "a", environment="test"), {}):
        assert sample.family in BUCKET.families
        if sample.value is not None:
            found[":".join((sample.family.name.removeprefix("closewatch_"), *sample.labels))] = sample.value
    return found


def test_what_is_not_known_is_absent():
    found = read({"seen": {"gone": 7000}, "facts": FACTS})
    assert found.pop("backup_tampering_last_seen_timestamp_seconds:gone") == 7
    assert {found.pop(f"backup_tampering_last_seen_timestamp_seconds:{sign}") for sign in SIGNS[1:]} == {0}
    assert found == {
        "bucket_object_lock_enabled": 1,
        "bucket_object_lock_days": 35,
        "bucket_object_lock_compliance": 0,
        "bucket_versioning_enabled": 0,
        "bucket_encrypted": 0,
        "bucket_retained_until_timestamp_seconds": 5,
        "bucket_lifecycle_contradictions": 0,
        "bucket_incomplete_uploads": 2,
        "bucket_answer_unknown:policy": 1,
    }


def test_while_the_bucket_is_away_only_the_signs_stay():
    assert set(read({"seen": {}})) == {f"backup_tampering_last_seen_timestamp_seconds:{sign}" for sign in SIGNS}
    assert read({}) == {}
    assert read(None) == {}


def test_the_check_is_there_where_it_is_configured(tmp_path: Path):
    targets = [
        {"kind": "backups", "name": "with", "s3": {"bucket": "b"}, "posture": {"every": 3600}},
        {"kind": "backups", "name": "without", "s3": {"bucket": "b"}},
    ]
    document = {"environment": "test", "records": {"path": "r.db"}, "targets": targets}
    (tmp_path / "c.yml").write_text(yaml.safe_dump(document))
    with_it, without = load(tmp_path / "c.yml").targets
    (check,) = with_it.checks()
    assert (check.name, check.every, check.limit) == ("posture", 3600, 120)
    assert without.checks() == ()
    assert [one.name for one in with_it.asked((BUCKET,))] == ["bucket"]
    assert without.asked((BUCKET,)) == ()


def test_posture_is_that_of_a_bucket(tmp_path: Path):
    target = {"kind": "backups", "name": "a", "folder": {"path": "/b"}, "posture": {}}
    (tmp_path / "c.yml").write_text(yaml.safe_dump({"environment": "test", "targets": [target]}))
    with pytest.raises(ConfigError, match="it belongs to s3"):
        load(tmp_path / "c.yml")
