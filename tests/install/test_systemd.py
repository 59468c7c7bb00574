"""The units for systemd: taken by systemd itself where it is here, and started as the program wants to be started."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from closewatch.cli import main as command_line
from closewatch.work import GRACE

ROOT = Path(__file__).resolve().parents[2]
UNITS = ROOT / "systemd"
ALONE, INSTANCE, WORK = "closewatch.service", "closewatch@.service", "closewatch-work.service"
RECEIVE = "closewatch-receive.service"
OWN = {"ExecStart", "ExecReload", "Environment", "EnvironmentFile", "LoadCredential", "User"}
"""What each unit has of its own."""
WORST = 20
"""Tenths of systemd's exposure level, from 0 (safe) to 100."""
SYSTEMD = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not on PATH")


def settings(name: str, section: str = "Service") -> list[tuple[str, str]]:
    """(key, value) of a section in order; a key may be there twice."""
    text = (UNITS / name).read_text("utf-8").split(f"[{section}]\n")[1].split("\n[")[0]
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(key, value) for key, value in (line.split("=", 1) for line in lines)]


def value(name: str, key: str) -> str:
    """The value of a key that is there once."""
    [found] = [value for each, value in settings(name) if each == key]
    return found


@pytest.mark.parametrize("name", [ALONE, INSTANCE])
def test_it_starts_the_program_as_the_program_wants(name: str) -> None:
    text = value(name, "ExecStart").replace("${LISTEN}", "127.0.0.1:10188").replace("$OPTIONS", "--log-level=debug")
    program, serve, *arguments = shlex.split(text.replace("%i", "backups"))
    command = typer.main.get_command(command_line).commands[serve]  # type: ignore[attr-defined]

    given = command.make_context(serve, arguments).params

    assert program == "/opt/closewatch/bin/closewatch"
    assert str(given["config"]) == f"/etc/closewatch/{'backups' if name == INSTANCE else 'closewatch'}.yml"
    assert (given["listen"], given["log_level"]) == ("127.0.0.1:10188", "debug")


def test_without_more_it_listens_on_loopback() -> None:
    assert value(ALONE, "Environment") == "LISTEN=127.0.0.1:10187 OPTIONS="
    assert value(ALONE, "EnvironmentFile") == "-/etc/closewatch/closewatch.env"
    assert value(INSTANCE, "EnvironmentFile") == "/etc/closewatch/%i.env"  # no two instances have the same port


def test_both_units_are_equally_closed() -> None:
    own = {"ExecStart", "Environment", "EnvironmentFile", "LoadCredential", "User"}
    alone, instance = ([pair for pair in settings(name) if pair[0] not in own] for name in (ALONE, INSTANCE))

    assert alone == instance
    closed = {
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("CapabilityBoundingSet", ""),
        ("DynamicUser", "yes"),
    }
    assert closed <= set(alone)


def test_instances_dont_share_a_user() -> None:
    """Without a name of its own each would run as the user `closewatch`, and could read the others' passwords."""
    assert value(INSTANCE, "User") == "closewatch-%i"


def test_the_worker_starts_as_the_program_wants() -> None:
    program, work, *arguments = shlex.split(value(WORK, "ExecStart").replace("$OPTIONS", "--jobs=2"))
    command = typer.main.get_command(command_line).commands[work]  # type: ignore[attr-defined]

    given = command.make_context(work, arguments).params

    assert program == "/opt/closewatch/bin/closewatch"
    assert (str(given["config"]), given["once"], given["jobs"]) == ("/etc/closewatch/work.yml", None, 2)
    assert value(WORK, "Environment") == "TMPDIR=/var/tmp OPTIONS="


def test_the_worker_is_as_closed_as_the_others_but_for_what_a_restore_needs() -> None:
    """Each difference is named here, with its reason beside it in the unit."""
    alone, worker = ({pair for pair in settings(name) if pair[0] not in OWN} for name in (ALONE, WORK))

    assert alone - worker == {
        ("TimeoutStopSec", "30"),
        ("MemoryMax", "512M"),
        ("TasksMax", "512"),
        ("RemoveIPC", "yes"),
    }
    assert worker - alone == {
        ("KillMode", "mixed"),
        ("TimeoutStopSec", "120"),
        ("MemoryMax", "4G"),
        ("TasksMax", "2048"),
        ("CPUWeight", "20"),
        ("IOWeight", "20"),
        ("StateDirectory", "closewatch"),
        ("StateDirectoryMode", "0700"),
        ("SystemCallFilter", "@chown"),
    }
    assert int(value(WORK, "TimeoutStopSec")) > GRACE
    order = [text for key, text in settings(WORK) if key == "SystemCallFilter"]
    assert order == ["@system-service", "~@privileged", "@chown"]  # what comes later wins


