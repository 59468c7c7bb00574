"""pg_basebackup's own folders and archived WAL: a real server, and its files damaged as they are on bad days."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from closewatch.backups import wal
from closewatch.backups.basebackup import manifest
from tests.fixtures.archiving import Archiving
from tests.fixtures.watch import Watched

pytestmark = [pytest.mark.server, pytest.mark.slow]
Watching = Callable[..., Watched]
SUCCESS = "backup_last_success_timestamp_seconds"
FROM, UNTIL = "backup_recoverable_from_timestamp_seconds", "backup_recoverable_until_timestamp_seconds"
MISSING = "backup_wal_missing_segments"
MIB = 1024 * 1024


def target(base: Path, archive: Path | None, **more: Any) -> dict[str, Any]:
    place = {"path": str(base), "segment_size": 1, **({"wal": str(archive)} if archive else {}), **more}
    return {"kind": "backups", "name": "base", "basebackup": place}


def needed(archiving: Archiving) -> tuple[str, str]:
    """The last segment that the older backup needs, and the last that the newer one does."""
    both = [manifest((archiving.base / name / "backup_manifest").read_bytes(), MIB) for name in ("plain", "tar")]
    return tuple(wal.name(one["stop"], MIB) for one in both)


def times(folder: Path) -> dict[str, float]:
    return {path.name: path.stat().st_mtime for path in folder.iterdir() if len(path.name) == 24}


def copied(archiving: Archiving, tmp_path: Path, *names: str) -> Path:
    """A copy of base backups, with the times of their files."""
    for name in names:
        shutil.copytree(archiving.base / name, tmp_path / "base" / name, symlinks=True)
    return tmp_path / "base"


def test_a_real_archive(archiving: Archiving, watching: Watching):
    facts = watching(target(archiving.base, archiving.wal)).ask("base")
    assert (facts.up, facts.failing) == (True, {})
    written = sorted((archiving.base / name / "backup_manifest").stat().st_mtime for name in ("plain", "tar"))
    assert facts.one("backup_kept", type="full") == 2
    assert facts.one(SUCCESS, type="full") == pytest.approx(written[1], abs=0.01)
    assert facts.one("backup_oldest_good_timestamp_seconds") == facts.one(FROM) == pytest.approx(written[0], abs=0.01)
    assert facts.one("backup_longest_gap_seconds") == pytest.approx(written[1] - written[0], abs=0.01)
    assert facts.one(UNTIL) == pytest.approx(max(times(archiving.wal).values()), abs=0.01)
    assert facts.one(MISSING) == 0
    assert facts.one("backup_size_bytes", type="full") > 5_000_000
    # What was committed at a known moment lies inside.
    assert facts.one(FROM) < archiving.moment < facts.one(UNTIL)


def test_a_segment_in_the_middle_begins_the_window_after_it(archiving: Archiving, watching: Watching, tmp_path: Path):
    older, newer = needed(archiving)
    between = [name for name in archiving.segments() if older < name < newer]
    lost = between[0] if between else older
    archive = archiving.copy_of_wal(tmp_path / "wal", lost)
    facts = watching(target(archiving.base, archive)).ask("base")
    assert facts.one(MISSING) == 1
    assert facts.one(FROM) == facts.one(SUCCESS, type="full")
    assert facts.one(UNTIL) == pytest.approx(max(times(archive).values()), abs=0.01)


def test_a_segment_after_the_newest_ends_it(archiving: Archiving, watching: Watching, tmp_path: Path):
    after = [name for name in archiving.segments() if name > needed(archiving)[1]]
    archive = archiving.copy_of_wal(tmp_path / "wal", after[1])
    facts = watching(target(archiving.base, archive)).ask("base")
    assert facts.one(MISSING) == 1
    assert facts.one(UNTIL) == pytest.approx(times(archive)[after[0]], abs=0.01)
    assert facts.one(FROM) == facts.one("backup_oldest_good_timestamp_seconds")


def test_a_segment_that_was_cut_short_is_none(archiving: Archiving, watching: Watching, tmp_path: Path):
    """Recovery stops at it. The newest may still be written: the window ends before it, and nothing is missing."""
    after = [name for name in archiving.segments() if name > needed(archiving)[1]]
    for cut, last, lost in ((after[-1], after[-2], 0), (after[1], after[0], 1)):
        archive = archiving.copy_of_wal(tmp_path / cut)
        (archive / cut).write_bytes((archive / cut).read_bytes()[:-512])
        facts = watching(target(archiving.base, archive)).ask("base")
        assert (facts.one(MISSING), facts.one(UNTIL)) == (lost, pytest.approx(times(archive)[last], abs=0.01))


def test_what_is_removed_while_it_is_looked_at_is_gone_and_no_failure(
    archiving: Archiving, watching: Watching, tmp_path: Path, monkeypatch
):
    """Retention removes a backup and old WAL between the listing and the look at each file."""
    base, archive = copied(archiving, tmp_path, "plain", "tar"), archiving.copy_of_wal(tmp_path / "wal")
    older = needed(archiving)[0]
    listed = os.scandir

    def then_removed(path: Any) -> Any:
        if path not in {base, archive}:
            return listed(path)
        with listed(path) as entries:
            found = list(entries)
        if path == base:
            shutil.rmtree(base / "plain")
            return found
        for name in [one.name for one in found if one.name <= older]:
            (archive / name).unlink()
        return contextlib.nullcontext(found)

    monkeypatch.setattr("closewatch.backups.basebackup.os.scandir", then_removed)
    facts = watching(target(base, archive)).ask("base")
    assert (facts.up, facts.failing) == (True, {})
    assert (facts.one("backup_kept", type="full"), facts.one(MISSING)) == (1, 0)


def test_without_a_folder_of_wal_there_is_no_window(archiving: Archiving, watching: Watching):
    facts = watching(target(archiving.base, None)).ask("base")
    assert (facts.all(FROM), facts.all(UNTIL), facts.all(MISSING)) == ([], [], [])
    assert facts.one("backup_kept", type="full") == 2


def test_what_is_not_done_and_what_was_left(archiving: Archiving, watching: Watching, tmp_path: Path):
    base = copied(archiving, tmp_path, "plain")
    (base / "moving").mkdir()
    (base / "left").mkdir()
    os.utime(base / "left", (time.time() - 3 * 86_400,) * 2)
    facts = watching(target(base, archiving.wal)).ask("base")
    assert {state: facts.one("backup_seen", state=state) for state in ("good", "bad", "unfinished")} == {
        "good": 1, "bad": 1, "unfinished": 1,
    }  # fmt: skip
    assert facts.labels("backup_last_failure_timestamp_seconds", "reason") == ["incomplete"]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda raw: raw[: len(raw) // 2], "manifest"),
        (lambda raw: raw.replace(b'"Size": 8192', b'"Size": 8193', 1), "manifest"),
        (lambda raw: b"", "manifest"),
        (lambda raw: raw.replace(b'Manifest-Version": 1', b'Manifest-Version": 9', 1), "unsupported_version"),
    ],
    ids=["cut", "changed", "empty", "of another version"],
)
def test_a_manifest_that_is_damaged(archiving: Archiving, watching: Watching, tmp_path: Path, damage, reason: str):
    base = copied(archiving, tmp_path, "plain")
    file = base / "plain" / "backup_manifest"
    file.write_bytes(damage(file.read_bytes()))
    facts = watching(target(base, archiving.wal)).ask("base")
    assert facts.labels("backup_last_failure_timestamp_seconds", "reason") == [reason]
    assert (facts.all(SUCCESS), facts.all(FROM)) == ([], [])


def test_what_is_looked_at_twice_is_read_once(archiving: Archiving, watching: Watching, tmp_path: Path, monkeypatch):
    base = copied(archiving, tmp_path, "plain")
    watched = watching({**target(base, archiving.wal), "every": 1})
    first = watched.ask("base").one(SUCCESS, type="full")
    monkeypatch.setattr("closewatch.backups.basebackup._read", lambda _: pytest.fail("read again"))
    time.sleep(1.1)
    assert watched.ask("base").one(SUCCESS, type="full") == first


def test_a_folder_that_is_not_there(watching: Watching, tmp_path: Path):
    assert watching(target(tmp_path / "none", None)).ask("base").reason == "not_found"
    (tmp_path / "base").mkdir()
    assert watching(target(tmp_path / "base", tmp_path / "none")).ask("base").reason == "not_found"
    facts = watching(target(tmp_path / "base", None)).ask("base")
    assert (facts.up, facts.all(SUCCESS)) == (True, [])
