"""Archives of secrets, by the real programs: right and wrong keys, damage; nothing of the content is kept."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from closewatch.restores.scratch import Scratch
from closewatch.restores.verify.secrets import Decrypted, Key, Tool, check, command, environment
from closewatch.restores.why import Failed, Why
from tests.server.restores.logical.conftest import MINE

SECRET = b"hunter2-never-to-be-seen" * 1000


def tarball(mode: str = "w:gz", cut: int | None = None) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:  # type: ignore[call-overload]
        for number in range(5):
            info = tarfile.TarInfo(f"etc/secret-{number}")
            info.size = len(SECRET)
            archive.addfile(info, io.BytesIO(SECRET))
    return made.getvalue()[:cut]


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:{MINE}")


class Age:
    """Keys and archives of age."""

    def __init__(self, folder: Path, generate: Path) -> None:
        self.folder = folder
        self.public = {}
        for name in ("ours", "other"):
            subprocess.run([generate, "-o", folder / name], check=True, capture_output=True, timeout=30)
            self.public[name] = (folder / name).read_text().split("public key: ")[1].split()[0]

    def encrypt(self, data: bytes) -> Path:
        path = self.folder / "secrets.tar.gz.age"
        words = ["age", "-r", self.public["ours"], "-o", str(path)]
        subprocess.run(words, input=data, check=True, capture_output=True, timeout=30)
        return path


@pytest.fixture
def age(tmp_path: Path, program: Callable[..., Path]) -> Age:
    program("age")
    return Age(tmp_path, program("age-keygen"))


class Gpg:
    """A key of GPG, exported, and what is encrypted for it; its passphrase lies in a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "passphrase").write_text("a passphrase")
        for name in ("ours", "other"):
            (folder / f"home-{name}").mkdir(mode=0o700)
            self._gpg(name, "--quick-generate-key", f"{name}@example.net", "default", "default", "never")
            exported = self._gpg(name, "--armor", "--export-secret-keys")
            (folder / name).write_bytes(exported)

    def _gpg(self, name: str, *words: str, data: bytes = b"") -> bytes:
        command = [
            "gpg",
            "--homedir",
            self.folder / f"home-{name}",
            "--batch",
            "--no-tty",
            "--pinentry-mode",
            "loopback",
        ]
        command += ["--passphrase-file", self.folder / "passphrase", *words]
        return subprocess.run(command, input=data, check=True, capture_output=True, timeout=60).stdout

    def encrypt(self, data: bytes) -> Path:
        path = self.folder / "secrets.tar.gpg"
        path.write_bytes(self._gpg("ours", "--trust-model", "always", "--encrypt", "-r", "ours@example.net", data=data))
        return path

    def close(self) -> None:
        for name in ("ours", "other"):
            subprocess.run(
                ["gpgconf", "--homedir", self.folder / f"home-{name}", "--kill", "all"], timeout=30, check=False
            )


@pytest.fixture
def gpg(open_to_all: Path, program: Callable[..., Path]) -> object:
    program("gpg", optional=True)  # none of the servers that `make test` installs
    made = Gpg(open_to_all)
    yield made
    made.close()


def agents() -> int:
    words = ["pgrep", "-fc", "gpg-agent.*closewatch-restore"]
    return int(subprocess.run(words, check=False, capture_output=True, text=True, timeout=30).stdout)


def keeps_nothing(scratch: Scratch) -> bool:
    return not any(SECRET[:24] in path.read_bytes() for path in scratch.path.rglob("*") if path.is_file())


def test_age(age: Age, scratch: Scratch) -> None:
    found = check(age.encrypt(tarball()), Key("age", age.folder / "ours"), scratch)
    assert found == Decrypted("age", len(tarball()), 5)
    assert check(age.encrypt(b"just a text"), Key("age", age.folder / "ours"), scratch).members is None
    found = check(age.encrypt(gzip.compress(b"A=1\n", mtime=0)), Key("age", age.folder / "ours"), scratch)
    assert found.members is None
    assert keeps_nothing(scratch)


def refused(archive: Path, key: Key, scratch: Scratch) -> str:
    with pytest.raises(Failed) as failed:
        check(archive, key, scratch)
    assert failed.value.why is Why.SECRETS
    assert keeps_nothing(scratch)
    return failed.value.detail


def test_age_that_fails(age: Age, scratch: Scratch) -> None:
    archive = age.encrypt(tarball())
    assert refused(archive, Key("age", age.folder / "other"), scratch) == "age can't decrypt it with this key"
    whole = archive.read_bytes()
    for harm in (whole[:-50], whole[:-1] + bytes([whole[-1] ^ 1]), b"not encrypted"):
        archive.write_bytes(harm)
        assert "refuses it" in refused(archive, Key("age", age.folder / "ours"), scratch)
    for inside in (tarball(cut=-300), tarball("w", cut=30_000)):
        assert "archive in it" in refused(age.encrypt(inside), Key("age", age.folder / "ours"), scratch)
    assert "to nothing" in refused(age.encrypt(b""), Key("age", age.folder / "ours"), scratch)
    assert "key is not there" in refused(archive, Key("age", age.folder / "none"), scratch)


def test_gpg(gpg: Gpg, scratch: Scratch) -> None:
    key = Key("gpg", gpg.folder / "ours", gpg.folder / "passphrase")
    archive = gpg.encrypt(tarball("w"))
    assert check(archive, key, scratch) == Decrypted("gpg", len(tarball("w")), 5)
    wrong = Key("gpg", gpg.folder / "other", gpg.folder / "passphrase")
    assert refused(archive, wrong, scratch) == "gpg can't decrypt it with this key"
    (gpg.folder / "bad").write_text("another-passphrase-of-nobody")
    assert "gpg" in refused(archive, Key("gpg", gpg.folder / "ours", gpg.folder / "bad"), scratch)
    assert "no exported secret key" in refused(archive, Key("gpg", gpg.folder / "passphrase"), scratch)
    whole = archive.read_bytes()
    archive.write_bytes(whole[:-400])
    assert "refuses it" in refused(archive, key, scratch)
    assert agents() == 0


def test_a_program_that_is_not_there(tmp_path: Path, scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_text("x")
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Failed) as failed:
        check(tmp_path / "x", Key("age", tmp_path / "x"), scratch)
    assert failed.value.why is Why.TOOL_FAILED


@pytest.mark.parametrize("tool", ["age", "sops", "gpg"])
def test_no_key_stands_in_an_argument(tool: Tool) -> None:
    key = Key(tool, Path("/keys/identity"), Path("/keys/passphrase"))
    words = command(Path("/secrets.enc"), key, Path("/home"))
    assert words[0] == tool
    assert words[-1] == "/secrets.enc"
    assert environment(key) == ({"SOPS_AGE_KEY_FILE": "/keys/identity"} if tool == "sops" else {})


def test_sops(age: Age, scratch: Scratch, program: Callable[..., Path]) -> None:
    """Skips where SOPS is not installed: no distribution packages it."""
    program("sops", optional=True)
    path = age.folder / "secrets.yaml"
    path.write_text("password: hunter2\n")
    subprocess.run(["sops", "--encrypt", "--in-place", "--age", age.public["ours"], str(path)], check=True, timeout=30)
    assert check(path, Key("sops", age.folder / "ours"), scratch).bytes > 0
    assert "key" in refused(path, Key("sops", age.folder / "other"), scratch)
    shutil.rmtree(age.folder, ignore_errors=True)
