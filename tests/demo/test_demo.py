"""The demo from end to end, as a user runs it: a fault, the page, the repair, its end, and nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from closewatch.demo import list_scenarios
from closewatch.demo.engines.folder import PREFIX
from tests.fixtures.servers import need_programs

pytestmark = [pytest.mark.demo, pytest.mark.slow, pytest.mark.timeout(300)]


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "closewatch", "demo", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, stdin=subprocess.DEVNULL)


# One with a shared cause that hides what tenants feel, and one of a single tenant: the two roads through the rules.
@pytest.mark.parametrize("scenario", ["server-down", "queue-stuck"])
def test_a_fault_pages_the_right_person_once_and_ends(scenario, pytestconfig):
    need_programs(pytestconfig, "prometheus", "alertmanager")
    before = run_folders()
    done = demo("--exit", "--scenario", scenario)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{scenario}: passed" in done.stdout
    assert run_folders() <= before


def test_all_scenarios_are_listed_by_name():
    done = demo("--list")
    assert done.stdout.split() == list_scenarios()


def test_an_unknown_scenario_names_the_known_ones():
    done = demo("--exit", "--scenario", "nothing")
    assert done.returncode == 2
    assert "server-down" in done.stderr


def run_folders() -> set[str]:
    """The run folders of all programs on this machine; other tests may have some."""
    folders = Path(tempfile.gettempdir()).glob(f"{PREFIX}*")
    return {folder.name for folder in folders if folder.stat().st_uid == os.geteuid()}
