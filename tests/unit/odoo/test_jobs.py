"""The collector `jobs`: which names it shows, and which it doesn't."""

from __future__ import annotations

from typing import Any

import pytest

from closewatch.odoo.jobs import CHANNELS, JOBS, METHODS
from tests.unit.odoo.reading import read


def method(name: str | None, jobs: float = 20.0, median: float | None = 1.5) -> dict[str, Any]:
    return {"method": name, "jobs": jobs, "median": median}


def test_durations_and_shares():
    channels = [{"name": "root", "used": 0.25}, {"name": "root.bank", "used": 1.0}]
    assert read(JOBS, method("account.move.send_by_mail"), tables={"channels": channels}) == [
        "queue_job_duration_seconds{method='account.move.send_by_mail'} 1.5",
        "queue_channel_used_ratio{channel='root.bank'} 1",
        "queue_channel_used_ratio{channel='root'} 0.25",
    ]


def test_the_methods_with_the_most_jobs_have_names():
    lines = read(JOBS, *(method(f"model.m{n}", jobs=n) for n in range(10, 20)))
    assert len(lines) == METHODS
    assert lines[0] == "queue_job_duration_seconds{method='model.m19'} 1.5"


def test_two_of_a_size_do_not_take_turns():
    memory = JOBS.memory()
    first = read(JOBS, *(method(f"model.m{n}", jobs=20) for n in range(6)), memory=memory)
    again = read(JOBS, *(method(f"model.m{n}", jobs=20 + n) for n in range(6)), memory=memory)
    assert sorted(first) == sorted(again)


@pytest.mark.parametrize("name", ["", None, "A" * 50, "x" * 200, 'm"x', "jane@example.com", "50,000 to Jane", "m\nx"])
def test_what_is_no_method_is_no_label(name: str | None):
    assert read(JOBS, method(name)) == []


def test_the_fullest_channels_have_names():
    channels = [{"name": f"root.c{n}", "used": n / 10} for n in range(9)]
    lines = read(JOBS, tables={"channels": channels})
    assert len(lines) == CHANNELS
    assert lines[0] == "queue_channel_used_ratio{channel='root.c8'} 0.8"


def test_two_channels_of_a_name_are_one():
    channels = [{"name": "root.a", "used": 0.5}, {"name": "root.a", "used": 0.75}]
    assert read(JOBS, tables={"channels": channels}) == ["queue_channel_used_ratio{channel='root.a'} 0.75"]
