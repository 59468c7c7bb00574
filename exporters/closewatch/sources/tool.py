"""How another program is asked: run to its end, within a time and a size."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources.program import UNKNOWN, Program

LIMIT = 32 * 1024 * 1024
"""Bytes of output that are read; more is a fault of the program."""
_KEPT = ("HOME", "USER", "LOGNAME", "TMPDIR")
_left: dict[tuple[str, ...], Program] = {}
"""Programs that could not be ended, by their command: of each, no second one is started beside it."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program left behind: its exit code (negative: the signal that ended it), output, time in seconds."""

    code: int
    out: bytes
    err: bytes
    seconds: float

    def json(self) -> Any:
        """The output as JSON. Raises Unavailable(invalid_answer)."""
        try:
            return json.loads(self.out)
        except (ValueError, RecursionError):
            raise Unavailable(Reason.INVALID_ANSWER, "the program's output is not JSON") from None


def run(
    command: Sequence[str],
    deadline: Deadline,
    *,
    environment: Mapping[str, str] | None = None,
    limit: int = LIMIT,
    folder: str = "/",
) -> Ran:
    """Run a program to its end; an exit code other than 0 is the caller's to judge.

    The time-out is on the whole: start, output, end.
    Raises Unavailable: `not_found` or `permission` where it can't be started, `timeout` at the deadline, and
    `invalid_answer` for too much output.
    """

    def need() -> None:
        if deadline.left() <= 0:
            raise Unavailable(Reason.TIMEOUT, "the program took too long")

    deadline.need()
    name = tuple(command)
    if name in _left and _left[name].code is None:
        raise Unavailable(Reason.TIMEOUT, "an earlier run of the program can't be ended")
    began = time.monotonic()
    given = {one: os.environ[one] for one in _KEPT if one in os.environ} | dict(environment or {})
    program, out = Program(command, environment=given, folder=folder), bytearray()
    try:
        for part in program.chunks(need):
            out += part
            if len(out) > limit:
                raise Unavailable(Reason.INVALID_ANSWER, f"the program printed more than {limit:,} bytes")
    finally:
        if program.end():
            _left.pop(name, None)
        else:
            _left[name] = program
    code = program.code
    return Ran(UNKNOWN if code is None else code, bytes(out), bytes(program.err), time.monotonic() - began)
