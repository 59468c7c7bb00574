"""The demo from end to end, as a user runs it: a fault, the page, the repair, its end, and nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from closewatch.demo import list_scenarios
from tests.fixtures.servers import need_programs

pytestmark = [pytest.mark.demo, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def place() -> Iterator[Path]:
    """A temporary folder for one demo alone, which any user may enter, as the server's user must."""
    with tempfile.TemporaryDirectory(prefix="closewatch-test-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def demo(*arguments: str, place: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "closewatch", "demo", *arguments]
    environment = {**os.environ, "TMPDIR": str(place)}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=280, check=False, stdin=subprocess.DEVNULL, env=environment
    )


# One with a shared cause that hides what tenants feel, and one of a single tenant: the two roads through the rules.
@pytest.mark.parametrize("scenario", ["server-down", "queue-stuck"])
def test_a_fault_pages_the_right_person_once_and_ends(scenario, place, pytestconfig):
    need_programs(pytestconfig, "prometheus", "alertmanager")
    done = demo("--exit", "--scenario", scenario, place=place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{scenario}: passed" in done.stdout
    assert list(place.iterdir()) == []


def test_all_scenarios_are_listed_by_name(place):
    assert demo("--list", place=place).stdout.split() == list_scenarios()


def test_an_unknown_scenario_names_the_known_ones(place):
    done = demo("--exit", "--scenario", "nothing", place=place)
    assert done.returncode == 2
    assert "server-down" in done.stderr
