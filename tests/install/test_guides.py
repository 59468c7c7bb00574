"""The commands of the guides: each names a file that is there and an option that exists, so that they can be pasted."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
import typer.main
import yaml

from closewatch.cli import main as command_line

ROOT = Path(__file__).resolve().parents[2]
GUIDES = sorted((ROOT / "docs/guides").glob("install*.md"))
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]


def commands() -> list[tuple[str, list[str]]]:
    """(guide, words) of every command, continued lines joined, comments left out."""
    return [
        (guide.stem, words)
        for guide in GUIDES
        for block in BLOCK.findall(guide.read_text("utf-8"))
        for line in block.replace("\\\n", " ").splitlines()
        if (words := shlex.split(line, comments=True))
    ]


def test_there_are_commands_to_look_at() -> None:
    assert {guide for guide, _ in commands()} == {"install", "install-hosts", "install-kubernetes"}


@pytest.mark.parametrize(("guide", "words"), commands(), ids=lambda part: part if isinstance(part, str) else part[0])
def test_a_file_of_the_project_is_there(guide: str, words: list[str]) -> None:
    tops = {path.name for path in ROOT.iterdir() if path.is_dir()}
    for word in words:
        if not word.startswith("/") and word.split("/")[0] in tops and "/" in word:
            assert list(ROOT.glob(word)), word


@pytest.mark.parametrize(
    "words",
    [words for _, words in commands() if words[0].endswith("closewatch")],
    ids=lambda words: " ".join(words[1:]),
)
def test_the_program_takes_a_command(words: list[str]) -> None:
    group = typer.main.get_command(command_line)
    context = group.make_context("closewatch", words[1:], resilient_parsing=True)
    while isinstance(group, click.Group) and (rest := [*context.protected_args, *context.args]):
        name, command, rest = group.resolve_command(context, rest)
        assert command is not None
        context = command.make_context(name, list(rest), parent=context)
        group = command
    assert words[1] == "--version" or not isinstance(group, click.Group)


def test_extras_that_are_installed_exist() -> None:
    named = {
        extra
        for _, words in commands()
        for word in words
        if (found := re.fullmatch(r"(?:\.|closewatch)\[([a-z,]+)\]", word))
        for extra in found[1].split(",")
    }

    assert named
    assert named <= set(EXTRAS)


def test_the_commands_for_hosts_do_what_they_say(tmp_path: Path, promtool: Path, amtool: Path) -> None:
    """In order, below a folder in the place of /: all but those that need systemd, a package index or an editor."""
    left_out = ("systemctl ", "editor ", "curl ", "python3 -m venv", "rm -r", "/opt/closewatch/bin/pip")
    text = (ROOT / "docs/guides/install-hosts.md").read_text("utf-8")
    text = text.split("## Upgrade")[0].replace("\\\n", " ")
    lines = [line for block in BLOCK.findall(text) for line in block.splitlines() if not line.startswith(left_out)]
    script = "\n".join(line for line in lines if "--connect" not in line)
    script = script.replace("/opt/closewatch/bin/closewatch", f"{sys.executable} -m closewatch")
    script = re.sub(r"(?<=[ >])/(etc|var)/", rf"{tmp_path}/\1/", script)
    for folder in ("var/lib", "etc/prometheus", "etc/grafana/provisioning/datasources", "etc/systemd/system"):
        (tmp_path / folder).mkdir(parents=True)
    config = yaml.safe_load(re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1])  # type: ignore[index]
    config["rule_files"] = [f"{tmp_path}{path}" for path in config["rule_files"]]
    (tmp_path / "etc/prometheus/prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    path = f"{promtool.parent}:{amtool.parent}:{os.environ['PATH']}"

    done = subprocess.run(
        ["sh", "-eu"],
        input=script,
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert oct((tmp_path / "etc/closewatch/secrets").stat().st_mode)[-3:] == "700"
    assert "closewatch_mode: observe" in (tmp_path / "etc/prometheus/closewatch/postgresql.yml").read_text("utf-8")
    boards = sorted(path.name for path in (tmp_path / "var/lib/grafana/dashboards").iterdir())
    assert boards == sorted(path.name for path in (ROOT / "dashboards").glob("*.json"))
    source = tmp_path / "etc/grafana/provisioning/datasources/closewatch.yml"
    assert yaml.safe_load(source.read_text("utf-8"))["datasources"][0]["url"] == "http://127.0.0.1:9090"
