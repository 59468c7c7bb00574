"""One child process: its end is tied to ours, its output goes to a file, and it can be stopped, killed and frozen.

The kernel sends the "parent died" signal when the *thread* that started the child ends. So one thread, which lives as
long as the program, starts them all.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from closewatch.engines import launch

Started = subprocess.Popen[bytes]


class EngineError(RuntimeError):
    """An engine could not be found, started or used; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Files:
    """Where a program's input comes from and its output goes to, and its whole environment; None is nowhere."""

    env: Mapping[str, str]
    out: Path
    err: Path
    given: Path | None = None


def wait_until(condition: Callable[[], object], timeout: float, what: str, interval: float = 0.05) -> None:
    """Poll until `condition` is true. Raises EngineError, naming `what`, when the time is over."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise EngineError(f"{what}: not within {timeout:g} s")
        time.sleep(interval)


def spawn(
    arguments: Sequence[str],
    *,
    cwd: Path,
    log: Path,
    user: str | None,
    env: Mapping[str, str],
    parent_death: signal.Signals,
    files: Files | None = None,
) -> Started:
    """Start a program from the long-lived thread, in its own session, with its output appended to `log` or `files`."""
    launcher = [sys.executable, "-I", "-S", launch.__file__, str(int(parent_death)), user or ""]

    def start() -> Started:
        with (
            (files.given if files and files.given else Path(os.devnull)).open("rb") as given,
            (files.out if files else log).open("ab") as out,
            (files.err if files else log).open("ab") as err,
        ):
            return subprocess.Popen(
                [*launcher, *arguments],
                cwd=cwd,
                env=dict(env),
                stdin=given,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    return _Spawner.run(start)


class Process:
    """A running child. `tree()` is the child and all that it has started."""

    def __init__(self, name: str, started: Started, log: Path) -> None:
        self.name = name
        self.started = started
        self.log = log

    @property
    def pid(self) -> int:
        """The process id."""
        return self.started.pid

    @property
    def running(self) -> bool:
        """Whether it lives; a frozen one does."""
        return self.started.poll() is None

    def tree(self) -> list[int]:
        """The ids of the process and its descendants."""
        parents: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (parent := _parent_of(int(entry.name))) is not None:
                parents.setdefault(parent, []).append(int(entry.name))
        found = [self.pid]
        for process in found:
            found.extend(parents.get(process, ()))
        return found

    def signal_tree(self, number: signal.Signals) -> None:
        """Send a signal to the process, then to its descendants."""
        for process in self.tree():
            try:
                os.kill(process, number)
            except ProcessLookupError:
                continue

    def pause(self) -> None:
        """Freeze the process and its descendants: connections stay open, nothing answers."""
        self.signal_tree(signal.SIGSTOP)
        self.signal_tree(signal.SIGSTOP)  # again, for what was started between the look and the signal

    def resume(self) -> None:
        """Let a frozen process go on."""
        self.signal_tree(signal.SIGCONT)

    def kill(self) -> None:
        """End the process and its descendants at once."""
        self.signal_tree(signal.SIGKILL)
        self.started.wait(timeout=10)

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = 15.0) -> None:
        """Ask the process to end; kill it when it doesn't in time."""
        if not self.running:
            return
        os.kill(self.pid, number)
        self.resume()
        try:
            self.started.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()

    def wait_ready(self, ready: Callable[[], object], timeout: float = 30.0) -> None:
        """Poll until `ready`. Raises EngineError, with the end of the log, when it ends or the time is over."""
        try:
            wait_until(lambda: ready() or not self.running, timeout, f"{self.name} is ready")
        except EngineError as error:
            raise EngineError(f"{error}; the end of its log:\n{self.log_tail()}") from None
        if not self.running:
            code = self.started.returncode
            raise EngineError(f"{self.name} ended with {code}; the end of its log:\n{self.log_tail()}")

    def log_tail(self, lines: int = 12) -> str:
        """The last lines of the output."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


class _Spawner:
    """The one thread that starts processes; started with the first of them."""

    _jobs: queue.SimpleQueue[tuple[Callable[[], Started], Future[Started]]] = queue.SimpleQueue()
    _lock = threading.Lock()
    _thread: threading.Thread | None = None

    @classmethod
    def run(cls, start: Callable[[], Started]) -> Started:
        with cls._lock:
            if cls._thread is None or not cls._thread.is_alive():
                cls._thread = threading.Thread(target=cls._work, name="spawner", daemon=True)
                cls._thread.start()
        done: Future[Started] = Future()
        cls._jobs.put((start, done))
        return done.result()

    @classmethod
    def _work(cls) -> None:
        while True:
            start, done = cls._jobs.get()
            try:
                done.set_result(start())
            except BaseException as error:  # noqa: BLE001 - it belongs to the caller, and is raised there
                done.set_exception(error)


def _parent_of(process: int) -> int | None:
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The program's name stands in parentheses and may hold spaces: fields are counted from the last one.
    return int(text.rpartition(")")[2].split()[1])
