"""The restore runner's Dockerfile, as far as it can be checked without a container engine."""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import subprocess
from typing import Any

import pytest
import typer.main

from closewatch.cli import main as command_line
from closewatch.restores.places import OriginSettings
from tests.helm import test_dockerfile
from tests.helm.chart import ROOT, VALUES, by_library, every, lane

FILE = ROOT / "Dockerfile.restore"
NEEDED = {"age", "barman", "git", "gpg", "lz4", "pgbackrest", "restic", "rsync", "ssh", "xz", "zstd"}
"""Programs that the origins and what belongs to them run, beside PostgreSQL's own."""
PACKAGES = {"gpg": "gnupg", "ssh": "openssh-client", "xz": "xz-utils"}
"""Debian's packages of another name than the program."""


def instructions() -> list[tuple[str, str]]:
    """(instruction, arguments) in order, continued lines joined, comments left out."""
    text = re.sub(r"^#.*\n", "", FILE.read_text("utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(word, rest) for word, rest in (line.split(maxsplit=1) for line in lines if line)]


def stages() -> list[list[tuple[str, str]]]:
    """The instructions of each stage, its FROM first."""
    found: list[list[tuple[str, str]]] = []
    for each in instructions():
        if each[0] == "FROM":
            found.append([])
        if found:
            found[-1].append(each)
    return found


def the_only(word: str) -> str:
    """The arguments of an instruction that the last stage has once."""
    [found] = [rest for each, rest in stages()[-1] if each == word]
    return found


def installed(stage: int) -> set[str]:
    """Debian's packages that a stage installs."""
    [line] = [rest for word, rest in stages()[stage] if word == "RUN" and "apt-get install" in rest]
    assert line.endswith("&& rm -r /var/lib/apt/lists/*")
    [packages] = re.findall(r"--no-install-recommends ([a-z0-9 -]+?) ?&&", line)
    return set(packages.split())


def restoring() -> list[Any]:
    """The containers of the restore tests in the chart."""
    jobs = every(by_library(VALUES["restores"]), "CronJob")
    return [each["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0] for each in jobs]


def test_the_base_is_one_exact_version_of_the_major_that_the_chart_takes() -> None:
    [default] = [rest for word, rest in instructions() if word == "ARG"]
    found = re.fullmatch(r"POSTGRES=(\d+)\.\d+-bookworm", default)

    assert found
    assert [stage[0][1] for stage in stages()] == ["postgres:${POSTGRES} AS build", "postgres:${POSTGRES}"]
    schema_default = {each["image"] for each in restoring()}
    assert f"closewatch-restore:0.1.0-pg{found[1]}" in schema_default


def test_it_copies_what_the_other_image_is_made_of() -> None:
    """So the same .dockerignore serves, and the wheel is the same; see the other file's tests of both."""
    mine = [source for word, rest in stages()[0] if word == "COPY" for source in rest.split()[:-1]]

    assert mine == test_dockerfile.copied()
    assert [rest.split() for word, rest in stages()[-1] if word == "COPY"] == [
        ["--from=build", "/opt/closewatch", "/opt/closewatch"]
    ]


def test_it_has_the_programs_of_every_origin_and_no_more() -> None:
    tools = {name for name in OriginSettings.model_fields if name in {"pgbackrest", "barman", "restic"}}
    support = {"ca-certificates", "python3", "tzdata"}

    assert tools <= NEEDED
    assert installed(-1) == {PACKAGES.get(name, name) for name in NEEDED} | support
    assert installed(0) == {"python3-pip", "python3-venv"}


@pytest.mark.parametrize("program", sorted(NEEDED - {"rsync", "ssh"}))
def test_a_program_that_is_installed_is_run(program: str) -> None:
    """By name, in the modules of restores or backups. The two others are run by Barman and pgBackRest."""
    folders = [ROOT / "exporters/closewatch" / name for name in ("restores", "backups")]
    texts = [path.read_text("utf-8") for folder in folders for path in folder.rglob("*.py")]

    assert any(re.search(rf'"{program}( -[a-z]+)?"', text) for text in texts)


def test_debian_has_the_packages() -> None:
    if not shutil.which("apt-cache"):
        pytest.skip("apt-cache is not on PATH")
    wanted = sorted(installed(-1) | installed(0))

    done = subprocess.run(["apt-cache", "show", "--no-all-versions", *wanted], capture_output=True, text=True)  # noqa: PLW1510

    known = set(re.findall(r"^Package: (.+)$", done.stdout, re.MULTILINE))
    if not known & {"age", "restic", "pgbackrest"}:
        pytest.skip("apt-cache has no lists here")
    assert set(wanted) <= known


def test_it_installs_the_clients_of_all_concerns_from_wheels() -> None:
    """All: the file of the configuration may name targets of any kind."""
    lines = [rest for word, rest in stages()[0] if word == "RUN" and "pip" in rest and " install " in rest]
    pip = [line for line in lines if "/opt/build/bin/pip" in line]

    assert re.findall(r"closewatch\[([a-z,]+)\]", " ".join(pip)) == ["all"]
    assert all("--only-binary :all:" in line for line in pip)


def test_it_lists_what_is_in_it() -> None:
    [line] = [rest for word, rest in stages()[0] if word == "RUN" and "cyclonedx-py" in rest]

    assert "--output-file /opt/closewatch/share/closewatch/sbom.cdx.json /opt/closewatch/bin/python" in line


def test_it_runs_as_the_user_of_the_chart_and_ends_as_it_is_told() -> None:
    made = " ".join(rest for word, rest in stages()[-1] if word == "RUN")
    for pod in lane(by_library(VALUES["restores"])):
        security = pod["spec"]["securityContext"]
        assert the_only("USER") == f"{security['runAsUser']}:{security['runAsGroup']}"
        assert f"--uid {security['runAsUser']} --gid {security['runAsGroup']}" in made
    assert the_only("STOPSIGNAL") == "SIGTERM"


def test_it_starts_the_program_as_the_program_wants() -> None:
    """Not the base's entrypoint, which makes a cluster."""
    assert json.loads(the_only("ENTRYPOINT")) == ["closewatch"]
    name, *arguments = json.loads(the_only("CMD"))
    command = typer.main.get_command(command_line).commands[name]  # type: ignore[attr-defined]

    given = command.make_context(name, arguments).params

    assert str(given["config"]) == "/etc/closewatch/closewatch.yml"
    assert all(each["args"][:2] == [name, str(given["config"])] for each in restoring())


@pytest.mark.parametrize("word", ["*PASSWORD*", "*SECRET*", "*TOKEN*", "*gcc*", "*curl*", "*latest*", "*COPY . *"])
def test_it_carries_no_secret_and_nothing_that_is_not_named(word: str) -> None:
    found = [f"{name} {rest}" for name, rest in instructions()]

    assert [line for line in found if fnmatch.fnmatchcase(line, word)] == []


def test_the_guides_say_how_it_is_built_and_that_it_was_not_built_here() -> None:
    guide = (ROOT / "docs/guides/install-kubernetes.md").read_text("utf-8")
    [default] = [rest for word, rest in instructions() if word == "ARG"]

    assert f"--file Dockerfile.restore --build-arg {default}" in guide
    assert "not built by the project's tests" in guide
