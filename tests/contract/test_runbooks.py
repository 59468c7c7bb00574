"""The runbooks are in step with the rules; each check that says so is shown to notice, on a broken copy."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.contract.checks_runbooks import FOLDER, REASONS, blocks, check

ROOT = Path(__file__).resolve().parents[2]
NAME = "PostgresqlSlotLost"
BOOK = f"{FOLDER}/{NAME}.md"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the checks read."""
    shutil.copytree(ROOT / "alerting", tmp_path / "alerting", symlinks=True)
    (tmp_path / REASONS).parent.mkdir(parents=True)
    shutil.copy(ROOT / REASONS, tmp_path / REASONS)
    return tmp_path


def test_the_runbooks_are_in_step() -> None:
    assert check(ROOT) == []


def test_there_are_queries_and_commands_to_check() -> None:
    """Else the checks above would pass on nothing."""
    found = [block for path in (ROOT / FOLDER).glob("*.md") for block in blocks(path.read_text("utf-8"))]
    assert sum("query=" in block.text for block in found) > 30
    assert {block.kind.split()[0] for block in found} >= {"sh", "sql", "python"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("severity: [warning, critical]", "severity: [critical]", "severity is"),
        ("domain: recoverability", "domain: availability", "domain is"),
        ("audience: platform", "audience: service", "audience is"),
        ("layer: database", "layer: storage", "layer is"),
        ("alert: PostgresqlSlotLost", "alert: PostgresqlSlotGone", "the file's name"),
        ("owner: platform on-call\n", "owner: Jane\n", "a role is meant"),
        ("owner: platform on-call\n", "", "lacks ['owner']"),
        ("process: [invoicing", "process: [selling", "process is"),
        ("causes: [PostgresqlSlotRetainsWal", "causes: [PostgresqlSlotForgotten", "no other alert"),
        ("## Impact", "## Effect", "sections are"),
        ("# PostgresqlSlotLost", "# The slot is lost", "title"),
        ("Risk:", "Danger:", "risk"),
        ("Stop before", "Wait before", "when to stop"),
        ("```sql\n", "```SQL\n", "a block of 'SQL'"),
        ("query=closewatch", "query=sum by closewatch", "not PromQL"),
    ],
)
def test_what_is_wrong_is_said(tree: Path, old: str, new: str, said: str) -> None:
    book = tree / BOOK
    text = book.read_text(encoding="utf-8")
    assert old in text
    book.write_text(text.replace(old, new), encoding="utf-8")
    assert any(said in problem for problem in check(tree)), check(tree)


def test_a_reason_that_is_gone_from_the_code_is_noticed(tree: Path) -> None:
    file = tree / REASONS
    file.write_text(file.read_text(encoding="utf-8").replace('"no_primary"', '"primary_missing"'), encoding="utf-8")
    assert any("explains the reason no_primary" in problem for problem in check(tree))


def test_a_runbook_without_alert_and_an_alert_without_runbook_are_noticed(tree: Path) -> None:
    (tree / BOOK).rename(tree / FOLDER / "SlotLost.md")
    problems = check(tree)
    assert f"alert {NAME} has no runbook {BOOK}" in problems
    assert f"{FOLDER}/SlotLost.md belongs to no alert" in problems


@pytest.mark.parametrize("path", sorted((ROOT / FOLDER).glob("*.md")), ids=lambda path: path.stem)
def test_shell_commands_are_shell(path: Path) -> None:
    for block in blocks(path.read_text("utf-8"), path.name):
        if block.kind == "sh":
            said = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False)
            assert said.returncode == 0, f"{block.place}: {said.stderr}"
        if block.kind == "python":
            compile(block.text, block.place, "exec")


def test_nothing_of_a_real_host_or_person_is_in_them() -> None:
    """Addresses are examples; nobody's machine, nobody's name."""
    for path in (ROOT / FOLDER).glob("*.md"):
        text = path.read_text("utf-8")
        assert not re.search(r"/(home|root|work|tmp)/|@\w+\.\w+", text), path
