"""The place of a restore test: its limits hold, and nothing of it is left, however it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from closewatch.core.checks import Cancelled
from closewatch.core.deadline import Deadline
from closewatch.core.secrets import Secret
from closewatch.engines.guardian import processes_of
from closewatch.engines.process import wait_until
from closewatch.restores.scratch import LONGEST_PATH, Scratch
from closewatch.restores.server import Server
from closewatch.restores.why import Failed, Why

MIB = 1024 * 1024
RUNS_A_SERVER = """
import signal, sys, threading, time
from pathlib import Path
from closewatch.core.deadline import Deadline
from closewatch.restores.scratch import Scratch
from closewatch.restores.server import Server

signal.signal(signal.SIGINT, signal.default_int_handler)  # a runner in the background has it ignored

with Scratch.create(
    Path(sys.argv[1]), disk=1024**3, deadline=Deadline.after(120), stop=threading.Event(), progress=lambda *_: None
) as scratch:
    server = Server.new(scratch, None)
    server.start()
    print(scratch.path, flush=True)
    scratch.run(["sleep", "100"])
"""


def create(
    parent: Path, *, disk: int = 100 * MIB, seconds: float = 30.0, stop: threading.Event | None = None
) -> contextlib.AbstractContextManager[Scratch]:
    return Scratch.create(
        parent,
        disk=disk,
        deadline=Deadline.after(seconds),
        stop=stop or threading.Event(),
        progress=lambda phase, share: None,
    )


def shared_memory() -> set[str]:
    """What System V and POSIX shared memory there is."""
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return {line.split()[1] for line in lines} | {path.name for path in Path("/dev/shm").iterdir()}


def shared_by(processes: Iterable[int]) -> set[str]:
    """What of it these processes hold; other tests, side by side, hold theirs."""
    held = set()
    for process in processes:
        for line in Path(f"/proc/{process}/maps").read_text().splitlines():
            inode, name = (*line.split(maxsplit=5), "")[4:6]
            if name.startswith("/dev/shm/"):
                held.add(name.removeprefix("/dev/shm/"))
            elif name.startswith("/SYSV"):
                held.add(inode)
    return held


def gone(path: Path) -> bool:
    """Whether neither the folder is there nor a process that works in it."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str((entry / "cwd").readlink()).startswith(f"{path}/"):
                return False
    return not path.exists()


def test_what_a_program_says_and_how_it_ends(scratch: Scratch) -> None:
    ran = scratch.run(["sh", "-c", "echo out; echo err >&2; pwd; exit 3"])
    assert (ran.code, ran.err) == (3, b"err\n")
    assert ran.out == b"out\n" + bytes(scratch.data) + b"\n"


def test_it_is_nice_and_knows_little_of_us(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "of production")
    said = scratch.run(["sh", "-c", "env; sleep 0.3; nice"]).out.decode()
    assert "PGPASSWORD" not in said
    assert said.splitlines()[-1] == "10"


def test_a_program_that_is_not_here(scratch: Scratch) -> None:
    with pytest.raises(Failed, match="no-such-tool is not installed here") as failure:
        scratch.run(["no-such-tool"])
    assert failure.value.why is Why.TOOL_FAILED


