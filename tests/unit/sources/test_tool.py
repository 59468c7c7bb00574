"""Running another program: its end, its output, and nothing of ours in it. The programs are real ones."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Unavailable
from closewatch.core.secrets import remember
from closewatch.sources import program, tool

PYTHON = sys.executable


def python(code: str, seconds: float = 20.0, **more: object) -> tool.Ran:
    return tool.run([PYTHON, "-I", "-c", code], Deadline.after(seconds), **more)  # type: ignore[arg-type]


def reason(code: str, seconds: float = 20.0, **more: object) -> str:
    with pytest.raises(Unavailable) as failure:
        python(code, seconds, **more)
    return failure.value.reason


def alive(pid: int) -> bool:
    """Whether a process lives; one that is dead and not yet reaped doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def gone(pid: int) -> bool:
    until = time.monotonic() + 10
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not alive(pid)


def test_output_and_exit_code():
    ran = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert (ran.code, ran.out, ran.err) == (3, b"out\n", b"err\n")


def test_json_and_nonsense():
    assert python("print('[1, 2]')").json() == [1, 2]
    for nonsense in ("", "ERROR: [1]", "[" * 100_000, "\\xff"):
        with pytest.raises(Unavailable) as failure:
            python(f"print({nonsense!r})").json()
        assert failure.value.reason == "invalid_answer"


def test_what_is_not_there(tmp_path: Path):
    (tmp_path / "noprogram").write_text("x")
    for name in ("no-such-program-at-all", str(tmp_path / "noprogram"), str(tmp_path)):
        with pytest.raises(Unavailable) as failure:
            tool.run([name], Deadline.after(5))
        assert failure.value.reason == "not_found"
    (tmp_path / "noprogram").chmod(0o755)
    os.truncate(tmp_path / "noprogram", 0)
    (tmp_path / "noprogram").write_bytes(b"\x7fELF nonsense")
    with pytest.raises(Unavailable) as failure:
        tool.run([str(tmp_path / "noprogram")], Deadline.after(5))
    assert failure.value.reason == "not_found"


def test_a_hung_program_and_all_that_it_started_are_ended(tmp_path: Path):
    code = f"""
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({str(tmp_path / "pids")!r}, "w").write(f"{{os.getpid()}} {{child.pid}}")
time.sleep(600)
"""
    assert reason(code, 2.0) == "timeout"
    assert all(gone(int(pid)) for pid in (tmp_path / "pids").read_text().split())


def test_what_it_leaves_running_does_not_hold_us_up(tmp_path: Path):
    code = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({str(tmp_path / "pid")!r}, "w").write(str(child.pid))
print("done")
"""
    assert python(code).out == b"done\n"
    assert gone(int((tmp_path / "pid").read_text()))


def test_output_without_end():
    assert reason("while True: print('x' * 1000)", limit=100_000) == "invalid_answer"
    assert reason("import sys\nwhile True: sys.stderr.write('x' * 1000)", 2.0) == "timeout"


def test_many_complaints_are_cut_and_block_nobody():
    ran = python("import sys; sys.stderr.write('x' * 3_000_000); print('done')")
    assert ran.out == b"done\n"
    assert len(ran.err) == program.ERRORS


def test_it_inherits_next_to_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PGPASSWORD", "from-the-environment")
    monkeypatch.setenv("PGBACKREST_STANZA", "other")
    ran = python("import os, sys; print(sorted(os.environ)); print(sys.stdin.read() == '')", environment={"GIVEN": "1"})
    assert b"PGPASSWORD" not in ran.out
    assert b"PGBACKREST" not in ran.out
    assert b"GIVEN" in ran.out
    assert ran.out.endswith(b"True\n")


def test_it_has_a_low_priority_and_a_session_of_its_own():
    ran = python("import os, time; time.sleep(0.5); print(os.getpriority(os.PRIO_PROCESS, 0), os.getsid(0))")
    priority, session = ran.out.split()
    assert int(priority) >= program.NICE
    assert int(session) != os.getsid(0)


def test_a_secret_in_the_arguments_is_refused():
    remember("never-in-an-argument-7")
    with pytest.raises(ValueError, match="a secret in the arguments"):
        tool.run(["echo", "--password=never-in-an-argument-7"], Deadline.after(5))


def test_what_can_not_be_ended_is_not_started_again(monkeypatch: pytest.MonkeyPatch):
    """As a program that sudo made another user's."""
    command = [PYTHON, "-I", "-c", "import time; time.sleep(600)"]
    monkeypatch.setattr(program.Program, "_signal", lambda program, number: None)
    for _ in range(2):
        with pytest.raises(Unavailable) as failure:
            tool.run(command, Deadline.after(1.0))
        assert failure.value.reason == "timeout"
    assert "earlier run" in str(failure.value)
    left = tool._left[tuple(command)]
    monkeypatch.undo()
    assert left.end()
    with pytest.raises(Unavailable, match="took too long"):
        tool.run(command, Deadline.after(1.0))
    assert tuple(command) not in tool._left


def test_killed_by_a_signal():
    assert python("import os; os.kill(os.getpid(), 9)").code == -9
