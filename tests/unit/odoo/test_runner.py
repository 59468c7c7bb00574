"""The collector `runner`."""

from __future__ import annotations

import pytest

from closewatch.odoo.runner import RUNNER
from tests.unit.odoo.reading import read


def row(*, alive: bool, running: int = 0, version: str | None = "18.0.4.1.2") -> dict:
    return {"alive": alive, "running": running, "version": version}


def test_a_runner_and_its_jobs():
    assert read(RUNNER, row(alive=True, running=4)) == ["queue_runner_alive 1", "queue_running_jobs 4"]


@pytest.mark.parametrize("version", ["16.0.2.12.0", "17.0.1.4.0", "18.0.4.1.2", "19.0.1.0.0", None, ""])
def test_no_runner(version: str | None):
    assert read(RUNNER, row(alive=False, version=version)) == ["queue_runner_alive 0", "queue_running_jobs 0"]


def test_odoo_15_has_the_table_but_takes_no_lock():
    assert read(RUNNER, row(alive=False, running=2, version="15.0.2.3.13")) == ["queue_running_jobs 2"]
    assert read(RUNNER, row(alive=True, version="15.0.2.3.13"))[0] == "queue_runner_alive 1"
