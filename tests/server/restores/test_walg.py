"""The way by WAL-G's commands, restored and recovered for real.

The program itself is not at hand: a stand-in speaks its commands over a backup of pg_basebackup and a folder with WAL,
so what is tried is what we ask and do, not WAL-G.
"""

from __future__ import annotations

import datetime as dt
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from closewatch.restores.origins.walg import Walg
from closewatch.restores.run import no_hole
from closewatch.restores.scratch import Scratch
from closewatch.restores.why import Failed, Why
from tests.fixtures.archiving import Archiving
from tests.server.restores.test_physical import assert_elsewhere, restored, rows

STAND_IN = """\
import json, os, pathlib, shutil, subprocess, sys
CONFIG = json.loads(pathlib.Path(sys.argv[1].removeprefix("--config=")).read_text())
asked = sys.argv[2:]
wal = pathlib.Path(CONFIG["wal"])
if asked == ["backup-list", "--detail", "--json"]:
    print(CONFIG["list"])
elif asked == ["wal-show", "--detailed-json"]:
    names = sorted(path.name for path in wal.iterdir() if len(path.name) == 24)
    print(json.dumps([{"id": 1, "start_segment": names[0], "end_segment": names[-1]}]))
elif asked[0] == "backup-fetch":
    data, name, spec = asked[1:]
    spec = json.loads(pathlib.Path(spec.removeprefix("--restore-spec=")).read_text())
    assert spec == {"base_prefix": data, "tablespaces": []} and not os.listdir(data)
    if name != CONFIG["name"]:
        sys.exit(1)
    backup = pathlib.Path(CONFIG["backup"])
    subprocess.run(["tar", "-xf", backup / "base.tar.gz", "-C", data], check=True)
    for archive in backup.glob("[0-9]*.tar.gz"):
        place = pathlib.Path(data, "pg_tblspc", archive.name.split(".")[0])
        place.mkdir(exist_ok=True)
        subprocess.run(["tar", "-xf", archive, "-C", place], check=True)
elif asked[0] == "wal-fetch":
    if not (wal / asked[1]).is_file():
        sys.exit(74)
    shutil.copyfile(wal / asked[1], asked[2])
else:
    sys.exit(2)
"""


def storage(one: Archiving, scratch: Scratch, wal: Path | None = None, listed: Any = None) -> Walg:
    """WAL-G over the backup `tar`, as a program of the test's user."""
    folder = scratch.folder("storage")
    name = f"base_{one.segments()[0]}"
    done = dt.datetime.fromtimestamp((one.base / "tar" / "backup_manifest").stat().st_mtime, dt.UTC).isoformat()
    listing = {"backup_name": name, "finish_time": done, "time": done, "pg_version": one.server.binaries.major * 10_000}
    listing |= {"system_identifier": 7713059534728255312, "uncompressed_size": 1000}
    config = {"name": name, "wal": str(wal or one.wal), "backup": str(one.base / "tar")}
    config["list"] = json.dumps([listing]) if listed is None else listed
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "stand_in.py").write_text(STAND_IN)
    program = folder / "wal-g"
    program.write_text(f'#!/bin/sh\nexec /usr/bin/env python3 {shlex.quote(str(folder / "stand_in.py"))} "$@"\n')
    program.chmod(0o755)
    scratch.give(folder)
    return Walg((str(program),), folder / "config.json")


def test_a_moment_brings_back_exactly_what_was_committed_until_then(archiving: Archiving, scratch: Scratch) -> None:
    origin = storage(archiving, scratch)
    expected = archiving.rows_before(archiving.moment)
    with restored(scratch, origin, to=archiving.moment) as server:
        assert rows(server) == (expected, expected)
        assert_elsewhere(server, scratch)


def test_the_end_of_the_wal_brings_back_all(archiving: Archiving, scratch: Scratch) -> None:
    origin = storage(archiving, scratch)
    (backup,) = origin.backups(scratch)
    assert backup.about == {"type": "full", "system_identifier": "7713059534728255312"}
    assert origin.window(scratch) == (backup.done, None)
    with restored(scratch, origin) as server:
        assert rows(server) == (len(archiving.commits),) * 2
        no_hole(server, origin.newest_wal(scratch))


def test_a_segment_that_lacks_is_found(archiving: Archiving, scratch: Scratch) -> None:
    archive = archiving.copy_of_wal(scratch.path / "archive", archiving.segments()[-2])
    scratch.give(archive)
    origin = storage(archiving, scratch, archive)
    with restored(scratch, origin) as server, pytest.raises(Failed) as failure:
        no_hole(server, origin.newest_wal(scratch))
    assert failure.value.why is Why.WAL_MISSING


@pytest.mark.parametrize("listed", ["", "No backups found", "[]", "null"])
def test_an_empty_storage_has_no_backup(listed: str, archiving: Archiving, scratch: Scratch) -> None:
    origin = storage(archiving, scratch, listed=listed)
    assert origin.backups(scratch) == []
    assert origin.window(scratch) is None


@pytest.mark.parametrize("listed", ["{", '[{"backup_name": "--help"}]', "[1]", '[{"backup_name": 1, "time": "x"}]'])
def test_a_list_of_another_form_is_said(listed: str, archiving: Archiving, scratch: Scratch) -> None:
    with pytest.raises(Failed) as failure:
        storage(archiving, scratch, listed=listed).backups(scratch)
    assert failure.value.why is Why.TOOL_FAILED
