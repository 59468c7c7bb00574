"""A dump out of a real restic repository."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from closewatch.restores.origins.dump import TYPES, Dump
from closewatch.restores.origins.restic import Repository, Restic
from closewatch.restores.scratch import Scratch
from closewatch.restores.why import Failed, Why
from tests.server.restores.logical.conftest import FINGERPRINT, MINE, Place, Source, files

pytestmark = pytest.mark.server


@pytest.fixture
def repository(program: Callable[..., Path], open_to_all: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A new one, that the user of the programs can read."""
    program("restic")
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:{MINE}")
    password = open_to_all / "password"
    password.write_text("the-password-of-nobody")
    return Repository(str(open_to_all / "repository"), password)


def restic(repository: Repository, scratch: Scratch, *words: str) -> None:
    environment = {**os.environ, **repository.given(), "HOME": "/nonexistent"}
    subprocess.run(["restic", "--no-cache", *words], env=environment, check=True, capture_output=True, timeout=60)
    scratch.give(Path(repository.repository))


def filled(repository: Repository, acme: Source, scratch: Scratch, folder: Path) -> None:
    restic(repository, scratch, "init")
    (folder / "dumps").mkdir()
    acme.dump(folder / "dumps" / "acme.dump", "-Fc")
    (folder / "dumps" / "notes.txt").write_text("notes")
    restic(repository, scratch, "backup", "--tag", "dumps", str(folder / "dumps"))
    (folder / "other").mkdir()
    restic(repository, scratch, "backup", "--tag", "other", str(folder / "other"))


def origin(repository: Repository, folder: Path) -> Restic:
    levels = len(folder.parts) - 1
    return Restic(repository, Dump(files(folder, *TYPES), "acme"), "/".join(["*"] * levels + ["*.dump"]))


def test_the_newest_snapshot_of_a_tag(
    repository: Repository, acme: Source, place: Place, open_to_all: Path, backups: Path
) -> None:
    filled(repository, acme, place.scratch, backups)
    chosen = Repository(repository.repository, repository.password, tags=("dumps",))
    at = origin(chosen, backups / "dumps")
    snapshots = at.backups(place.scratch)
    assert len(snapshots) == 1
    backup = at.fetch(snapshots[0], place.scratch)
    assert (backup.database, backup.major) == ("acme", acme.server.major)
    at.load(backup, place.server(backup.major), place.database("kept"), place.scratch)
    assert place.row("kept", FINGERPRINT) == acme.fingerprint
    assert len(origin(repository, backups).backups(place.scratch)) == 2


def why(at: Restic, scratch: Scratch) -> Failed:
    with pytest.raises(Failed) as failed:
        at.fetch(at.backups(scratch)[0], scratch)
    return failed.value


def test_what_can_go_wrong(
    repository: Repository, acme: Source, place: Place, open_to_all: Path, backups: Path
) -> None:
    at = origin(repository, backups / "dumps")
    assert why(at, place.scratch).why is Why.UNREADABLE
    restic(repository, place.scratch, "init")
    assert why(at, place.scratch).why is Why.NO_BACKUP
    shutil.rmtree(repository.repository)
    filled(repository, acme, place.scratch, backups)
    assert why(at, place.scratch).why is Why.NO_BACKUP  # the newest snapshot holds no dump
    repository.password.write_text("another-password-of-nobody")
    failed = why(at, place.scratch)
    assert (failed.why, failed.detail) in {
        (Why.UNREADABLE, "restic: the repository refuses the password"),
        (Why.UNREADABLE, "restic: it ended with an error"),  # before 0.17.1
    }
    repository.password.write_text("the-password-of-nobody")
    chosen = origin(Repository(repository.repository, repository.password, tags=("dumps",)), backups / "dumps")
    for pack in (Path(repository.repository) / "data").rglob("*"):
        if pack.is_file():
            data = bytearray(pack.read_bytes())
            data[len(data) // 3] ^= 0xFF
            pack.chmod(0o600)
            pack.write_bytes(data)
    assert why(chosen, place.scratch).why is Why.UNREADABLE
