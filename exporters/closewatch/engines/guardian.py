"""Ends what a run folder has started, also when the program that started it is gone without a word.

A signal that can't be caught, a crash or a closed terminal leave no chance to clean up from inside. So each run folder
has a guardian: a small process that waits on a pipe, which closes when its owner ends, then ends all processes of the
folder and removes it. The same code ends them in the ordinary case. It runs as a plain file, with the standard library
alone.

A process belongs to a folder when its program's name is written down there and its working directory lies inside:
PostgreSQL's own children have it too, while a person's shell that looks around in the folder is left alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import stat
import sys
import time
from pathlib import Path

PROGRAMS = "programs"
OWNER = "owner"
EVERY = "*"
"""Written down where every process that works in the folder belongs to it, whatever its program."""
# PostgreSQL waits for its clients on SIGTERM; SIGQUIT ends it at once, and it still gives back its shared memory.
_POLITE = {"postgres": signal.SIGQUIT}


def processes_of(folder: Path) -> list[int]:
    """The ids of the folder's processes, lowest first."""
    try:
        programs = set((folder / PROGRAMS).read_text(encoding="utf-8").splitlines())
    except OSError:
        return []
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            place = str((entry / "cwd").readlink()).removesuffix(" (deleted)")
            if Path(place).is_relative_to(folder) and (EVERY in programs or _program_of(int(entry.name)) in programs):
                found.append(int(entry.name))
    return sorted(found)


def end_processes(folder: Path, patience: float = 3.0) -> None:
    """End the folder's processes: politely, then for sure. A stopped process is woken, or it could not end."""
    told: set[int] = set()
    until = time.monotonic() + patience
    while (left := processes_of(folder)) and time.monotonic() < until:
        for process in left:
            if process not in told:
                _send(process, _POLITE.get(_program_of(process), signal.SIGTERM))
                told.add(process)
            _send(process, signal.SIGCONT)
        time.sleep(0.05)
    until = time.monotonic() + 10
    while (left := processes_of(folder)) and time.monotonic() < until:
        for process in left:
            _send(process, signal.SIGKILL)
        time.sleep(0.05)


def sweep(folder: Path, patience: float = 3.0) -> None:
    """End the folder's processes and remove the folder."""
    end_processes(folder, patience)
    shutil.rmtree(folder, ignore_errors=True)


def sweep_stale(parent: Path, prefix: str, newborn_seconds: float = 10.0) -> list[Path]:
    """Sweep the folders of owners that are gone, and say which. A living owner holds a lock on its `owner` file."""
    swept = []
    for folder in parent.glob(prefix + "*"):
        with contextlib.suppress(OSError):
            state = folder.lstat()
            newborn = time.time() - state.st_ctime < newborn_seconds  # its owner may not hold the lock yet
            if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid() or newborn:
                continue
            with (folder / OWNER).open("r+b") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                sweep(folder)
                swept.append(folder)
    return swept


def _program_of(process: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/exe").readlink().name.removesuffix(" (deleted)")
    return ""


def _send(process: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process, number)


def main() -> None:
    """Wait until the pipe on standard input closes, then sweep the folder given as argument."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 64):
        pass
    folder = Path(sys.argv[1])
    if folder.exists():
        sweep(folder)


if __name__ == "__main__":
    main()
