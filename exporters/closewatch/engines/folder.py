"""The place of a run: a temporary folder that owns files, ports and processes, and takes them all away again.

    with RunFolder() as run:
        server = PostgresServer.create(run, find_postgres()[-1])

Left by `with`, at the program's exit, or by the guardian when the program is killed. Folders that even the guardian
could not end (a power cut) are swept at the next start.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import pwd
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from closewatch.engines import guardian
from closewatch.engines.closing import Closing
from closewatch.engines.process import EngineError, Files, Process, spawn

PREFIX = "closewatch-run-"
HOST = "127.0.0.1"
# Below the range from which Linux takes the ports of outgoing connections: a stopped server's port stays free for it.
_PORTS = range(12000, 32000)
_given_ports: set[int] = set()
_ports_lock = threading.Lock()


class RunFolder(Closing):
    """A temporary folder with its processes. Thread-safe; closing it twice is harmless."""

    def __init__(self, user: str | None = None, *, parent: Path | None = None, prefix: str = PREFIX) -> None:
        if not sys.platform.startswith("linux"):
            raise EngineError("engines run on Linux only")
        parent = parent or _traversable_temp()
        guardian.sweep_stale(parent, prefix)
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        self.user = user or unprivileged_user()
        if self.user:
            self.path.chmod(0o711)
        self._programs: set[str] = set()
        self._children: list[Process] = []
        self._lock = threading.Lock()
        self._closed = False
        self._owner = (self.path / guardian.OWNER).open("w+b")
        fcntl.flock(self._owner, fcntl.LOCK_EX)
        self._guardian = self._start_guardian()
        atexit.register(self.close)

    def folder(self, name: str, *, private_to: str | None = None) -> Path:
        """A new folder inside. With `private_to`, only that user may enter."""
        path = self.path / name
        path.mkdir(mode=0o700 if private_to else 0o711)
        if private_to:
            shutil.chown(path, private_to, pwd.getpwnam(private_to).pw_gid)
        return path

    def spawn(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        parent_death: signal.Signals = signal.SIGKILL,
        files: Files | None = None,
    ) -> Process:
        """Start a program of this run. Its working directory lies in the folder: so it is recognised as ours.

        Its environment is ours with `env` on top, or `files.env` alone; its output goes to a log, or to `files`.
        """
        place = cwd or self.path
        if not place.is_relative_to(self.path):
            raise ValueError(f"{place} is not inside {self.path}")
        self._record(arguments[0])
        log = self.path / f"{name}.log"
        environment = {**os.environ, **(env or {})} if files is None else dict(files.env)
        started = spawn(
            arguments, cwd=place, log=log, user=user, env=environment, parent_death=parent_death, files=files
        )
        process = Process(name, started, log)
        self._children.append(process)
        return process

    def call(
        self, arguments: Sequence[str], *, user: str | None = None, env: Mapping[str, str] | None = None, timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, in the folder. Raises EngineError when it takes too long."""
        self._record(arguments[0])
        group = pwd.getpwnam(user).pw_gid if user else None
        try:
            return subprocess.run(
                list(arguments),
                cwd=self.path,
                env={**os.environ, **(env or {})},
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
                user=user,
                group=group,
                extra_groups=[] if user else None,
            )
        except subprocess.TimeoutExpired as error:
            raise EngineError(f"{Path(arguments[0]).name} did not end within {timeout:g} s") from error

    def close(self) -> None:
        """End every process and remove the folder."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        atexit.unregister(self.close)
        guardian.sweep(self.path)
        for child in self._children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.started.wait(timeout=10)
        self._owner.close()
        assert self._guardian.stdin is not None
        self._guardian.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._guardian.wait(timeout=10)

    def adopt_all(self) -> None:
        """Take every process that works in the folder for one of this run, whatever its program."""
        self._record(guardian.EVERY)

    def _record(self, program: str) -> None:
        """Write down a program's name, before it is started."""
        name = Path(program).resolve().name
        with self._lock:
            if name not in self._programs:
                self._programs.add(name)
                with (self.path / guardian.PROGRAMS).open("a", encoding="utf-8") as file:
                    file.write(name + "\n")

    def _start_guardian(self) -> subprocess.Popen[bytes]:
        # Its own session: Ctrl-C on the terminal reaches us, not it. No site packages: it starts in 20 ms.
        return subprocess.Popen(
            [sys.executable, "-I", "-S", guardian.__file__, str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )


def free_port() -> int:
    """A port on which nothing listens, and which this program has not given before."""
    with _ports_lock:
        for _ in range(1000):
            port = random.choice(_PORTS)
            if port in _given_ports:
                continue
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((HOST, port))
                except OSError:
                    continue
            _given_ports.add(port)
            return port
    raise EngineError(f"no free port between {_PORTS.start} and {_PORTS.stop}")


def unprivileged_user() -> str | None:
    """The user for programs that refuse to run as root; None when we aren't root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise EngineError("as root, a user named postgres or nobody is needed: PostgreSQL refuses to run as root")


def traversable(path: Path) -> bool:
    """Whether any user may reach what lies at `path`."""
    resolved = path.resolve()
    return all(place.stat().st_mode & stat.S_IXOTH for place in (resolved, *resolved.parents))


def _traversable_temp() -> Path:
    temp = Path(tempfile.gettempdir())
    if os.geteuid() == 0 and not traversable(temp):
        return Path("/tmp")  # noqa: S108 - the unprivileged children could not reach root's own folder
    return temp
