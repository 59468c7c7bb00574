"""Files that age and GnuPG encrypted, and a bundle that git wrote, as a folder with backups has them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.servers import missing
from tests.fixtures.watch import Watched
from tests.server.backups.conftest import aged

pytestmark = pytest.mark.server
Watching = Callable[..., Watched]
PLAIN = b"-- PostgreSQL database dump\n" * 500


def run(config: pytest.Config, *command: str, given: bytes = b"", cwd: Path | None = None) -> bytes:
    if shutil.which(command[0]) is None:
        missing(config, f"{command[0]} is not at hand")
    done = subprocess.run(command, input=given, capture_output=True, timeout=60, check=False, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("armour", [[], ["--armor"]], ids=["binary", "text"])
@pytest.mark.parametrize("tool", ["age", "gpg"])
def test_encrypted_files(pytestconfig, tmp_path: Path, folder_target, watching: Watching, tool: str, armour: list[str]):
    if tool == "age":
        key = run(pytestconfig, "age-keygen").decode()
        recipient = next(line.rpartition(" ")[2] for line in key.splitlines() if "public key:" in line)
        data = run(pytestconfig, "age", *armour, "-r", recipient, given=PLAIN)
    else:
        (tmp_path / "gnupg").mkdir(mode=0o700)
        (tmp_path / "passphrase").write_text("the-passphrase-of-nobody")
        options = ["--homedir", str(tmp_path / "gnupg"), "--batch", "--pinentry-mode", "loopback", *armour]
        options += ["--passphrase-file", str(tmp_path / "passphrase"), "--symmetric", "--output", "-"]
        data = run(pytestconfig, "gpg", *options, given=PLAIN)
        run(pytestconfig, "gpgconf", "--homedir", str(tmp_path / "gnupg"), "--kill", "all")
    file = tmp_path / "backups" / "acme.dump.enc"
    file.write_bytes(data)
    aged(file, 7200)
    facts = watching(folder_target()).ask("acme")
    assert facts.one("backup_encrypted") == 1
    assert facts.one("backup_kept", type="opaque") == 1
    assert facts.one("backup_completeness_known", type="opaque") == 0


def test_a_bundle(pytestconfig, tmp_path: Path, folder_target: Callable[..., dict[str, Any]], watching: Watching):
    work = tmp_path / "work"
    run(pytestconfig, "git", "init", "-q", str(work))
    (work / "file").write_text("content")
    identity = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.net")
    run(pytestconfig, "git", "add", "file", cwd=work)
    run(pytestconfig, "git", *identity, "commit", "-q", "-m", "one", cwd=work)
    file = tmp_path / "backups" / "addons.bundle"
    run(pytestconfig, "git", "bundle", "create", "-q", str(file), "HEAD", cwd=work)
    aged(file, 7200)
    facts = watching(folder_target()).ask("acme")
    assert facts.one("backup_kept", type="bundle") == 1
    assert facts.all("backup_encrypted") == []
    whole = file.read_bytes()
    file.write_bytes(whole[: whole.index(b"PACK") + 2])
    aged(file, 7200)
    assert watching(folder_target()).ask("acme").labels("backup_last_failure_timestamp_seconds", "reason") == [
        "truncated"
    ]
