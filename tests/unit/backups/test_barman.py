"""What Barman says, as rows: fields of releases that are not at hand. The real program is in tests/server/backups."""

from __future__ import annotations

from typing import Any

import pytest

from closewatch.backups.barman import tables
from closewatch.core.reasons import Reason, Unavailable
from tests.unit.backups.answers import states

NOW = 1_800_000_000.0
DONE = {"backup_id": "20270115T000000", "status": "DONE", "end_time_timestamp": "1799990000", "size_bytes": 5000}


def about(**base: Any) -> dict[str, Any]:
    """What `show-backup` says of it."""
    plain = {
        "begin_time_timestamp": "1799989900", "end_time_timestamp": "1799990000",
        "begin_wal": "000000010000000000000003", "end_wal": "000000010000000000000004",
    }  # fmt: skip
    return {"main": {"status": "DONE", "base_backup_information": {**plain, **base}}}


def looked(*listed: dict[str, Any], shown: Any = None, archived: str | None = None, **more: Any) -> Any:
    return tables({"main": list(listed)}, "main", shown or {}, NOW, archived, **more)


def archive(*numbers: int) -> str:
    return "".join(f"00000001{0:08X}{n:08X}\t16777216\t{1799980000 + n}.5\tNone\n" for n in numbers)


@pytest.mark.parametrize(
    ("base", "encrypted", "type"),
    [
        ({}, None, "full"),
        ({"encryption": None}, False, "full"),
        ({"encryption": "None"}, False, "full"),
        ({"encryption": "gpg"}, True, "full"),
        ({"backup_type": "incremental"}, None, "incr"),
    ],
    ids=str,
)
def test_what_newer_releases_say(base: dict[str, Any], encrypted: bool | None, type: str):
    found = looked(DONE, shown={DONE["backup_id"]: about(**base)})
    assert found["place"][0]["encrypted"] is encrypted
    (row,) = found["main"]
    assert (row["type"], row["seconds"], row["size"], row["whole"]) == (type, 100, 5000, True)


def test_a_parent_makes_an_increment():
    shown = about()
    shown["main"]["catalog_information"] = {"parent_backup_id": "20270114T000000"}
    assert looked(DONE, shown={DONE["backup_id"]: shown})["main"][0]["type"] == "incr"


def test_a_status_that_is_not_known_is_said_and_one_of_the_future():
    assert states(looked({**DONE, "status": "WHAT_COMES_NEXT"})) == [("bad", "unsupported_version")]
    assert states(looked({**DONE, "end_time_timestamp": str(NOW + 9999)})) == [("bad", "in_the_future")]
    assert states(looked({"backup_id": "20260101T000000", "status": "STARTED"})) == [("bad", "abandoned")]


def test_the_window():
    shown = {DONE["backup_id"]: about()}
    place = looked(DONE, shown=shown, archived=archive(3, 4, 6))["place"][0]
    assert (place["since"], place["until"], place["missing"]) == (1799990000, 1799990000, 1)
    # While one of them has not been asked for, the oldest may be that one.
    other = {**DONE, "backup_id": "20270114T000000"}
    found = looked(DONE, other, shown=shown, archived=archive(3, 4))
    assert found["place"][0]["since"] is None
    assert states(found) == [("good", None), ("unread", None)]
    # Names of 1 MiB: 256 of them don't make a log.
    small = {DONE["backup_id"]: about(begin_wal="0000000100000000000000FF", end_wal="000000010000000000000100")}
    place = looked(DONE, shown=small, archived=archive(0xFF, 0x100, 0x101), size=1 << 20)["place"][0]
    assert (place["since"], place["missing"]) == (1799990000, 0)


@pytest.mark.parametrize("listed", [{}, {"backup_id": "x", "status": "FAILED"}, {**DONE, "size_bytes": -1}], ids=str)
def test_another_form_is_said(listed: dict[str, Any]):
    with pytest.raises(Unavailable) as caught:
        looked(listed)
    assert caught.value.reason is Reason.INVALID_ANSWER
