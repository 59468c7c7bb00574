"""A program whose output is read as it comes and kept nowhere: what it decrypts or unpacks never gets to a disk.

Like `sources.tool`, for output without a limit: a session of its own that is ended with all it started, low priority,
almost no environment, no standard input. Where we are killed, it ends by itself at its next write.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import selectors
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from closewatch.core.secrets import known
from closewatch.restores.why import Failed, Why

if TYPE_CHECKING:
    from closewatch.restores.scratch import Scratch

CHUNK = 256 * 1024
ERRORS = 64 * 1024
"""Bytes of its complaints that are kept; they are for our eyes alone."""
NICE = 10
TICK = 0.1
LEAVE = 0.5
GOODBYE = 2.0
_PATH = "/usr/local/bin:/usr/bin:/bin"
Need = Callable[[], object]


class Piped:
    """A running program. Used as a context: at its end the program is gone, whatever happened."""

    def __init__(self, command: Sequence[str], need: Need, environment: Mapping[str, str] | None = None) -> None:
        if any(secret in argument for secret in known() for argument in command):
            raise ValueError("a secret in the arguments of a program: everybody on the host could read it")
        given = {"PATH": os.environ.get("PATH") or _PATH, "LC_ALL": "C", "TZ": "UTC", **(environment or {})}
        program = shutil.which(command[0], path=given["PATH"])
        if program is None:
            raise Failed(Why.TOOL_FAILED, f"{os.path.basename(command[0])} is not installed here")  # noqa: PTH119
        self._need = need
        self.err = bytearray()
        self.code: int | None = None
        """Known when the output was read to its end."""
        self._process = subprocess.Popen(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=given,
            start_new_session=True,
        )
        with contextlib.suppress(OSError):  # it may have ended already
            os.setpriority(os.PRIO_PGRP, self._process.pid, NICE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process.returncode is None:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LEAVE)
        self._signal(signal.SIGKILL)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GOODBYE)

    def chunks(self) -> Iterator[bytes]:
        """Its output. `need` is asked all the while, and what it raises ends this."""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        with selectors.DefaultSelector() as selector:
            for pipe in (self._process.stdout, self._process.stderr):
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe, selectors.EVENT_READ, pipe is self._process.stderr)
            while selector.get_map():
                self._need()
                for key, _ in selector.select(TICK):
                    part = _take(key.fileobj)  # type: ignore[arg-type]
                    if part == b"":
                        selector.unregister(key.fileobj)
                    elif part and key.data:
                        self.err += part[: max(0, ERRORS - len(self.err))]
                    elif part:
                        yield part
        while self.code is None:
            self._need()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.code = self._process.wait(TICK)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


def _take(pipe: IO[bytes]) -> bytes | None:
    try:
        return os.read(pipe.fileno(), CHUNK)
    except BlockingIOError:
        return None


def folder(scratch: Scratch, name: str) -> Path:
    """A new folder of that name, or of that name with a number."""
    for number in itertools.count():
        with contextlib.suppress(FileExistsError):
            return scratch.folder(f"{name}{number or ''}")
    raise AssertionError


def near(path: Path, to: Path, scratch: Scratch) -> Path:
    """A file or folder that the programs can read: as it is, or a copy where they run as another user than we."""
    if scratch.user is None:
        return path
    try:
        if path.is_dir():
            to.mkdir()
            for one in path.iterdir():
                shutil.copyfile(one, to / one.name)
        else:
            shutil.copyfile(path, to)
    except OSError as error:
        raise unwritten(error) from None
    scratch.give(to)
    return to


def unwritten(error: OSError) -> Failed:
    """Why something could not be written to the place of the test."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return Failed(Why.NO_SPACE)
    return Failed(Why.ERROR, f"the place of the test: {errno.errorcode.get(error.errno or 0, 'unknown error')}")


class Reader:
    """Chunks as a file that can only be read onwards, for what wants a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""
        self.size = 0
        """Bytes that came so far."""

    def read(self, length: int = -1) -> bytes:
        """So many bytes, fewer at the end alone."""
        parts, have = [self._rest], len(self._rest)
        while length < 0 or have < length:
            part = next(self._chunks, None)
            if part is None:
                break
            self.size += len(part)
            have += len(part)
            parts.append(part)
        whole = b"".join(parts)
        cut = len(whole) if length < 0 else length
        self._rest = whole[cut:]
        return whole[:cut]

    def peek(self, length: int) -> bytes:
        """The next bytes, which are still to be read."""
        head = self.read(length)
        self._rest = head + self._rest
        return head

    def drain(self) -> None:
        """Read to the end, and keep nothing."""
        self._rest = b""
        for part in self._chunks:
            self.size += len(part)