def test_the_receiver_starts_as_the_program_wants() -> None:
    text = value(RECEIVE, "ExecStart").replace("${LISTEN}", "127.0.0.1:10199").replace("$OPTIONS", "--log-level=debug")
    program, receive, *arguments = shlex.split(text)
    command = typer.main.get_command(command_line).commands[receive]  # type: ignore[attr-defined]

    given = command.make_context(receive, arguments).params

    assert program == "/opt/closewatch/bin/closewatch"
    assert (given["listen"], given["log_level"]) == ("127.0.0.1:10199", "debug")
    default = command.make_context(receive, ["any.yml"]).params["listen"]
    assert value(RECEIVE, "Environment") == f"LISTEN={default} OPTIONS="


def test_the_receiver_means_what_the_worker_means() -> None:
    """Its check `told` reads the records of the receiver: of the same store, by the names of the same targets."""
    configured = [shlex.split(value(name, "ExecStart"))[2] for name in (WORK, RECEIVE)]

    assert configured == ["/etc/closewatch/work.yml"] * 2


def test_the_receiver_is_as_closed_as_the_others_but_for_the_records() -> None:
    alone, receiver = ({pair for pair in settings(name) if pair[0] not in OWN} for name in (ALONE, RECEIVE))

    assert alone - receiver == set()
    assert receiver - alone == {("StateDirectory", "closewatch"), ("StateDirectoryMode", "0700")}
    secrets = {value(name, "LoadCredential") for name in (ALONE, INSTANCE, WORK, RECEIVE)}
    assert len(secrets) == 4


def test_no_two_units_listen_on_the_same_port() -> None:
    guide = (ROOT / "docs/guides/install-hosts.md").read_text("utf-8")
    ports = [re.search(r":(\d+)", value(name, "Environment"))[1] for name in (ALONE, RECEIVE)]  # type: ignore[index]
    ports += re.findall(r"echo LISTEN=127\.0\.0\.1:(\d+) >/etc", guide)

    assert len(ports) == len(set(ports)) == 3


def test_who_opens_the_records_may_do_so() -> None:
    """As the same user, and in the same folder."""
    shared = {("StateDirectory", "closewatch"), ("StateDirectoryMode", "0700")}

    assert set(settings("records.conf")) == shared
    for name in (WORK, RECEIVE):
        assert shared <= set(settings(name))
        assert value(name, "User") == Path(ALONE).stem


def test_a_user_of_the_host_keeps_its_shared_memory() -> None:
    """RemoveIPC= takes what belongs to the user, also what a PostgreSQL server that systemd didn't start as it uses."""
    dropped_in = dict(settings("pgbackrest.conf"))

    assert dropped_in["DynamicUser"] == dropped_in["RemoveIPC"] == "no"
    assert "RemoveIPC" not in dict(settings(WORK))


def test_it_comes_back_but_not_for_ever() -> None:
    assert (value(ALONE, "Restart"), value(ALONE, "RestartSec")) == ("on-failure", "10")
    limits = dict(settings(ALONE, "Unit"))
    assert int(limits["StartLimitIntervalSec"]) > 10 * int(limits["StartLimitBurst"])
    assert value(ALONE, "ExecReload") == "/bin/kill -HUP $MAINPID"


def test_the_guide_names_passwords_as_systemd_does() -> None:
    """A folder FOLDER loaded as ID gives a file ID_NAME for each FILE."""
    named, folder = value(ALONE, "LoadCredential").split(":")
    guide = (ROOT / "docs/guides/install-hosts.md").read_text("utf-8")

    assert f"install -d -m 700 {folder}" in guide
    assert set(re.findall(r"/run/credentials/closewatch\.service/([a-z]+_)", guide)) == {f"{named}_"}


@SYSTEMD
@pytest.mark.parametrize("dropped_in", [False, True], ids=["as it is", "for pgBackRest"])
def test_systemd_takes_the_units(tmp_path: Path, dropped_in: bool) -> None:
    """The program is put where this machine has one, as systemd looks for it."""
    paths = []
    for name in (ALONE, INSTANCE, WORK, RECEIVE):
        text = (UNITS / name).read_text("utf-8")
        paths.append(tmp_path / name.replace("@.", "@backups."))
        paths[-1].write_text(text.replace("/opt/closewatch/bin/closewatch", sys.executable), encoding="utf-8")
    if dropped_in:
        for name in ("closewatch@backups.service", WORK, RECEIVE):
            folder = tmp_path / f"{name}.d"
            folder.mkdir()
            shutil.copy(UNITS / "pgbackrest.conf", folder)
            shutil.copy(UNITS / "records.conf", folder)

    done = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True, check=False)

    said = [line for line in (done.stdout + done.stderr).splitlines() if "closewatch" in line]
    assert (done.returncode, said) == (0, [])


@SYSTEMD
@pytest.mark.parametrize("name", [ALONE, INSTANCE, WORK, RECEIVE])
def test_systemd_calls_them_safe(name: str) -> None:
    options = subprocess.run(["systemd-analyze", "--help"], capture_output=True, text=True, check=True).stdout
    if "--offline" not in options:
        pytest.skip("this systemd can't judge a unit that isn't installed")

    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--threshold={WORST}", UNITS / name],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
