"""The WAL in a real repository of pgBackRest: the window, a hole, a timeline; and where it can't be listed."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.archiving import Archiving
from tests.fixtures.servers import missing
from tests.fixtures.watch import Watched

pytestmark = [pytest.mark.server, pytest.mark.slow]
Watching = Callable[..., Watched]
SUCCESS = "backup_last_success_timestamp_seconds"
FROM, UNTIL = "backup_recoverable_from_timestamp_seconds", "backup_recoverable_until_timestamp_seconds"
MISSING = "backup_wal_missing_segments"


class Copy:
    """A copy of the repository, which a test may damage."""

    def __init__(self, archiving: Archiving, to: Path) -> None:
        self.program = archiving.pgbackrest
        self.repo = to / "repo"
        shutil.copytree(archiving.home / "repo", self.repo)
        self.config = to / "pgbackrest.conf"
        replaced = {"repo1-path": self.repo, "lock-path": to / "lock", "spool-path": to / "spool"}
        lines = []
        for line in archiving.pgbackrest_config.read_text().splitlines():
            key = line.partition("=")[0]
            lines.append(f"{key}={replaced[key]}" if key in replaced else line)
        self.config.write_text("\n".join(lines) + "\n")
        (self.folder,) = self.repo.glob("archive/main/*/*/")

    def segments(self) -> list[Path]:
        return [path for path in sorted(self.folder.iterdir()) if path.name[24:25] == "-"]

    def needed(self) -> str:
        """The last segment that the backup needs."""
        text = (self.repo / "backup/main/backup.info").read_text()
        (found,) = re.findall(r'"backup-archive-stop":"([0-9A-F]{24})"', text)
        return str(found)

    def target(self, program: Path | None = None, **more: Any) -> dict[str, Any]:
        place = {"stanza": "main", "config": str(self.config), "command": [str(program or self.program)]}
        return {"kind": "backups", "name": "main", "pgbackrest": place, **more}


@pytest.fixture
def copy(archiving: Archiving, tmp_path: Path, pytestconfig: pytest.Config) -> Copy:
    if archiving.pgbackrest is None:
        missing(pytestconfig, "pgbackrest is not at hand")
    return Copy(archiving, tmp_path)


def test_each_moment_up_to_the_newest_segment(copy: Copy, archiving: Archiving, watching: Watching):
    facts = watching(copy.target()).ask("main")
    assert (facts.up, facts.failing) == (True, {})
    assert facts.one(FROM) == facts.one(SUCCESS, type="full") < archiving.moment < facts.one(UNTIL)
    assert facts.one(UNTIL) == int(copy.segments()[-1].stat().st_mtime)
    assert facts.one(MISSING) == 0


def test_a_segment_in_the_middle_ends_the_window_before_it(copy: Copy, watching: Watching):
    after = [path for path in copy.segments() if path.name[:24] > copy.needed()]
    at = int(after[0].stat().st_mtime)
    after[1].unlink()
    facts = watching(copy.target()).ask("main")
    assert (facts.one(MISSING), facts.one(UNTIL)) == (1, at)


def test_without_a_segment_of_its_making_a_backup_gives_no_window(copy: Copy, watching: Watching):
    (lost,) = [path for path in copy.segments() if path.name.startswith(copy.needed())]
    lost.unlink()
    facts = watching(copy.target()).ask("main")
    assert (facts.all(FROM), facts.all(UNTIL), facts.one(MISSING)) == ([], [], 1)


def test_a_new_timeline_is_followed_by_its_history(copy: Copy, watching: Watching):
    last = copy.segments()[-1]
    number = int(last.name[16:24], 16)
    folder = copy.folder.parent / f"00000002{copy.folder.name[8:]}"
    folder.mkdir()
    for each in range(number, number + 3):
        shutil.copy(last, folder / f"00000002{last.name[8:16]}{each:08X}{last.name[24:]}")
    newest = time.time() + 60
    os.utime(folder / f"00000002{last.name[8:16]}{number + 2:08X}{last.name[24:]}", (newest, newest))
    before = watching(copy.target()).ask("main").one(UNTIL)
    assert before < int(newest)  # nothing leads there
    fork = (number << 20) + 0x148  # segments of 1 MiB
    (copy.folder.parent / "00000002.history").write_text(f"1\t0/{fork:X}\tno recovery target specified\n\n")
    facts = watching(copy.target()).ask("main")
    assert (facts.one(UNTIL), facts.one(MISSING)) == (int(newest), 0)


def test_what_comes_later_is_seen_without_another_listing_of_everything(copy: Copy, watching: Watching, tmp_path: Path):
    calls = tmp_path / "calls"
    program = wrapped(tmp_path, f'echo "$*" >> {calls}', copy)
    last = copy.segments()[-1]
    held = last.rename(tmp_path / last.name)
    watched = watching(copy.target(program, every=1))
    before = watched.ask("main").one(UNTIL)
    held.rename(last)
    now = time.time()
    os.utime(last, (now, now))
    time.sleep(1.1)
    assert watched.ask("main").one(UNTIL) == int(now) > before
    lines = calls.read_text().splitlines()
    assert [line.split()[-2] for line in lines].count("repo-ls") == 2
    assert sum("--recurse" in line for line in lines) == 1


def wrapped(tmp_path: Path, script: str, copy: Copy) -> Path:
    """The real program, after a line of a shell."""
    program = tmp_path / "wrapped-pgbackrest"
    program.write_text(f'#!/bin/sh\n{script}\nexec {copy.program} "$@"\n')
    program.chmod(0o755)
    return program


CASE = 'case "$*" in *repo-ls*) {} ;; esac'
BAD = {
    "not allowed": "exit 1",
    "hung": "sleep 600",
    "nonsense": "echo '[{]'; exit 0",
    "another form": "echo '{\"x\": 5}'; exit 0",
    "nothing": 'echo \'{".": {"type": "path"}}\'; exit 0',
    "without end": "yes 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'; exit 0",
}


@pytest.mark.parametrize("script", BAD.values(), ids=BAD)
def test_where_it_can_not_be_listed_the_rest_is_known(copy: Copy, watching: Watching, tmp_path: Path, script: str):
    began = time.monotonic()
    facts = watching(copy.target(wrapped(tmp_path, CASE.format(script), copy))).ask("main", timeout=6.0)
    assert time.monotonic() - began < 7
    assert (facts.up, facts.failing) == (True, {})
    assert facts.one(FROM) == facts.one(SUCCESS, type="full")
    assert (facts.all(UNTIL), facts.all(MISSING)) == ([], [])


def test_where_all_of_it_is_too_much_the_end_is_known(copy: Copy, watching: Watching, tmp_path: Path):
    script = 'case "$*" in *--recurse*) sleep 600 ;; esac'
    facts = watching(copy.target(wrapped(tmp_path, script, copy))).ask("main", timeout=6.0)
    assert facts.one(UNTIL) == int(copy.segments()[-1].stat().st_mtime)
    assert facts.all(MISSING) == []


def test_a_history_that_can_not_be_read_says_nothing_of_holes(copy: Copy, watching: Watching, tmp_path: Path):
    (copy.folder.parent / "00000002.history").write_text("1\t0/148\tnone\n")
    script = 'case "$*" in *repo-get*) exit 1 ;; esac'
    facts = watching(copy.target(wrapped(tmp_path, script, copy))).ask("main")
    assert facts.all(MISSING) == []
    assert facts.one(UNTIL) > facts.one(FROM)


def test_the_folder_that_info_names_is_no_way_out(watching: Watching, tmp_path: Path):
    """What a program prints becomes no argument unless it is the name of an archive."""
    ends = {"min": "0" * 24, "max": "F" * 24, "database": {"id": 1}}
    archive = [{"id": "../../x --pg1-host=y", **ends}]
    document = [{"name": "main", "backup": [], "repo": [], "status": {"code": 0}, "archive": archive}]
    calls, program = tmp_path / "calls", tmp_path / "pgbackrest"
    program.write_text(f"#!/bin/sh\necho x >> {calls}\ncat <<'E'\n{json.dumps(document)}\nE\n")
    program.chmod(0o755)
    target = {"kind": "backups", "name": "main", "pgbackrest": {"stanza": "main", "command": [str(program)]}}
    facts = watching(target).ask("main")
    assert (facts.up, facts.all(UNTIL), calls.read_text()) == (True, [], "x\n")
