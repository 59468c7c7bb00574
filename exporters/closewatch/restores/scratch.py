"""The place of one restore test: a folder of its own, the programs that work in it, and their limits.

Everything that runs here ends at the deadline, when the test is stopped, or when it takes more disk than it may; all of
it is gone afterwards, also when this program is killed: a guardian sees to that (see `engines.guardian`).
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import pwd
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from closewatch.core.checks import Cancelled, Progress
from closewatch.core.deadline import Deadline
from closewatch.core.secrets import refuse_in
from closewatch.engines.folder import RunFolder, traversable
from closewatch.engines.process import EngineError, Files, Process
from closewatch.restores.why import Failed, Why, unwritten
from closewatch.sources.tool import Ran

PREFIX = "closewatch-restore-"
NICE = 10
TICK = 0.05
LOOKS = 20
"""What was restored is counted so seldom that the count takes at most one part in so many of the time."""
SOONEST = 0.5
FLOOR_SHARE, FLOOR = 0.03, 512 * 1024 * 1024
"""So much of the file system stays free for others: a share of it, at most so many bytes."""
KEPT = 64 * 1024
"""Bytes of a program's complaints that are read."""
LIMIT = 64 * 1024 * 1024
_KEEP_SIZE = 1
FULL = b"No space left on device"
LONGEST_PATH = 58
"""A socket's path has at most 107 bytes; our folder's name, `/socket` and its own take the rest."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PASSED = ("LANG", "TZDIR", "CLOSEWATCH_ENGINES", "CLOSEWATCH_POSTGRES_BINDIRS")


class Scratch:
    """Made by `create`. Used by one thread."""

    def __init__(
        self, run: RunFolder, disk: int, deadline: Deadline, stop: threading.Event, progress: Progress
    ) -> None:
        self._run = run
        self._disk = disk
        self._deadline = deadline
        self._stop = stop
        self._look_at = 0.0
        self._number = 0
        self.progress = progress
        self.path = run.path
        self.user = run.user
        self.data = self.folder("data")
        self._outputs = self.folder("outputs")

    @classmethod
    @contextlib.contextmanager
    def create(
        cls, parent: Path, *, disk: int, deadline: Deadline, stop: threading.Event, progress: Progress
    ) -> Iterator[Scratch]:
        """A new place below `parent`, removed at the end. Raises Failed(no_space) where it is too small for `disk`."""
        _fit(parent)
        free = shutil.disk_usage(parent)
        if free.free - _floor(free.total) < disk:
            raise Failed(Why.NO_SPACE, f"{free.free:,} bytes are free; the plan asks for {disk:,}, and some stay free")
        try:
            run = RunFolder(parent=parent, prefix=PREFIX)
        except (OSError, EngineError) as error:
            raise Failed(Why.ERROR, f"no folder can be made for the restore: {type(error).__name__}") from None
        with run:
            run.adopt_all()
            yield cls(run, disk, deadline, stop, progress)

    def folder(self, name: str) -> Path:
        """A new folder inside, of that name or of that name with a number, that only the programs' user may enter."""
        for number in itertools.count():
            with contextlib.suppress(FileExistsError):
                return self._run.folder(f"{name}{number or ''}", private_to=self.user)
        raise AssertionError

    def need(self) -> float:
        """Seconds left. Raises Failed(time_limit), Cancelled."""
        if self._stop.is_set():
            raise Cancelled
        if (left := self._deadline.left()) <= 0:
            raise Failed(Why.TIME_LIMIT)
        return left

    def used(self) -> int:
        """Bytes on disk of all that is in it."""
        total = 0
        for place, _, files in os.walk(self.path):
            for file in files:
                with contextlib.suppress(OSError):
                    total += os.lstat(os.path.join(place, file)).st_blocks * 512  # noqa: PTH118 - a million files
        return total

    def watch(self) -> None:
        """To be called while something works: raises Failed(time_limit, no_space) or Cancelled."""
        self.need()
        if self.full():
            raise Failed(Why.NO_SPACE, "the disk for restore tests is nearly full")
        now = time.monotonic()
        if now < self._look_at:
            return
        used = self.used()
        took = time.monotonic() - now
        self._look_at = time.monotonic() + max(SOONEST, LOOKS * took)
        if used > self._disk:
            raise Failed(Why.NO_SPACE, f"the restored data take more than the {self._disk:,} bytes of the plan")

    def measure(self) -> None:
        """Look now, as at the end of what was quicker than the looks: raises as `watch` does."""
        self._look_at = 0.0
        self.watch()

    def full(self) -> bool:
        """Whether hardly anything can be written any more."""
        free = shutil.disk_usage(self.path)
        return free.free < _floor(free.total)

    def start(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: Path | None = None,
        stdout: Path | None = None,
        cwd: Path | None = None,
        parent_death: signal.Signals = signal.SIGKILL,
    ) -> tuple[Process, Files]:
        """Start a program in the background, as the unprivileged user. Raises Failed(tool_failed) where it isn't here.

        Secrets never stand in its arguments, which everybody on the host can read.
        """
        refuse_in(command)
        path = os.environ.get("PATH") or _PATH
        program = shutil.which(command[0], path=path)
        if program is None:
            raise Failed(Why.TOOL_FAILED, f"{Path(command[0]).name} is not installed here")
        self._number += 1
        name = f"{self._number:04}-{Path(command[0]).name}"
        whole = {"PATH": path, "LC_ALL": "C", "TZ": "UTC", "HOME": str(self.path), "TMPDIR": str(self._outputs)}
        whole |= {key: os.environ[key] for key in _PASSED if key in os.environ} | dict(env or {})
        files = Files(whole, stdout or self._outputs / f"{name}.out", self._outputs / f"{name}.err", stdin)
        _reserve(files.err)
        process = self._run.spawn(
            name,
            [program, *command[1:]],
            cwd=cwd or self.data,
            user=self.user,
            files=files,
            parent_death=parent_death,
        )
        with contextlib.suppress(OSError):  # it may have ended already; the kernel derives its disk priority from it
            os.setpriority(os.PRIO_PGRP, process.pid, NICE)
        return process, files

    def run(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: Path | None = None,
        stdout: Path | None = None,
        cwd: Path | None = None,
        phase: str = "",
    ) -> Ran:
        """Run a program to its end; an exit code other than 0 is the caller's to judge. `phase` is told to progress.

        Raises Failed: `time_limit`, `no_space`, and `tool_failed` where it can't be started; Cancelled.
        """
        began = time.monotonic()
        if phase:
            self.progress(phase, None)
        self.watch()
        process, files = self.start(command, env=env, stdin=stdin, stdout=stdout, cwd=cwd)
        try:
            while process.running:
                self.watch()
                time.sleep(TICK)
        finally:
            if process.running:
                process.kill()
        err = _end_of(files.err)
        code = process.started.returncode
        if code and (FULL in err or self.full()):
            raise Failed(Why.NO_SPACE, "the disk was filled by the restore")
        out = files.out.read_bytes()[: LIMIT + 1] if stdout is None else b""
        if len(out) > LIMIT:
            raise Failed(Why.TOOL_FAILED, f"{Path(command[0]).name} printed too much")
        return Ran(code, out, err, time.monotonic() - began)

    def give(self, path: Path) -> None:
        """Make a file or folder that we made the programs' own."""
        if self.user is None:
            return
        user = pwd.getpwnam(self.user).pw_uid
        # Never through a link: a restored one may lead to a file of production.
        os.chown(path, user, -1, follow_symlinks=False)
        if path.is_dir() and not path.is_symlink():
            for place, folders, files in os.walk(path):
                for name in (*folders, *files):
                    os.chown(Path(place) / name, user, -1, follow_symlinks=False)

    def near(self, path: Path, to: Path) -> Path:
        """A file or folder that the programs can read: as it is, or copied where they run as another user than we."""
        if self.user is None:
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
        self.give(to)
        return to

    @property
    def engines(self) -> RunFolder:
        """The folder as servers are started in it."""
        return self._run


def _floor(total: int) -> int:
    return min(FLOOR, int(total * FLOOR_SHARE))


def _reserve(path: Path) -> None:
    """Make the file with room for some complaints, empty as yet: that the disk is full must still get into it."""
    with path.open("ab") as file:  # where the file system can't reserve, it does without
        ctypes.CDLL(None).fallocate(file.fileno(), _KEEP_SIZE, ctypes.c_int64(0), ctypes.c_int64(KEPT))


def _end_of(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - KEPT))
        return file.read()


def _fit(parent: Path) -> None:
    """Raises Failed where a folder can't hold a restore, whatever its size."""
    if not parent.is_dir():
        raise Failed(Why.ERROR, "the plan's `scratch` is no folder: make it, and give it to the user of closewatch")
    if len(os.fsencode(parent)) > LONGEST_PATH:
        raise Failed(Why.ERROR, f"the plan's `scratch` has a path of over {LONGEST_PATH} bytes: too long for sockets")
    if os.geteuid() == 0 and not traversable(parent):
        raise Failed(Why.ERROR, "the plan's `scratch` can't be reached by the user that PostgreSQL runs as")
