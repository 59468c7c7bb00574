"""A program whose output is read onwards: it comes at once, whatever ends the reading ends the program. Real ones."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from closewatch.core.reasons import Unavailable
from closewatch.sources.program import Program


class Enough(Exception):
    """What a caller raises."""


def nothing() -> None:
    """No limit."""


def shell(script: str) -> Program:
    return Program(["sh", "-c", script])


def gone(pid: int) -> bool:
    """Whether a process ended, or will in a moment."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}:
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_output_comes_while_it_runs() -> None:
    with shell("echo one; exec sleep 600") as program:
        assert next(program.chunks(nothing)) == b"one\n"
        assert program.code is None
    assert program.code == -15


def test_what_it_left_running_keeps_nobody_waiting_and_is_ended() -> None:
    with shell("sleep 600 & echo $!; echo done") as program:
        child, done = b"".join(program.chunks(nothing)).split()
        assert (done, program.code) == (b"done", 0)
    assert gone(int(child))


def test_what_a_caller_raises_ends_it_and_all_that_it_started() -> None:
    asked = 0

    def need() -> None:
        nonlocal asked
        asked += 1
        if asked > 5:
            raise Enough

    found: list[bytes] = []
    with shell("trap '' TERM; sleep 600 & echo $! $$; wait") as program, pytest.raises(Enough):
        found.extend(program.chunks(need))
    child, shells = b"".join(found).split()
    assert gone(int(child))
    assert gone(int(shells))
    assert program.code == -9


def test_a_program_that_is_silent_and_goes_on_is_waited_for() -> None:
    with shell("echo last; exec >&- 2>&-; sleep 0.3; exit 7") as program:
        assert b"".join(program.chunks(nothing)) == b"last\n"
        assert program.code == 7


def test_how_it_ended_is_known_afterwards_too() -> None:
    with shell("exit 3") as program:
        assert list(program.chunks(nothing)) == []
    assert (program.code, program.end(), program.code) == (3, True, 3)


def test_ended_by_somebody_else_it_did_not_succeed() -> None:
    with shell("exit 0") as program:
        os.waitpid(program._process.pid, 0)
        assert program.code != 0


def test_one_that_is_not_here() -> None:
    with pytest.raises(Unavailable) as failure:
        Program(["no-such-program-at-all"])
    assert failure.value.reason == "not_found"
