"""Can the archive of secrets still be decrypted? age, SOPS or GPG does it; what comes out is counted and dropped.

The key is named by a file, never in an argument. GPG gets a home of its own for it, removed at once. Of a tarball the
structure is looked at as it flows by: names and contents of its members are neither kept nor shown.

Source: age(1); sops --help (SOPS_AGE_KEY_FILE); GnuPG's doc/DETAILS (the lines after [GNUPG:]).
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import re
import shutil
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, cast

from closewatch.restores.pipe import Reader, piped
from closewatch.restores.why import Failed, Why

if TYPE_CHECKING:
    from closewatch.restores.scratch import Scratch

Tool = Literal["age", "sops", "gpg"]
HOME = "gnupg"
GOODBYE = 3.0
BUFFER = 256 * 1024
_OPENERS: tuple[tuple[bytes, Callable[[Any], Any]], ...] = (
    (b"\x1f\x8b\x08", lambda reader: gzip.GzipFile(fileobj=reader)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
)
_NO_KEY = {
    "age": re.compile(rb"no identity matched|incorrect identity|incorrect passphrase"),
    "sops": re.compile(
        rb"[Ff]ailed to get the data key|no identity matched|no matching creation rules|0 successful groups"
    ),
    "gpg": re.compile(rb"\[GNUPG:\] (NO_SECKEY|DECRYPTION_KEY_MISSING|BAD_PASSPHRASE|MISSING_PASSPHRASE)"),
}
_IMPORTED = re.compile(rb"^\[GNUPG:\] IMPORT_OK 1[67] |^\[GNUPG:\] IMPORT_OK \d+ ", re.MULTILINE)
_OKAY = re.compile(rb"^\[GNUPG:\] DECRYPTION_OKAY", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Key:
    """With what an archive is decrypted. `identity` is age's file, for SOPS too; for GPG an exported secret key.

    `passphrase` is a file with that of a GPG key, where it has one.
    """

    tool: Tool
    identity: Path
    passphrase: Path | None = None


@dataclass(frozen=True, slots=True)
class Decrypted:
    """What came out: bytes, and the members of a tarball (None where it is none)."""

    tool: str
    bytes: int
    members: int | None

    @property
    def payload(self) -> Mapping[str, Any]:
        """For the record."""
        return {"tool": self.tool, "bytes": self.bytes, "members": self.members}


def check(archive: Path, key: Key, scratch: Scratch) -> Decrypted:
    """Decrypt it to nowhere. Raises Failed(secrets)."""
    for path, what in ((archive, "archive"), (key.identity, "key")):
        if not path.is_file():
            raise Failed(Why.SECRETS, f"the {what} is not there, or is no file")
    if key.tool != "gpg":
        return _decrypt(command(archive, key), environment(key), key, scratch)
    home = scratch.folder(HOME) / "home"
    home.mkdir(mode=0o700)
    try:
        _import(key, home, scratch)
        return _decrypt(command(archive, key, home), environment(key), key, scratch)
    finally:
        _quietly(["gpgconf", "--homedir", str(home), "--kill", "all"])
        shutil.rmtree(home, ignore_errors=True)


def command(archive: Path, key: Key, home: Path | None = None) -> list[str]:
    """How the tool is called."""
    if key.tool == "age":
        return ["age", "--decrypt", "--identity", str(key.identity), str(archive)]
    if key.tool == "sops":
        return ["sops", "--decrypt", str(archive)]
    return [*_gpg(key, home), "--decrypt", str(archive)]


def environment(key: Key) -> dict[str, str]:
    """What the tool finds in its environment: names of files alone."""
    return {"SOPS_AGE_KEY_FILE": str(key.identity)} if key.tool == "sops" else {}


def _gpg(key: Key, home: Path | None) -> list[str]:
    options = ["gpg", "--homedir", str(home), "--batch", "--no-tty", "--no-options", "--status-fd", "2"]
    options += ["--pinentry-mode", "loopback", "--no-auto-key-retrieve", "--trust-model", "always"]
    return options + (["--passphrase-file", str(key.passphrase)] if key.passphrase else [])


def _import(key: Key, home: Path, scratch: Scratch) -> None:
    with piped([*_gpg(key, home), "--import", str(key.identity)]) as program:
        Reader(program.chunks(scratch.need)).drain()
        if program.code or not _IMPORTED.search(program.err):
            raise Failed(Why.SECRETS, "the key can't be read: it is no exported secret key of GPG")


def _quietly(words: Sequence[str]) -> None:
    """End GPG's agent, also where the test has no time left; it would end by itself when its home is gone."""
    until = time.monotonic() + GOODBYE
    with contextlib.suppress(Failed, TimeoutError), piped(words) as program:
        Reader(program.chunks(lambda: _soon(until))).drain()


def _soon(until: float) -> None:
    if time.monotonic() > until:
        raise TimeoutError


def _decrypt(words: Sequence[str], given: Mapping[str, str], key: Key, scratch: Scratch) -> Decrypted:
    with piped(words, given) as program:
        reader = Reader(program.chunks(scratch.need))
        broken = False
        try:
            members = _members(reader)
        except tarfile.TarError:
            members, broken = None, True
        reader.drain()
        if program.code or (key.tool == "gpg" and not _OKAY.search(program.err)):
            if _NO_KEY[key.tool].search(program.err):
                raise Failed(Why.SECRETS, f"{key.tool} can't decrypt it with this key")
            raise Failed(Why.SECRETS, f"{key.tool} refuses it: damaged, cut short, or not encrypted by {key.tool}")
    if broken:
        raise Failed(Why.SECRETS, "it decrypts, but the archive in it is cut short or damaged")
    if not reader.size:
        raise Failed(Why.SECRETS, "it decrypts to nothing")
    return Decrypted(key.tool, reader.size, members)


def _members(reader: Reader) -> int | None:
    """How many members the tarball has; None where it is none. Raises TarError, also for a broken compressed file."""
    head = reader.peek(tarfile.BLOCKSIZE)
    opened = next((opener for magic, opener in _OPENERS if head.startswith(magic)), None)
    try:
        if opened is not None:
            packed = opened(reader)
            reader = Reader(iter(lambda: packed.read(BUFFER), b""))
        count = None
        if reader.peek(tarfile.BLOCKSIZE)[257:262] == b"ustar":
            with tarfile.open(fileobj=cast("IO[bytes]", reader), mode="r|") as archive:
                count = sum(1 for _ in _forgetting(archive))
        reader.drain()  # its end is where a compressed file says that it is whole
    except (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise tarfile.ReadError from error
    return count


def _forgetting(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in archive:
        archive.members = []  # type: ignore[attr-defined] # it would keep each
        yield member
