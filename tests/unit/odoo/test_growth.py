"""The collector `growth`: what was added, from the newest thousands of rows that each answer holds."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from closewatch.core.collectors import Memory
from closewatch.odoo.growth import GROWTH
from tests.unit.odoo.reading import read


def row(thousand: int | None, size: float) -> dict[str, Any]:
    return {"thousand": thousand, "files": 2.0, "bytes": size}


def added(memory: Memory, **thousands: float) -> float:
    """What the counter says after an answer: `added(memory, _7=10.0)`."""
    rows = [row(int(name.strip("_")), size) for name, size in thousands.items()]
    return float(read(GROWTH, *rows, row(None, 9.0), memory=memory)[-1].rpartition(" ")[2])


def test_the_first_answer_counts_nothing():
    assert read(GROWTH, row(7, 10.0), row(None, 1e9)) == [
        "attachments 2",
        "attachments_bytes 1000000000",
        "attachments_added_bytes_total 0",
    ]


def test_what_comes_is_added_up():
    memory = GROWTH.memory()
    added(memory, _7=10.0)
    assert added(memory, _7=15.0) == 5
    assert added(memory, _7=15.0, _8=100.0, _9=1.0) == 106
    assert added(memory, _7=15.0, _8=100.0, _9=1.0) == 106


def test_a_row_that_was_committed_late_counts():
    memory = GROWTH.memory()
    added(memory, _7=10.0, _9=5.0)
    assert added(memory, _7=11.0, _8=2.0, _9=5.0) == 3


def test_deleted_rows_take_nothing_away_and_bring_nothing_into_view():
    memory = GROWTH.memory()
    added(memory, _7=10.0, _8=5.0)
    assert added(memory, _6=900.0, _7=10.0) == 0


def test_the_oldest_thousand_in_sight_is_cut():
    """It gets smaller as the window moves on, and larger when newer rows are deleted: neither was added."""
    memory = GROWTH.memory()

    def full(**thousands: float) -> float:
        rows = [{**row(int(name.strip("_")), size), "files": 5_000.0} for name, size in thousands.items()]
        return float(read(GROWTH, *rows, memory=memory)[-1].rpartition(" ")[2])

    full(_7=10.0, _8=5.0)
    assert full(_7=4.0, _8=5.0, _9=6.0) == 6
    assert full(_7=10.0, _8=5.0) == 6
    assert full(_8=5.0, _9=9.0) == 15


def test_a_table_that_was_empty():
    memory = GROWTH.memory()
    assert added(memory) == 0
    assert added(memory, _0=7.0) == 7


@given(st.lists(st.dictionaries(st.integers(0, 5), st.floats(0, 1e9)), max_size=8))
def test_a_counter_never_falls(answers: list[dict[int, float]]):
    memory = GROWTH.memory()
    values = [added(memory, **{f"_{name}": size for name, size in answer.items()}) for answer in answers]
    assert values == sorted(values)
