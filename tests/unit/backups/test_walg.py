"""WAL-G's list and its account of the WAL, as rows; and the program's manners."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from closewatch.backups.walg import Storage, tables
from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.secrets import known
from tests.unit.backups.answers import answer, at

NOW = at("2026-11-23T00:00:00Z")
FIRST, SECOND, THIRD = at("2026-11-20T02:09:58.5Z"), at("2026-11-21T02:02:59Z"), at("2026-11-22T02:09:30Z")


def place(verified: Any, listed: Any = None) -> dict[str, Any]:
    found = tables(answer("walg-backup-list.json") if listed is None else listed, verified, NOW)["place"][0]
    return {name: found[name] for name in ("since", "until", "missing")}


def test_the_rows():
    rows = tables(answer("walg-backup-list.json"), None, NOW)["main"]
    assert [(row["type"], row["state"], row["at"]) for row in rows] == [
        ("full", "good", FIRST), ("incr", "good", SECOND), ("full", "good", THIRD),
    ]  # fmt: skip
    assert rows[0]["seconds"] == pytest.approx(598.376543)
    assert rows[0]["size"] == 52428800000


def test_a_hole_begins_the_window_after_it():
    assert place(answer("walg-verify.json")) == {"since": THIRD, "until": None, "missing": 2}


def test_without_a_hole_and_without_an_account():
    whole = answer("walg-verify.json")
    whole["integrity"]["details"] = [one for one in whole["integrity"]["details"] if one["status"] != "MISSING_LOST"]
    whole["integrity"]["status"] = "WARNING"  # what is delayed or being uploaded is not lost
    assert place(whole) == {"since": FIRST, "until": None, "missing": 0}
    whole["integrity"] = {"status": "OK", "details": None}
    assert place(whole) == {"since": FIRST, "until": None, "missing": 0}
    assert place(None) == {"since": FIRST, "until": None, "missing": None}
    assert place(answer("walg-verify.json"), []) == {"since": None, "until": None, "missing": None}


def test_a_hole_after_the_newest_leaves_nothing_to_begin_with():
    late = answer("walg-verify.json")
    late["integrity"]["details"][1] |= {
        "start_segment": "000000010000000000000035", "end_segment": "000000010000000000000036",
    }  # fmt: skip
    assert place(late) == {"since": None, "until": None, "missing": 2}


def test_segments_of_another_size_keep_their_order():
    small, listed = answer("walg-verify.json"), answer("walg-backup-list.json")
    for one, name in zip(listed, ("0FE", "110", "230"), strict=True):
        one["wal_file_name"] = f"000000010000000000000{name}"
    small["integrity"]["details"][1]["end_segment"] = "000000010000000000000120"
    assert place(small, listed) == {"since": THIRD, "until": None, "missing": 2}


def test_in_the_future():
    listed = answer("walg-backup-list.json")
    row = tables(listed, None, FIRST - 86_400)["main"][0]
    assert (row["state"], row["reason"]) == ("bad", "in_the_future")


@pytest.mark.parametrize(
    ("listed", "verified"),
    [
        ([{"backup_name": "x"}], None),
        ([5], None),
        ({"error": "x"}, None),
        (None, {}),
        (None, {"integrity": {"status": "WHAT_COMES_NEXT", "details": []}}),
        (None, {"integrity": {"status": "OK", "details": [{"status": "MISSING_LOST"}]}}),
        (None, [1]),
    ],
    ids=repr,
)
def test_another_form_is_said(listed: Any, verified: Any):
    with pytest.raises(Unavailable) as caught:
        tables(copy.deepcopy(listed) or answer("walg-backup-list.json"), verified, NOW)
    assert caught.value.reason is Reason.INVALID_ANSWER


def program(tmp_path: Path, script: str) -> list[str]:
    path = tmp_path / "wal-g"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return [str(path)]


def test_the_environment_comes_from_its_file(tmp_path: Path):
    (tmp_path / "environment").write_text(
        "# of the archiver\nexport WALG_S3_PREFIX='s3://b/p'\nAWS_SECRET_ACCESS_KEY=walg-secret-never-to-be-seen\n"
    )
    script = (
        f'echo "$WALG_S3_PREFIX $AWS_SECRET_ACCESS_KEY" > {tmp_path}/given\n'
        "case $1 in backup-list) echo '[]';; *) exit 1;; esac"
    )
    storage = Storage(program(tmp_path, script), None, tmp_path / "environment", verify_wal=True)
    assert storage.look(Deadline.after(9))["main"] == []
    assert (tmp_path / "given").read_text() == "s3://b/p walg-secret-never-to-be-seen\n"
    assert "walg-secret-never-to-be-seen" in known()
    missing = Storage(program(tmp_path, "true"), None, tmp_path / "none", verify_wal=False)
    with pytest.raises(Unavailable) as caught:
        missing.look(Deadline.after(9))
    assert caught.value.reason is Reason.SECRET


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 1", Reason.SERVER_ERROR),
        ("echo nonsense", Reason.INVALID_ANSWER),
        ("sleep 60", Reason.TIMEOUT),
    ],
)
def test_a_program_that_behaves_badly(tmp_path: Path, script: str, reason: Reason):
    with pytest.raises(Unavailable) as caught:
        Storage(program(tmp_path, script), None, None, verify_wal=False).look(Deadline.after(1.5))
    assert caught.value.reason is reason


@pytest.mark.parametrize("said", ["true", "echo 'INFO: No backups found' >&2"])
def test_no_backups_are_no_fault(tmp_path: Path, said: str):
    found = Storage(program(tmp_path, said), None, None, verify_wal=False).look(Deadline.after(9))
    assert found["main"] == []
