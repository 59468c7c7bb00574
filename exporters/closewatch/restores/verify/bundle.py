"""Is the bundle of infrastructure code complete, and is the code in it valid? Git and OpenTofu or Terraform say so.

`git bundle verify` looks at the bundle's head alone: whether what it builds on is there. The clone reads all of it, and
`git fsck` its objects. The code is validated without a network: where it needs providers or modules that would have to
be downloaded, that is said, and only its syntax was looked at. Nothing of the repository's is run: no hook, no filter.

Source: git-bundle(1), git-fsck(1); https://opentofu.org/docs/cli/commands/validate/ (format 1.0).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from closewatch.restores.why import Failed, Why

if TYPE_CHECKING:
    from closewatch.restores.scratch import Scratch

FOLDER = "infrastructure"
MOST = 200
"""Folders with code that are validated."""
TOOLS = ("tofu", "terraform")
_SAFE = ("-c", "core.hooksPath=/dev/null", "-c", "protocol.allow=never", "-c", "protocol.file.allow=always")
_LATER = ("missing required provider", "module not installed", "required plugins are not installed")
"""Diagnostics that `init` would take away, by their begin: something has to be downloaded."""
_MISSING_PARTS = b"lacks these prerequisite"


@dataclass(frozen=True, slots=True)
class Bundled:
    """`refs` are branches and tags. `tool` validates, None where there is none, or no code; counts are of folders."""

    refs: int
    tool: str | None = None
    validated: int = 0
    not_validated: int = 0
    why_not: str | None = None

    @property
    def payload(self) -> Mapping[str, Any]:
        """For the record."""
        return {
            "refs": self.refs,
            "tool": self.tool,
            "validated": self.validated,
            "not_validated": self.not_validated,
            "why_not_validated": self.why_not,
        }


def check(bundle: Path, scratch: Scratch) -> Bundled:
    """Raises Failed(infrastructure)."""
    if not bundle.is_file():
        raise Failed(Why.INFRASTRUCTURE, "the bundle is not there, or is no file")
    if shutil.which("git") is None:
        raise Failed(Why.TOOL_FAILED, "git is not installed here")
    folder = scratch.folder(FOLDER)
    try:
        bundle = scratch.near(bundle, folder / "bundle")
        empty, clone = folder / "empty", folder / "clone"
        _git(scratch, folder, "init", "--quiet", "--bare", "--template=", str(empty))
        _verify(bundle, empty, scratch)
        if _git(
            scratch, folder, "clone", "--quiet", "--no-checkout", "--template=", "--", str(bundle), str(clone)
        ).code:
            raise Failed(Why.INFRASTRUCTURE, "the bundle can't be cloned: cut short or damaged")
        if _git(scratch, clone, "fsck", "--full", "--no-dangling", "--no-progress").code:
            raise Failed(Why.INFRASTRUCTURE, "objects in the bundle are damaged or missing")
        listed = _git(scratch, clone, "for-each-ref", "--format=%(refname)", "refs/remotes", "refs/tags").out
        refs = [line for line in listed.decode("utf-8", "replace").splitlines() if not line.endswith("/HEAD")]
        if not refs:
            raise Failed(Why.INFRASTRUCTURE, "there is no branch and no tag in the bundle")
        # A bundle need not say which of its branches is checked out.
        headless = _git(scratch, clone, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").code
        if _git(scratch, clone, "checkout", "--quiet", "--detach", refs[0] if headless else "HEAD", "--").code:
            raise Failed(Why.INFRASTRUCTURE, "the files of the bundle's branch can't be written")
        return _validate(clone, folder, len(refs), scratch)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _verify(bundle: Path, empty: Path, scratch: Scratch) -> None:
    verified = _git(scratch, empty, "bundle", "verify", str(bundle))
    if verified.code and _MISSING_PARTS in verified.err:
        raise Failed(Why.INFRASTRUCTURE, "the bundle builds on commits that are not in it: it can't be used alone")
    if verified.code:
        raise Failed(Why.INFRASTRUCTURE, "git bundle verify refuses it: damaged, or no bundle")


def _git(scratch: Scratch, folder: Path, *arguments: str) -> Any:
    """Run git without anybody's configuration."""
    environment = {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
        "LC_ALL": "C",
    }
    return scratch.run(["git", "-C", str(folder), *_SAFE, *arguments], env=environment)


def _validate(clone: Path, folder: Path, refs: int, scratch: Scratch) -> Bundled:
    places = _places(clone)
    if not places:
        return Bundled(refs, why_not="there is no code of OpenTofu or Terraform in it")
    tool = next((name for name in TOOLS if shutil.which(name)), None)
    if tool is None:
        return Bundled(refs, not_validated=len(places), why_not="neither tofu nor terraform is installed here")
    validated = later = 0
    environment = {
        "CHECKPOINT_DISABLE": "1",
        "TF_DATA_DIR": str(folder / "data"),
        "TF_CLI_CONFIG_FILE": "/dev/null",
        "TF_IN_AUTOMATION": "1",
    }
    for place in places[:MOST]:
        command = [tool, f"-chdir={place}", "validate", "-json", "-no-color"]
        said = verdict(scratch.run(command, env=environment).out)
        if said is False:
            raise Failed(Why.INFRASTRUCTURE, f"{tool} validate finds errors in the code")
        validated += said is True
        later += said is None
    left = later + max(0, len(places) - MOST)
    why = "it needs providers or modules that are not in the bundle: only its syntax was looked at" if later else None
    return Bundled(refs, tool, validated, left, why or (f"more than {MOST} folders" if left else None))


def _places(clone: Path) -> list[Path]:
    """Folders with code."""
    found = []
    for folder, below, files in os.walk(clone):
        below[:] = sorted(name for name in below if name not in {".git", ".terraform"})
        if any(name.endswith((".tf", ".tf.json", ".tofu")) for name in files):
            found.append(Path(folder))
    return found


def verdict(output: bytes) -> bool | None:
    """What `validate -json` says: valid or not; None where it would need a download. Raises Failed."""
    try:
        said = json.loads(output)
        if said["valid"]:
            return True
        errors = [str(one["summary"]).lower() for one in said["diagnostics"] if one["severity"] == "error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Failed(Why.TOOL_FAILED, "the answer of validate has another form than is known") from None
    return None if errors and all(error.startswith(_LATER) for error in errors) else False