def test_no_secret_among_the_arguments(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_OF_TEST", "correct horse battery")
    secret = Secret(env="KEY_OF_TEST").read()
    with pytest.raises(ValueError, match="a secret in the arguments") as failure:
        scratch.run(["echo", f"--key={secret}"])
    assert secret not in str(failure.value)


def test_a_hung_program_ends_at_the_limit(scratch_parent: Path) -> None:
    began = time.monotonic()
    with create(scratch_parent, seconds=1.0) as scratch:
        with pytest.raises(Failed) as failure:
            scratch.run(["sh", "-c", "trap '' TERM; setsid sleep 98 & while :; do sleep 1; done"])
        path = scratch.path
    assert failure.value.why is Why.TIME_LIMIT
    assert time.monotonic() - began < 15
    assert gone(path)


def test_a_stop_ends_it(scratch_parent: Path) -> None:
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    with create(scratch_parent, stop=stop) as scratch:
        with pytest.raises(Cancelled):
            scratch.run(["sleep", "97"])
        path = scratch.path
    assert gone(path)


def test_a_program_that_takes_more_than_the_plan_allows(scratch_parent: Path) -> None:
    with create(scratch_parent, disk=20 * MIB) as scratch:
        with pytest.raises(Failed) as failure:
            scratch.run(["sh", "-c", "head -c 40000000 /dev/zero > much; sleep 96"])
        assert scratch.used() >= 40_000_000
    assert failure.value.why is Why.NO_SPACE


def test_a_disk_that_is_too_small_is_told_before(scratch_parent: Path) -> None:
    with pytest.raises(Failed) as failure, create(scratch_parent, disk=1024**6):
        pass
    assert failure.value.why is Why.NO_SPACE
    assert list(scratch_parent.iterdir()) == []


@pytest.fixture
def small_disk(scratch_parent: Path) -> Iterator[Path]:
    """A file system of 100 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    place = scratch_parent / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m", "none", place], check=False).returncode:
        pytest.skip("nothing may be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_disk_that_fills_meanwhile(small_disk: Path) -> None:
    with create(small_disk, disk=90 * MIB) as scratch:
        filler = small_disk / "other"
        filler.write_bytes(bytes(60 * MIB))
        with pytest.raises(Failed) as failure:
            scratch.run(["sh", "-c", "head -c 80000000 /dev/zero > much"])
    assert failure.value.why is Why.NO_SPACE
    assert [path.name for path in small_disk.iterdir()] == ["other"]


def test_a_disk_that_fills_under_the_server(small_disk: Path) -> None:
    with create(small_disk, disk=96 * MIB) as scratch:
        filler = small_disk / "other"
        filler.write_bytes(bytes(70 * MIB))
        with pytest.raises(Failed) as failure:
            Server.new(scratch, None).start()
    assert failure.value.why is Why.NO_SPACE


def test_a_path_that_is_too_long_for_sockets(scratch_parent: Path) -> None:
    fits = scratch_parent / ("x" * (LONGEST_PATH - len(str(scratch_parent)) - 1))
    fits.mkdir()
    with create(fits, disk=1024 * MIB) as scratch:
        server = Server.new(scratch, None)
        server.start()
        server.stop()
    longer = fits.with_name(fits.name + "x")
    longer.mkdir()
    with pytest.raises(Failed, match="too long for sockets"), create(longer):
        pass


def test_two_at_once(scratch_parent: Path) -> None:
    with create(scratch_parent, disk=500 * MIB) as one, create(scratch_parent, disk=500 * MIB) as other:
        servers = [Server.new(scratch, None) for scratch in (one, other)]
        for server in servers:
            server.start()
        servers[0].create_database("only_here")
        assert "only_here" in servers[0].databases()
        assert "only_here" not in servers[1].databases()
        for server in servers:
            server.stop()
        paths = [one.path, other.path]
    assert all(gone(path) for path in paths)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_when_we_are_ended(scratch_parent: Path, number: signal.Signals) -> None:
    ours = subprocess.Popen(
        [sys.executable, "-c", RUNS_A_SERVER, str(scratch_parent)], stdout=subprocess.PIPE, text=True
    )
    assert ours.stdout is not None
    path = Path(ours.stdout.readline().strip())
    assert path.is_relative_to(scratch_parent)
    assert len(processes_of(path)) > 3
    mine = shared_by(processes_of(path))
    assert any(name.startswith("PostgreSQL.") for name in mine)
    assert mine <= shared_memory()
    ours.send_signal(number)
    ours.wait(20)
    ours.stdout.close()
    wait_until(lambda: gone(path), 20, "all is gone")
    assert not mine & shared_memory()
    assert list(scratch_parent.iterdir()) == []


def test_a_link_is_never_followed_to_give_a_file_away(scratch: Scratch, tmp_path: Path) -> None:
    foreign = tmp_path / "key"
    foreign.touch()
    owner = foreign.stat().st_uid
    folder = scratch.folder("restored")
    (folder / "server.key").symlink_to(foreign)
    scratch.give(folder)
    assert foreign.stat().st_uid == owner
