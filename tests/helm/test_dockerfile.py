"""The Dockerfile, as far as it can be checked without a container engine: the wheel is built from what it copies."""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import botocore.session
import pytest
import typer.main
from botocore.loaders import Loader

from closewatch.cli import main as command_line
from closewatch.kinds import KINDS
from tests.helm.chart import ROOT, by_library, container, find

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def instructions() -> list[tuple[str, str]]:
    """(instruction, arguments) in order, continued lines joined, comments left out."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)
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


def copied() -> list[str]:
    """What the first stage takes from the project."""
    return [source for word, rest in stages()[0] if word == "COPY" for source in rest.split()[:-1]]


def the_only(word: str) -> str:
    """The arguments of an instruction that the last stage has once."""
    [found] = [rest for each, rest in stages()[-1] if each == word]
    return found


def test_the_base_is_one_exact_version() -> None:
    [default] = [rest for word, rest in instructions() if word == "ARG"]

    assert [stage[0][1] for stage in stages()] == ["python:${PYTHON} AS build", "python:${PYTHON}"]
    assert re.fullmatch(r"PYTHON=3\.12\.\d+-slim-[a-z]+", default)


def test_everything_it_copies_is_there_and_gets_to_the_builder() -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if not line.startswith("#")]

    assert ignored[0] == "*"
    assert sorted(line[1:] for line in ignored if line.startswith("!")) == sorted(copied())
    assert [source for source in copied() if not (ROOT / source).exists()] == []


def test_the_wheel_is_made_of_what_it_copies(tmp_path: Path) -> None:
    source, dist = tmp_path / "source", tmp_path / "dist"
    source.mkdir()
    for name in copied():
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(dist)]

    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    [wheel] = dist.glob("closewatch-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    modules = [path for path in (ROOT / "exporters").rglob("*.py") if "__pycache__" not in path.parts]
    rules = [f"closewatch/_data/{path.relative_to(ROOT)}" for path in (ROOT / "alerting/rules").glob("*.yml")]
    assert {str(path.relative_to(ROOT / "exporters")) for path in modules} <= names
    assert set(rules) <= names


def test_it_installs_the_clients_of_all_concerns() -> None:
    [line] = [rest for word, rest in stages()[0] if word == "RUN" and "closewatch[" in rest]
    extras = re.findall(r"closewatch\[([a-z,]+)\]", line)

    assert extras == ["all"]
    assert "--only-binary :all:" in line
    [everything] = PROJECT["project"]["optional-dependencies"]["all"]
    assert set(KINDS) & set(PROJECT["project"]["optional-dependencies"]) <= {
        *re.findall(r"[a-z]+", everything),
        *(
            name
            for name, needs in PROJECT["project"]["optional-dependencies"].items()
            if needs == ["closewatch[postgresql]"]
        ),
    }


def test_a_client_for_s3_can_be_made_of_what_it_keeps(tmp_path: Path) -> None:
    """The `find` of the Dockerfile, tried on the descriptions that are installed here."""
    [line] = [rest for word, rest in stages()[0] if word == "RUN" and "botocore/data" in rest]
    kept = re.findall(r"! -name '?([a-z0-9*-]+)'?", line)
    data = Path(botocore.__file__).parent / "data"
    for path in data.iterdir():
        if path.is_file() or any(fnmatch.fnmatchcase(path.name, pattern) for pattern in kept):
            (tmp_path / path.name).symlink_to(path)
    loader = Loader(extra_search_paths=[str(tmp_path)], include_default_search_paths=False)
    session = botocore.session.Session()
    session.register_component("data_loader", loader)

    client = session.create_client("s3", region_name="eu-central-1")

    assert client.can_paginate("list_objects_v2")
    assert len(list(tmp_path.iterdir())) < 20 < len(list(data.iterdir()))
    client.close()


def test_it_lists_what_is_in_it() -> None:
    """A bill of materials by CycloneDX' own tool, from the environment that the image then has."""
    [line] = [rest for word, rest in stages()[0] if word == "RUN" and "cyclonedx-py" in rest]
    taken = [rest.split() for word, rest in stages()[-1] if word == "COPY"]

    assert re.search(r'"cyclonedx-bom>=\d+\.\d+,<\d+"', line)
    assert "--output-file /opt/closewatch/share/closewatch/sbom.cdx.json /opt/closewatch/bin/python" in line
    assert taken == [["--from=build", "/opt/closewatch", "/opt/closewatch"]]
    guide = (ROOT / "docs/guides/install-kubernetes.md").read_text("utf-8")
    assert "/opt/closewatch/share/closewatch/sbom.cdx.json" in guide


def test_it_starts_the_program_as_the_chart_does() -> None:
    [program] = json.loads(the_only("ENTRYPOINT"))
    serve, *arguments = json.loads(the_only("CMD"))
    command = typer.main.get_command(command_line).commands[serve]  # type: ignore[attr-defined]

    given = command.make_context(serve, arguments).params

    assert PROJECT["project"]["scripts"][program] == "closewatch.cli:main"
    assert (str(given["config"]), given["listen"]) == ("/etc/closewatch/closewatch.yml", "0.0.0.0:10187")
    assert container(by_library({}))["args"][:2] == [serve, str(given["config"])]


def test_it_runs_as_the_user_of_the_chart() -> None:
    pod = find(by_library({}), "Deployment")["spec"]["template"]["spec"]["securityContext"]
    made = " ".join(rest for word, rest in stages()[-1] if word == "RUN")

    assert the_only("USER") == f"{pod['runAsUser']}:{pod['runAsGroup']}"
    assert f"--uid {pod['runAsUser']} --gid {pod['runAsGroup']}" in made
    assert the_only("EXPOSE") == str(container(by_library({}))["ports"][0]["containerPort"])


@pytest.mark.parametrize(
    "word", ["*PASSWORD*", "*SECRET*", "*TOKEN*", "*apt*", "*gcc*", "*curl*", "*latest*", "*COPY . *"]
)
def test_it_carries_no_secret_and_no_tools(word: str) -> None:
    found = [f"{name} {rest}" for name, rest in instructions()]

    assert [line for line in found if fnmatch.fnmatchcase(line, word)] == []
    assert [name for name, _ in stages()[-1]] == [
        "FROM",
        "LABEL",
        "RUN",
        "COPY",
        "ENV",
        "USER",
        "EXPOSE",
        "ENTRYPOINT",
        "CMD",
    ]
