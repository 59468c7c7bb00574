"""What `backup.info` says, and up to which segment a recovery to a moment is served."""

from __future__ import annotations

import pytest

from closewatch.restores.origins.backupinfo import parse
from closewatch.restores.origins.barmancloud import AFTER, MORE, until
from closewatch.sources.s3.tree import Item

TEXT = """backup_label=None
begin_wal=000000010000000000000004
end_time=2026-11-01 02:03:04.500000+01:00
end_wal=000000010000000000000005
size=None
status=DONE
systemid=7713059534728255312
tablespaces=[('extra', 16384, '/srv/space')]
version=150004
"""


def test_a_backup_that_is_done() -> None:
    found = parse(TEXT)
    assert found is not None
    assert (found.done, found.major, found.size) == (1793494984.5, 15, None)
    assert (found.begin_wal, found.end_wal) == ("000000010000000000000004", "000000010000000000000005")
    assert found.tablespaces == {"16384"}
    assert found.system_identifier == "7713059534728255312"


@pytest.mark.parametrize("status", ["FAILED", "STARTED", "WAITING_FOR_WALS", "EMPTY", ""])
def test_others_are_none(status: str) -> None:
    assert parse(TEXT.replace("DONE", status)) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("status=DONE", ""),
        ("begin_wal=0", "begin_wal=x"),
        ("2026-11-01", "soon"),
        ("[('extra', 16384, '/srv/space')]", "__import__('os')"),
        ("[('extra', 16384, '/srv/space')]", "[('extra', '../x', '')]"),
    ],
)
def test_a_damaged_one_is_refused(old: str, new: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever its words
        parse(TEXT.replace(old, new))


def test_a_moment_is_served_as_far_as_archiving_may_lag_and_some_more() -> None:
    names = [f"main/wals/0000000100000000/0000000100000000000000{number:02X}" for number in range(1, 7)]
    times = [0.0, 10.0, 10.0 + AFTER, 20.0 + AFTER, 30.0 + AFTER, 40.0 + AFTER]
    segments = [Item(name, MORE // 2, at, "") for name, at in zip(names, times, strict=True)]
    assert until(segments, 10.0, "000000010000000000000001") == segments[:5]
    assert until(segments, 10.0, "000000010000000000000004") == segments
