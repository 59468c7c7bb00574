"""A folder of real dumps: the newest good one is found, whatever else lies there."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from closewatch.backups.place import NEW_AT_ONCE
from closewatch.core.deadline import Deadline
from closewatch.sources import folder as folder_source
from closewatch.sources.folder import Folder
from tests.fixtures.watch import Watched
from tests.server.backups.conftest import Dumps, aged
from tests.unit.backups.reading import odoo_zip, tarball

pytestmark = pytest.mark.server
Target = Callable[..., dict[str, Any]]
Watching = Callable[..., Watched]
SUCCESS, FAILURE = "backup_last_success_timestamp_seconds", "backup_last_failure_timestamp_seconds"


@pytest.fixture
def place(tmp_path: Path, folder_target: Target) -> Path:
    return tmp_path / "backups"


@pytest.mark.parametrize(
    ("name", "known"),
    [("custom.dump", 1), ("tar.tar", 1), ("plain.sql", 1), ("schema.dump", 1), ("piped.dump", 0), ("folder", 0)],
)
def test_each_format_of_pg_dump(
    dumps: Dumps, folder_target: Target, watching: Watching, place: Path, name: str, known: int
):
    copy = dumps.copy(name, place / name)
    facts = watching(folder_target()).ask("acme")
    assert facts.up
    assert facts.failing == {}
    assert facts.one(SUCCESS, type="dump") == pytest.approx(time.time() - 3600, abs=30)
    files = [path for path in [copy, *copy.rglob("*")] if path.is_file()]
    assert facts.one("backup_size_bytes", type="dump") == sum(path.stat().st_size for path in files)
    assert facts.one("backup_completeness_known", type="dump") == known
    assert facts.all("backup_verified") == []


@pytest.mark.parametrize("name", ["custom.dump", "tar.tar", "plain.sql", "schema.dump", "piped.dump"])
def test_cut_at_many_lengths_none_is_good(
    dumps: Dumps, watching: Watching, folder_target: Target, place: Path, name: str
):
    whole = (dumps.folder / name).stat().st_size
    lengths = sorted({1, 4, 5, 6, 30, 100, *(whole * n // 24 for n in range(1, 24)), whole - 200, whole - 11} - {0})
    if name == "plain.sql":
        lengths.pop()  # what follows the word that it is complete is nothing that one would miss
    for length in lengths:
        dumps.copy(name, place / f"{length}.dump", cut=length)
    store = watching(folder_target())
    for _ in range(len(lengths) // NEW_AT_ONCE + 1):
        facts = look(store)
    assert facts.all(SUCCESS) == []
    assert facts.one("backup_seen", state="bad") == len(lengths)
    assert facts.labels(FAILURE, "reason") == ["truncated"]


def look(watched: Watched):
    """Ask now, though the slow lane is not due."""
    watched.due("acme")
    return watched.ask("acme")


def test_the_newest_is_bad_and_the_one_before_counts(
    dumps: Dumps, watching: Watching, folder_target: Target, place: Path
):
    dumps.copy("custom.dump", place / "monday.dump", ago=90_000)
    dumps.copy("custom.dump", place / "tuesday.dump", cut=5000)
    facts = watching(folder_target()).ask("acme")
    assert facts.one(SUCCESS) < facts.one(FAILURE, reason="truncated")


def test_other_formats_and_what_lies_beside(watching: Watching, folder_target: Target, place: Path):
    for name, data in {
        "acme.zip": odoo_zip(),
        "filestore.tar.gz": tarball("w:gz"),
        "acme.zip.sha256": b"0" * 64,
        "next.zip.part": odoo_zip()[:100],
    }.items():
        (place / name).write_bytes(data)
        aged(place / name, 3600)
    (place / "latest.zip").symlink_to("acme.zip")
    os.mkfifo(place / "pipe.zip")
    (place / "a-folder").mkdir()
    facts = watching(folder_target()).ask("acme")
    assert sorted(facts.labels(SUCCESS, "type")) == ["archive", "odoo_zip"]
    assert facts.one("backup_seen", state="good") == 2
    assert facts.one("backup_seen", state="unfinished") == 1
    assert facts.one("backup_seen", state="bad") == 0


def test_a_pattern_with_folders(dumps: Dumps, watching: Watching, folder_target: Target, place: Path):
    dumps.copy("custom.dump", place / "2026-11-21" / "acme.dump", ago=90_000)
    dumps.copy("custom.dump", place / "2026-11-22" / "acme.dump")
    dumps.copy("custom.dump", place / "2026-11-22" / "other.dump", ago=60)
    facts = watching(folder_target(pattern="*/acme*.dump")).ask("acme")
    assert facts.one("backup_seen", state="good") == 2
    assert facts.one(SUCCESS) == pytest.approx(time.time() - 3600, abs=30)


def test_a_file_that_is_being_written(dumps: Dumps, watching: Watching, folder_target: Target, place: Path):
    dumps.copy("piped.dump", place / "yesterday.dump", ago=90_000)
    dumps.copy("piped.dump", place / "today.dump", ago=0, cut=20_000)
    watched = watching(folder_target(settle=5))
    facts = look(watched)
    assert facts.one("backup_seen", state="unfinished") == 1
    assert facts.all(FAILURE) == []
    # It has grown, and its date was set back: it moved, whatever its date says.
    dumps.copy("piped.dump", place / "today.dump", ago=3600)
    assert look(watched).one("backup_seen", state="unfinished") == 1
    facts = look(watched)
    assert facts.one("backup_seen", state="good") == 2
    assert facts.one(SUCCESS) == pytest.approx(time.time() - 3600, abs=30)


def test_a_dump_into_a_folder_that_is_not_done(dumps: Dumps, watching: Watching, folder_target: Target, place: Path):
    dumps.copy("folder", place / "folder")
    (place / "folder" / "toc.dat").unlink()
    watched = watching(folder_target())
    assert look(watched).all(SUCCESS) == []
    for path in (place / "folder").iterdir():
        aged(path, 86_000)
    look(watched)
    assert look(watched).labels(FAILURE, "reason") == ["incomplete"]


def test_a_dump_into_a_folder_that_lost_a_file(dumps: Dumps, watching: Watching, folder_target: Target, place: Path):
    dumps.copy("folder", place / "folder")
    next(path for path in (place / "folder").iterdir() if path.name[0].isdigit()).unlink()
    assert watching(folder_target()).ask("acme").labels(FAILURE, "reason") == ["incomplete"]


def test_a_touched_old_dump_is_not_new(dumps: Dumps, watching: Watching, folder_target: Target, place: Path):
    # The header says November 2026 or later: a copy that claims to be made in 2030 is not from there.
    dumps.copy("custom.dump", place / "copy.dump", ago=-4 * 365 * 86_400)
    facts = watching(folder_target()).ask("acme")
    for name in (SUCCESS, FAILURE):
        assert all(value < time.time() + 3 * 86_400 for value in facts.all(name))


def test_content_is_looked_at_once(dumps: Dumps, watching: Watching, folder_target: Target, place: Path, monkeypatch):
    for number in range(30):
        dumps.copy("custom.dump", place / f"{number}.dump", ago=3600 + number)
    opened: list[str] = []
    real = Folder.read
    monkeypatch.setattr(
        Folder, "read", lambda self, entry, *rest: opened.append(entry.name) or real(self, entry, *rest)
    )
    watched = watching(folder_target())
    facts = look(watched)
    assert len(set(opened)) == NEW_AT_ONCE
    assert facts.one("backup_seen", state="unread") == 30 - NEW_AT_ONCE
    facts = look(watched)
    assert facts.one("backup_seen", state="good") == 30
    assert facts.one("backup_usual_size_bytes") == facts.one("backup_size_bytes")
    opened.clear()
    look(watched)
    assert opened == []


def test_nobody_is_asked_between_two_looks(dumps: Dumps, watching: Watching, folder_target: Target, place: Path):
    dumps.copy("custom.dump", place / "a.dump")
    watched = watching(folder_target())
    watched.ask("acme")
    (place / "a.dump").unlink()
    assert watched.ask("acme").one("backup_seen", state="good") == 1


@pytest.mark.parametrize("fault", ["gone", "a file", "denied"])
def test_a_place_that_can_not_be_read(watching: Watching, folder_target: Target, place: Path, fault: str, monkeypatch):
    place.rmdir()
    if fault == "a file":
        place.write_text("x")
    if fault == "denied":
        # Root may read everything: the refusal is that of the system for anybody else.
        place.mkdir(mode=0)
        monkeypatch.setattr(folder_source.os, "scandir", _denied if os.geteuid() == 0 else os.scandir)
    watched = watching(folder_target())
    facts = watched.ask("acme")
    assert facts.reason == ("permission" if fault == "denied" else "not_found")
    assert facts.failing == dict.fromkeys(("age", "kept", "window"), facts.reason)
    assert facts.all(SUCCESS) == []
    assert watched.ask("acme").reason == facts.reason  # said again, and not asked again at once


def _denied(path: Path) -> None:
    raise PermissionError(13, "Permission denied", str(path))


def test_a_hung_mount(watching: Watching, folder_target: Target, place: Path, monkeypatch):
    free = threading.Event()
    real = os.scandir
    monkeypatch.setattr(folder_source.os, "scandir", lambda path: free.wait(60) and real(path))
    watched = watching(folder_target())
    began = time.monotonic()
    assert watched.ask("acme", timeout=1.5).reason == "timeout"
    assert time.monotonic() - began < 5
    before = threading.active_count()
    watched.scrape("acme").source._not_before = 0.0
    assert watched.ask("acme", timeout=1.5).reason == "timeout"
    assert threading.active_count() == before
    free.set()
    watched.scrape("acme").source._aside._stuck.join(10)
    watched.scrape("acme").source._not_before = 0.0
    assert look(watched).up


def test_a_large_folder_is_counted(tmp_path: Path):
    for number in range(3000):
        (tmp_path / f"{number:05}.dump").touch()
    listing = Folder(tmp_path, "*.dump").list(Deadline.after(10))
    assert (listing.total, len(listing.entries), listing.truncated) == (3000, 500, False)


def test_a_folder_that_is_too_large_is_said(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(folder_source, "MOST", 10)
    for number in range(30):
        (tmp_path / f"{number}.dump").touch()
    assert Folder(tmp_path, "*.dump").list(Deadline.after(10)).truncated
