"""Whether a file is good: by its content, its name, its date, and whether it still moves."""

from __future__ import annotations

import pytest

from closewatch.backups.found import Fault, Found, Type
from closewatch.backups.judge import State, beside, judge, under_way
from closewatch.sources.store import Entry

NOW = 1_800_000_000.0
WHOLE, UNSURE, CUT = Found(Type.DUMP, True), Found(Type.DUMP), Found(Type.DUMP, False, Fault.TRUNCATED)


def entry(name: str = "acme.dump", ago: float = 3600.0) -> Entry:
    return Entry(name, 100, NOW - ago, "tag")


@pytest.mark.parametrize(
    ("found", "moving", "state"),
    [
        (WHOLE, False, State.GOOD),
        (WHOLE, True, State.GOOD),
        (UNSURE, False, State.GOOD),
        (UNSURE, True, State.UNFINISHED),
        (CUT, False, State.BAD),
        (CUT, True, State.UNFINISHED),
    ],
)
def test_what_moves_is_good_only_when_its_end_is_there(found: Found, moving: bool, state: State):
    verdict = judge(entry(), found, NOW, moving=moving)
    assert verdict.state is state
    assert verdict.reason is (Fault.TRUNCATED if state is State.BAD else None)
    assert verdict.at == NOW - 3600


@pytest.mark.parametrize(
    "name", [".acme.dump.x7F", "acme.dump.part", "acme.dump.PARTIAL", "a/b.tmp", "a/.b", "x~", "x.filepart", "~x"]
)
def test_a_name_for_the_time_being(name: str):
    assert under_way(name)
    assert judge(entry(name), WHOLE, NOW, moving=False).state is State.UNFINISHED
    assert judge(entry(name, ago=90_000), WHOLE, NOW, moving=False).reason is Fault.ABANDONED


@pytest.mark.parametrize("name", ["acme.dump", "part.dump", "acme.temp.zip", "a.b/c", "partial"])
def test_a_name_for_good(name: str):
    assert not under_way(name)


@pytest.mark.parametrize("name", ["acme.dump.sha256", "SHA256SUMS.md5sum", "a.log", "a.sig", "readme.TXT"])
def test_what_lies_beside(name: str):
    assert beside(name)
    assert not beside("acme.dump")


def test_a_copy_of_an_old_dump_is_not_new():
    old = Found(Type.DUMP, True, begun=NOW - 10 * 86_400)
    assert judge(entry(ago=60), old, NOW, moving=False).at == NOW - 9 * 86_400


@pytest.mark.parametrize(("ago", "state"), [(-599, State.GOOD), (-601, State.BAD), (-86_400 * 900, State.BAD)])
def test_what_comes_from_the_future_hides_no_late_backup(ago: float, state: State):
    verdict = judge(entry(ago=ago), WHOLE, NOW, moving=False)
    assert verdict.state is state
    assert verdict.reason in {None, Fault.IN_THE_FUTURE}
