"""Git bundles of infrastructure code, by the real git, and Terraform where it is there."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from closewatch.restores.scratch import Scratch
from closewatch.restores.verify.bundle import Bundled, check, verdict
from closewatch.restores.why import Failed, Why

VALID = 'variable "x" { type = string }\nresource "terraform_data" "y" { input = var.x }\n'


class Repository:
    """A repository, and bundles of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "repository"
        self.folder.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> None:
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        options = ["-c", "user.name=x", "-c", "user.email=x@example.net", "-c", "commit.gpgsign=false"]
        subprocess.run(
            ["git", *options, *words], cwd=self.folder, env=environment, check=True, capture_output=True, timeout=30
        )

    def commit(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-qm", name)

    def bundle(self, *what: str) -> Path:
        path = self.folder.parent / "code.bundle"
        self.git("bundle", "create", str(path), *(what or ("--all",)))
        return path


@pytest.fixture
def repository(tmp_path: Path, program: Callable[..., Path]) -> Repository:
    program("git")
    made = Repository(tmp_path)
    made.commit("main.tf", VALID)
    made.commit("README.md", "code " * 3000)
    return made


def refused(bundle: Path, scratch: Scratch) -> str:
    with pytest.raises(Failed) as failed:
        check(bundle, scratch)
    assert failed.value.why is Why.INFRASTRUCTURE
    return failed.value.detail


def test_a_whole_one(repository: Repository, scratch: Scratch) -> None:
    repository.git("tag", "v1")
    found = check(repository.bundle(), scratch)
    assert found.refs == 2
    if shutil.which("tofu") or shutil.which("terraform"):
        assert (found.validated, found.not_validated) == (1, 0)
    else:
        assert (found.validated, found.not_validated) == (0, 1)
    assert not list(scratch.path.rglob("*.tf"))


def test_a_branch_alone(repository: Repository, scratch: Scratch) -> None:
    """Such a bundle doesn't say what is checked out."""
    assert check(repository.bundle("main"), scratch).refs == 1


@pytest.mark.parametrize("share", [0.05, 0.5, 0.98])
def test_one_that_was_cut_short(repository: Repository, scratch: Scratch, share: float) -> None:
    bundle = repository.bundle()
    data = bundle.read_bytes()
    bundle.write_bytes(data[: int(len(data) * share)])
    assert refused(bundle, scratch)


def test_a_byte_that_flipped(repository: Repository, scratch: Scratch) -> None:
    bundle = repository.bundle()
    data = bytearray(bundle.read_bytes())
    data[-40] ^= 0x20
    bundle.write_bytes(data)
    assert refused(bundle, scratch) == "the bundle can't be cloned: cut short or damaged"


def test_one_that_builds_on_another(repository: Repository, scratch: Scratch) -> None:
    repository.commit("more.tf", "# more\n")
    assert "can't be used alone" in refused(repository.bundle("HEAD~1..main"), scratch)


def test_no_bundle(tmp_path: Path, scratch: Scratch) -> None:
    (tmp_path / "x").write_text("x")
    assert refused(tmp_path / "x", scratch)
    assert "not there" in refused(tmp_path / "y", scratch)


def test_hooks_and_links_of_the_repository_do_nothing(repository: Repository, scratch: Scratch, tmp_path: Path) -> None:
    repository.commit(".gitattributes", "*.tf filter=evil\n")
    (repository.folder / "link").symlink_to("/etc")
    repository.commit("link2", "x")
    assert check(repository.bundle(), scratch).refs == 1


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('resource "x" {', False),
        ('output "x" { value = var.nope }', False),
        ('resource "aws_s3_bucket" "x" { bucket = "y" }', None),
        ('module "m" { source = "registry.example.net/m/m/m" }', None),
    ],
)
def test_code_that_is_not_valid(
    repository: Repository, scratch: Scratch, program: Callable[..., Path], text: str, valid: bool | None
) -> None:
    if not (shutil.which("tofu") or shutil.which("terraform")):
        pytest.skip("neither tofu nor terraform is on PATH")
    repository.commit("below/main.tf", text)
    if valid is None:
        found = check(repository.bundle(), scratch)
        assert (found.validated, found.not_validated) == (1, 1)
        assert found.why_not is not None
    else:
        assert "finds errors" in refused(repository.bundle(), scratch)


def test_without_code(repository: Repository, scratch: Scratch) -> None:
    repository.git("rm", "-q", "main.tf")
    repository.git("commit", "-qm", "none")
    assert check(repository.bundle(), scratch) == Bundled(1, why_not="there is no code of OpenTofu or Terraform in it")


def test_an_answer_of_another_form() -> None:
    for output in (b"", b"[]", b'{"valid": false}', b'{"valid": false, "diagnostics": [1]}'):
        with pytest.raises(Failed) as failed:
            verdict(output)
        assert failed.value.why is Why.TOOL_FAILED
