"""Where the next record begins after what was recovered."""

from __future__ import annotations

import pytest

from closewatch.restores.walend import next_record

SEGMENT = 16 * 1024 * 1024


@pytest.mark.parametrize(
    ("end", "begins"),
    [
        (9 * SEGMENT, 9 * SEGMENT + 40),  # after a switch: a segment's first header is longer
        (9 * SEGMENT + 8192, 9 * SEGMENT + 8192 + 24),
        (9 * SEGMENT + 0x60, 9 * SEGMENT + 0x60),
        (9 * SEGMENT - 8, 9 * SEGMENT - 8),
    ],
)
def test_a_header_stands_before_the_next_record(end: int, begins: int) -> None:
    assert next_record(end, SEGMENT, 8192) == begins
