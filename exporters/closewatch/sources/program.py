"""Another program, with nothing of ours in it but what it needs, and with a hard end.

It runs in a session of its own; whatever it started and left there is ended with it. It has a low priority (the kernel
derives that of its disk I/O from it), no standard input, and almost no environment. Secrets never stand in its
arguments, which everybody on the host can read: what it needs of them it finds in a file, or in the environment that it
is given. Where we are killed, it ends by itself at its next write.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Self

from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.secrets import refuse_in

CHUNK = 256 * 1024
ERRORS = 64 * 1024
"""Bytes of its complaints that are kept; the rest is read and dropped, so that it isn't blocked by a full pipe."""
NICE = 10
TICK = 0.05
LEAVE = 0.5
"""Seconds between the request to end and the kill."""
GOODBYE = 1.0
"""Seconds to wait for what was killed."""
UNKNOWN = 255
"""The exit code of what somebody else waited for."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
Need = Callable[[], object]
"""Asked all the while; what it raises ends the wait."""


class Program:
    """A running program. Used as a context: at its end it is gone, with all that it started."""

    def __init__(
        self, command: Sequence[str], *, environment: Mapping[str, str] | None = None, folder: str = "/"
    ) -> None:
        """Raises Unavailable: `not_found` or `permission` where it can't be started."""
        refuse_in(command)
        given = {"PATH": os.environ.get("PATH") or _PATH, "LC_ALL": "C", "TZ": "UTC", **(environment or {})}
        program = shutil.which(command[0], path=given["PATH"])
        if program is None:
            raise Unavailable(Reason.NOT_FOUND, "the program is not installed here, or is no executable file")
        self.err = bytearray()
        """The first of its complaints; they are for our eyes alone."""
        self._code: int | None = None
        try:
            self._process = subprocess.Popen(
                [program, *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
                env=given,
                start_new_session=True,
            )
        except OSError as error:
            reason = Reason.PERMISSION if isinstance(error, PermissionError) else Reason.NOT_FOUND
            raise Unavailable(reason, "the program can't be started") from None
        with contextlib.suppress(OSError):  # it may have ended already
            os.setpriority(os.PRIO_PGRP, self._process.pid, NICE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def code(self) -> int | None:
        """How it ended: its exit code, or the signal as a negative number; None while it lives.

        It isn't reaped for that: so its id stays its own, and all that it started can be ended safely.
        """
        if self._code is None:
            try:
                found = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                self._code = UNKNOWN
            else:
                if found is not None:
                    self._code = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
        return self._code

    def chunks(self, need: Need) -> Iterator[bytes]:
        """Its output as it comes, until it has ended: what it left running may hold its outputs open."""
        out, err = self._process.stdout, self._process.stderr
        assert out is not None
        assert err is not None
        with selectors.DefaultSelector() as selector:
            for pipe in (out, err):
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe, selectors.EVENT_READ)
            while selector.get_map():
                need()
                over = self.code is not None
                ready = selector.select(0 if over else TICK)
                if over and not ready:
                    break
                for key, _ in ready:
                    part = _take(key.fileobj)  # type: ignore[arg-type]
                    if part == b"":
                        selector.unregister(key.fileobj)
                    elif part and key.fileobj is err:
                        self.err += part[: max(0, ERRORS - len(self.err))]
                    elif part:
                        yield part
        while self.code is None:
            need()
            time.sleep(TICK)

    def end(self) -> bool:
        """End it and all that it started; first by request, so that it can remove its locks.

        False where it lives on: a program that sudo made another user's, or one that the kernel holds.
        """
        process = self._process
        if process.returncode is None:
            if self.code is None:
                self._signal(signal.SIGTERM)
                until = time.monotonic() + LEAVE
                while time.monotonic() < until and self.code is None:
                    time.sleep(0.02)
            self._signal(signal.SIGKILL)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        try:
            code = process.wait(GOODBYE)
        except subprocess.TimeoutExpired:
            return False
        self._code = code if self._code is None else self._code
        return True

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


def _take(pipe: IO[bytes]) -> bytes | None:
    """What is there; None where nothing is yet, nothing at the end."""
    try:
        return os.read(pipe.fileno(), CHUNK)
    except BlockingIOError:
        return None
