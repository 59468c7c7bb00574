"""How another program is asked: run, with a hard end, and nothing of ours in it but what it needs.

The time-out is on the whole: start, output, end. The program runs in a session of its own; whatever it started and left
there is killed with it. It has a low priority (the kernel derives that of its disk I/O from it), no standard input,
almost no environment, and its output has a limit. Secrets never stand in its arguments, which everybody on the host can
read: what it needs of them it finds in a file, or in the environment that it is given.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.secrets import known

LIMIT = 32 * 1024 * 1024
"""Bytes of output that are read; more is a fault of the program."""
ERRORS = 64 * 1024
"""Bytes of its complaints that are kept; the rest is read and dropped, so that it isn't blocked by a full pipe."""
NICE = 10
LEAVE = 0.5
"""Seconds between the request to end and the kill."""
GOODBYE = 1.0
"""Seconds to wait for what was killed."""
TICK = 0.1
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_KEPT = ("HOME", "USER", "LOGNAME", "TMPDIR")
_left: dict[tuple[str, ...], list[subprocess.Popen[bytes]]] = {}
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

    Raises Unavailable: `not_found` or `permission` where it can't be started, `timeout` at the deadline, and
    `invalid_answer` for too much output.
    """
    if any(secret in argument for secret in known() for argument in command):
        raise ValueError("a secret in the arguments of a program: everybody on the host could read it")
    given = {"PATH": os.environ.get("PATH") or _PATH, "LC_ALL": "C", "TZ": "UTC"}
    given |= {name: os.environ[name] for name in _KEPT if name in os.environ} | dict(environment or {})
    deadline.need()
    if any(process.poll() is None for process in _left.get(tuple(command), ())):
        raise Unavailable(Reason.TIMEOUT, "an earlier run of the program can't be ended")
    began = time.monotonic()
    process = _start(command, given, folder)
    try:
        out, err = _listen(process, deadline, limit)
        code = process.wait(max(TICK, deadline.left()))
    except subprocess.TimeoutExpired:
        raise Unavailable(Reason.TIMEOUT, "the program did not end") from None
    finally:
        if _end(process):
            _left.pop(tuple(command), None)
        else:
            _left[tuple(command)] = [process]
    return Ran(code, out, err, time.monotonic() - began)


def _start(command: Sequence[str], environment: Mapping[str, str], folder: str) -> subprocess.Popen[bytes]:
    program = shutil.which(command[0], path=environment["PATH"])
    if program is None:
        raise Unavailable(Reason.NOT_FOUND, "the program is not installed here, or is no executable file")
    try:
        process = subprocess.Popen(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
        )
    except OSError as error:
        reason = Reason.PERMISSION if isinstance(error, PermissionError) else Reason.NOT_FOUND
        raise Unavailable(reason, "the program can't be started") from None
    with contextlib.suppress(OSError):  # it may have ended already
        os.setpriority(os.PRIO_PGRP, process.pid, NICE)
    return process


def _listen(process: subprocess.Popen[bytes], deadline: Deadline, limit: int) -> tuple[bytes, bytes]:
    """Both outputs until they end, or until the program does: what it left running may hold them open."""
    assert process.stdout is not None
    assert process.stderr is not None
    out, err = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        for pipe, kept in ((process.stdout, out), (process.stderr, err)):
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, selectors.EVENT_READ, kept)
        while selector.get_map():
            if deadline.left() <= 0:
                raise Unavailable(Reason.TIMEOUT, "the program took too long")
            over = _ended(process)
            ready = selector.select(0 if over else min(TICK, deadline.left()))
            for key, _ in ready:
                if not _take(key.fileobj, key.data, ERRORS if key.data is err else None):  # type: ignore[arg-type]
                    selector.unregister(key.fileobj)
            if len(out) > limit:
                raise Unavailable(Reason.INVALID_ANSWER, f"the program printed more than {limit:,} bytes")
            if over and not ready:
                break
    return bytes(out), bytes(err)


def _take(pipe: IO[bytes], kept: bytearray, most: int | None) -> bool:
    """Read what is there; False at the end."""
    try:
        part = os.read(pipe.fileno(), 65536)
    except BlockingIOError:
        return True
    kept += part if most is None else part[: max(0, most - len(kept))]
    return bool(part)


def _ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether the program itself has ended, without reaping it: its id stays its own, and can be killed safely."""
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _end(process: subprocess.Popen[bytes]) -> bool:
    """End the program and all that it started; first by request, so that it can remove its locks.

    False where it lives on: a program that sudo made another user's, or one that the kernel holds.
    """
    if process.returncode is None and not _ended(process):
        _signal(process.pid, signal.SIGTERM)
        until = time.monotonic() + LEAVE
        while time.monotonic() < until and not _ended(process):
            time.sleep(0.02)
    _signal(process.pid, signal.SIGKILL)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(GOODBYE)
    except subprocess.TimeoutExpired:
        return False
    return True


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
