"""Attachments against the files: complete, missing, altered; all or a sample; and how fast that is."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

from closewatch.restores.origins import safely
from closewatch.restores.origins.filestore import TYPES, Filestore
from closewatch.restores.verify.filestore import QUERY, check
from closewatch.restores.why import Failed, Why
from tests.server.restores.logical import attachments
from tests.server.restores.logical.conftest import Place, files


def nothing() -> None:
    """No limit."""


def test_all_are_there(tmp_path: Path) -> None:
    rows = attachments.make(tmp_path)
    twice = [*rows, (None, None, 12, True), (None, None, 0, False), *rows[-1:]]
    found = check(sorted(twice, key=lambda row: row[0] or ""), tmp_path, nothing)
    assert found.complete
    assert (found.total, found.checked, found.in_database, found.empty, found.orphans) == (300, 300, 1, 1, 0)
    assert found.bytes == sum(row[2] for row in rows)
    assert found.payload["complete"] is True


@pytest.mark.parametrize("sample", [None, 400])
def test_each_kind_of_damage(tmp_path: Path, sample: int | None) -> None:
    root = tmp_path / "root"
    rows = attachments.make(root)
    (root / rows[3][0]).unlink()
    (root / rows[9][0]).unlink()
    (root / rows[9][0]).mkdir()
    data = bytearray((root / rows[5][0]).read_bytes())
    data[-1] ^= 1
    (root / rows[5][0]).write_bytes(data)
    with (root / rows[7][0]).open("ab") as file:
        file.write(b"more")
    (root / rows[11][0]).unlink()
    (root / rows[11][0]).symlink_to(root / rows[12][0])
    (tmp_path / "secret").write_text("outside")
    (root / "00").mkdir(exist_ok=True)
    (root / "00" / "nobody-names-it").write_text("x")
    odd = [("../secret", None, 7, False), ("/etc/passwd", None, None, False), ("s3://bucket/x", None, None, False)]
    odd += [("aa/../../secret", None, None, False), ("a\nb", None, None, False)]
    found = check(sorted(rows + odd), root, nothing, sample=sample)
    assert not found.complete
    assert (found.missing, found.altered, found.wrong, found.elsewhere) == (3, 2, 4, 1)
    assert rows[3][0] in found.examples["missing"]
    assert {rows[5][0], rows[7][0]} == set(found.examples["altered"])
    assert "secret" not in str(found.payload)
    assert found.words == "3 missing, 2 altered, 4 wrong, 1 elsewhere"


def test_the_database_contradicts_the_file(tmp_path: Path) -> None:
    rows = attachments.make(tmp_path, 20)
    fname, checksum, size, _ = rows[4]
    rows[4:5] = [(fname, checksum, size, False), (fname, checksum, size + 1, False)]
    rows[0] = (rows[0][0], "0" * 40, rows[0][2], False)
    assert check(rows, tmp_path, nothing).altered == 2


def test_a_sample_says_how_sure_it_is(tmp_path: Path) -> None:
    rows = attachments.make(tmp_path, 400, largest=50)
    found = check(rows, tmp_path, nothing, sample=100)
    assert (found.sampled, found.checked, found.total, found.complete) == (True, 100, 400, True)
    assert found.confidence is not None
    assert found.confidence.startswith("0 bad of 100 sampled of 400: fewer than ")
    (tmp_path / rows[0][0]).unlink()
    found = check(rows, tmp_path, nothing, sample=100)
    assert (found.missing, found.confidence) == (1, None)


def test_no_filestore_at_all(tmp_path: Path) -> None:
    with pytest.raises(Failed) as failed:
        check([], tmp_path / "none", nothing)
    assert failed.value.why is Why.FILESTORE_INCOMPLETE


def test_rows_out_of_order_are_refused(tmp_path: Path) -> None:
    rows = attachments.make(tmp_path, 10)
    with pytest.raises(ValueError, match="order"):
        check(reversed(rows), tmp_path, nothing)


def test_a_stop_ends_it_and_its_processes(tmp_path: Path) -> None:
    rows = attachments.make(tmp_path, 50)
    stop = threading.Event()

    def need() -> None:
        if stop.is_set():
            raise InterruptedError

    def endless() -> object:
        yield from rows
        stop.set()
        while True:
            yield rows[-1]

    with pytest.raises(InterruptedError):
        check(endless(), tmp_path, need)  # type: ignore[arg-type]
    listed = ["ps", "-o", "args=", "--ppid", str(os.getpid())]
    assert "hashing.py" not in subprocess.run(listed, check=False, capture_output=True, text=True).stdout


@pytest.mark.server
def test_rows_come_by_a_cursor(place: Place, tmp_path: Path) -> None:
    rows = attachments.make(tmp_path, 60)
    name = place.database("filed")
    with place.server().connect(name) as connection:
        connection.execute(attachments.TABLE)
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO ir_attachment (store_fname, checksum, file_size) VALUES (%s, %s, %s)",
                [row[:3] for row in reversed(rows)],
            )
            cursor.execute("INSERT INTO ir_attachment (db_datas) VALUES ('x')")
        connection.autocommit = False
        with connection.cursor(name="attachments") as cursor:
            cursor.execute(QUERY)
            found = check(cursor, tmp_path, place.scratch.need)
    assert (found.checked, found.in_database, found.complete) == (60, 1, True)


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tar.xz", "a.tar.zst", "a.zip"])
def test_archives_of_a_filestore(place: Place, tmp_path: Path, backups: Path, name: str) -> None:
    if name.endswith("zst") and shutil.which("zstd") is None:
        pytest.skip("zstd is not on PATH")
    root = tmp_path / "filestore" / "acme"
    rows = attachments.make(root, 40)
    if name.endswith(".zip"):
        with zipfile.ZipFile(backups / name, "w") as archive:
            for row in rows:
                archive.write(root / row[0], f"filestore/acme/{row[0]}")
    else:
        mode = {"gz": "w:gz", "xz": "w:xz"}.get(Path(name).suffix[1:], "w")
        with tarfile.open(tmp_path / "made", mode) as tar:  # type: ignore[call-overload]
            tar.add(tmp_path / "filestore", "filestore")
        if name.endswith("zst"):
            subprocess.run(["zstd", "-q", str(tmp_path / "made"), "-o", str(backups / name)], check=True, timeout=30)
        else:
            (tmp_path / "made").rename(backups / name)
    found = check(rows, Filestore(files(backups, *TYPES)).fetch(place.scratch), place.scratch.need)
    assert (found.complete, found.checked, found.orphans) == (True, 40, 0)


def test_an_archive_can_not_get_out(place: Place, tmp_path: Path, backups: Path) -> None:
    (tmp_path / "x").write_text("x")
    for number, (name, kind) in enumerate(
        (
            ("../../out", tarfile.REGTYPE),
            ("/tmp/out", tarfile.REGTYPE),
            ("aa", tarfile.SYMTYPE),
            ("b", tarfile.LNKTYPE),
            ("fifo", tarfile.FIFOTYPE),
        )
    ):
        path = tmp_path / f"{number}.tar"
        with tarfile.open(path, "w") as tar:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc"
            tar.addfile(info)
        with pytest.raises(Failed) as failed:
            safely.untar(path, tmp_path / "unpacked", place.scratch.need)
        assert failed.value.why is Why.UNREADABLE
    with zipfile.ZipFile(tmp_path / "slip.zip", "w") as archive:
        archive.writestr("filestore/../../out", "x")
    with zipfile.ZipFile(tmp_path / "slip.zip") as archive, pytest.raises(Failed):
        safely.unzip(archive, "filestore/", tmp_path / "unpacked", place.scratch.need)
    assert not list(tmp_path.rglob("out"))
