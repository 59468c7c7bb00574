"""A place as a source: one look for all collectors, what went wrong said again, and nothing lost by a slow store."""

from __future__ import annotations

import time

import pytest

from closewatch.backups import COLLECTORS, place
from closewatch.backups.place import Files, Place
from closewatch.backups.settings import BackupsTarget
from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources.store import Entry, Gone, Listing
from tests.unit.backups.reading import odoo_zip

ROWS = {"main": [], "place": [{}]}


class Shelf:
    """A store in memory."""

    atomic = True
    where = "the shelf"

    def __init__(self, **files: bytes) -> None:
        self.files = files
        self.seconds = 0.0
        self.lost: set[str] = set()

    def list(self, deadline: Deadline) -> Listing:
        found = [Entry(name, len(data), 1000.0 + n, "tag") for n, (name, data) in enumerate(self.files.items())]
        return Listing.of(found, truncated=False)

    def read(self, entry: Entry, part: str, start: int, length: int, deadline: Deadline) -> bytes:
        time.sleep(self.seconds)
        if entry.name in self.lost:
            raise Gone
        return self.files[entry.name][start : start + length]

    def close(self) -> None:
        """Nothing is held."""


def look(shelf: Shelf, seconds: float = 20.0) -> dict:
    tables = Files(shelf, opaque=False, filestore=True, settle=0).look(Deadline.after(seconds))
    return {"rows": list(tables["main"]), **tables["place"][0]}


def test_a_failure_is_said_again_and_not_asked_for_each_time(monkeypatch: pytest.MonkeyPatch):
    asked = []

    def failing(deadline: Deadline) -> dict:
        asked.append(1)
        raise Unavailable(Reason.PERMISSION)

    source = Place(failing, lambda: None, "test")
    for _ in range(3):
        reply = source.ask(COLLECTORS, Deadline.after(5))
        assert reply.down is not None
        assert reply.down.reason is Reason.PERMISSION
    assert asked == [1]
    assert source.ask((), Deadline.after(5)).down is not None
    monkeypatch.setattr(source, "_not_before", 0.0)
    source.ask(COLLECTORS, Deadline.after(5))
    assert asked == [1, 1]


def test_a_fault_of_our_own_is_no_crash():
    reply = Place(lambda deadline: ROWS["nothing"], lambda: None, "test").ask(COLLECTORS, Deadline.after(5))  # type: ignore[arg-type]
    assert reply.down is not None
    assert reply.down.reason is Reason.ERROR


def test_nothing_is_asked_when_nothing_is_due():
    def never(deadline: Deadline) -> dict:
        raise AssertionError

    assert Place(never, lambda: None, "test").ask((), Deadline.after(5)).down is None


def test_a_file_that_goes_away_meanwhile_is_left_out():
    shelf = Shelf(a=odoo_zip(), gone=odoo_zip(), empty=b"")
    shelf.lost.add("gone")
    assert [row["state"] for row in look(shelf)["rows"]] == ["bad", "good"]


def test_a_slow_store_is_read_as_far_as_time_allows():
    shelf = Shelf(**{f"f{number}": odoo_zip() for number in range(9)})
    shelf.seconds = 0.2
    found = look(shelf, place.RESERVE + 0.9)
    assert 1 <= len(found["rows"]) < 9
    assert found["unread"] == 9 - len(found["rows"])
    with pytest.raises(Unavailable) as failure:
        look(shelf, place.RESERVE)
    assert failure.value.reason is Reason.TIMEOUT


def test_each_place_has_its_own_interval():
    settings = BackupsTarget.model_validate({"kind": "backups", "name": "a", "folder": {"path": "/b"}, "every": 60})
    asked = [one for one in COLLECTORS if not one.recorded]  # what a check records is there with the check alone
    assert [one.every for one in settings.asked(COLLECTORS)] == [60.0] * len(asked)
