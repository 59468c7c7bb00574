"""The scheduled check `verification` of files: all of one is read, and its checksums are computed."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from closewatch.engines.binaries import find_postgres
from tests.fixtures.servers import missing
from tests.server.backups.conftest import Dumps
from tests.server.backups.verified import Verified, flip, shown
from tests.unit.backups.reading import odoo_zip, tarball

pytestmark = [pytest.mark.server, pytest.mark.slow]


def folder(tmp_path: Path, name: str, data: bytes) -> tuple[Path, dict[str, Any]]:
    place = tmp_path / "backups"
    place.mkdir(exist_ok=True)
    for old in place.iterdir():
        old.unlink()
    file = place / name
    file.write_bytes(data)
    os.utime(file, (time.time() - 7200,) * 2)
    return file, {"kind": "backups", "name": "acme", "folder": {"path": str(place), "filestore": False}}


PLAIN = (
    b"--\n-- PostgreSQL database dump\n--\n" + os.urandom(30_000).hex().encode()
    + b"\n--\n-- PostgreSQL database dump complete\n--\n"
)  # fmt: skip
READS: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "odoo zip": ("a.zip", lambda: odoo_zip(sql=PLAIN), "odoo_zip"),
    "gzip": ("a.sql.gz", lambda: gzip.compress(PLAIN, mtime=0), "dump"),
    "tar.gz": ("a.tar.gz", lambda: tarball("w:gz"), "archive"),
    "tar": ("a.tar", tarball, "archive"),
}


@pytest.mark.parametrize(("name", "make", "type"), READS.values(), ids=READS)
def test_a_file_that_is_whole(verified: Verified, tmp_path: Path, name: str, make: Callable[[], bytes], type: str):
    _, target = folder(tmp_path, name, make())
    result, reason, facts = verified(target)
    assert (result, reason, shown(facts, type, "archive")) == ("passed", None, [1])


@pytest.mark.parametrize("name", ["odoo zip", "gzip", "tar.gz"])
def test_a_file_with_a_byte_flipped(verified: Verified, tmp_path: Path, name: str):
    filename, make, kind = READS[name]
    file, target = folder(tmp_path, filename, make())
    if name == "odoo zip":
        flip(file, file.read_bytes().index(b"dump.sql") + 2000)
    else:
        flip(file, -6)  # its CRC
    os.utime(file, (time.time() - 7200,) * 2)
    result, reason, facts = verified(target)
    assert (result, reason, shown(facts, kind, "archive")) == ("failed", "corrupt", [0])


def test_a_packed_file_that_was_cut(verified: Verified, tmp_path: Path):
    for name, data in (
        ("a.sql.gz", gzip.compress(PLAIN, mtime=0)[:-9]),
        ("b.sql.gz", gzip.compress(PLAIN, mtime=0)[:9000]),
    ):
        _, target = folder(tmp_path, name, data)
        assert verified(target)[:2] == ("failed", "corrupt"), name


def test_what_has_no_checksum_and_an_empty_place(verified: Verified, tmp_path: Path):
    file, target = folder(tmp_path, "a.sql", PLAIN)
    assert verified(target)[:2] == ("unknown", "cannot_check")
    file.unlink()
    assert verified(target)[:2] == ("unknown", "no_backup")


def test_dumps_of_pg_dump(verified: Verified, tmp_path: Path, dumps: Dumps, monkeypatch, pytestconfig: pytest.Config):
    reader = next((one.program("pg_restore") for one in find_postgres() if one.major == dumps.major), None)
    if reader is None:
        missing(pytestconfig, "no pg_restore of the dump's version is at hand")
    monkeypatch.setenv("PATH", f"{reader.parent}:{os.environ['PATH']}")
    place = tmp_path / "backups"
    target = {"kind": "backups", "name": "acme", "folder": {"path": str(place)}}
    file = dumps.copy("custom.dump", place / "a.dump", ago=7200)
    result, reason, facts = verified(target)
    assert (result, reason, shown(facts, "dump", "archive")) == ("passed", None, [1])
    # Amid the data of the largest table, which is packed.
    flip(file, file.stat().st_size // 2)
    os.utime(file, (time.time() - 7200,) * 2)
    result, reason, facts = verified(target)
    assert (result, reason, shown(facts, "dump", "archive")) == ("failed", "corrupt", [0])
    file.unlink()
    dumps.copy("folder", place / "folder", ago=7200)
    assert verified(target)[:2] == ("passed", None)
