"""What a file is, by its content, and whether its end is there. pg_dump's own files are in tests/server/backups."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closewatch.backups.found import Fault, Type
from tests.unit.backups.reading import look, odoo_zip, tarball

ZSTD = b"\x28\xb5\x2f\xfd" + b"\x00" * 40
PLAIN = (
    b"--\n-- PostgreSQL database dump\n--\n" + b"SELECT 1;\n" * 2000 + b"--\n-- PostgreSQL database dump complete\n--\n"
)


@pytest.mark.parametrize(
    ("data", "type", "whole"),
    [
        (odoo_zip(), Type.ODOO_ZIP, True),
        (odoo_zip(comment=b"made at night"), Type.ODOO_ZIP, True),
        (odoo_zip("a.txt", "b.txt"), Type.ARCHIVE, True),
        (tarball(), Type.ARCHIVE, True),
        (tarball("w:gz"), Type.ARCHIVE, None),
        (tarball("w:xz"), Type.ARCHIVE, True),
        (tarball("w:bz2"), Type.ARCHIVE, None),
        (ZSTD, Type.ARCHIVE, None),
        (PLAIN, Type.DUMP, True),
        (PLAIN.replace(b"database", b"database cluster"), Type.DUMP, True),
        (PLAIN + b"\n\\unrestrict abcdef\n\n", Type.DUMP, True),
        (gzip.compress(PLAIN, mtime=0), Type.DUMP, None),
        (lzma.compress(PLAIN), Type.DUMP, True),
        (bz2.compress(PLAIN), Type.ARCHIVE, None),
    ],
)
def test_what_it_is(data: bytes, type: Type, whole: bool | None):
    found = look(data)
    assert (found.type, found.whole, found.fault) == (type, whole, None)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", Fault.EMPTY),
        (b"<html>502 Bad Gateway</html>", Fault.UNRECOGNISED),
        (b"pg_dump: error: connection to server failed", Fault.UNRECOGNISED),
        (b"\0" * 4096, Fault.UNRECOGNISED),
        (b"PGD", Fault.TRUNCATED),
        (b"--\n-- Postgre", Fault.TRUNCATED),
        (b"PGDMP", Fault.TRUNCATED),
        (b"PGDMP\x01\x11\x00\x04\x08\x01" + b"\0" * 500, Fault.UNSUPPORTED_VERSION),
        (b"PGDMP\x02\x00\x00\x04\x08\x01" + b"\0" * 500, Fault.UNSUPPORTED_VERSION),
        (b"PGDMP\x01\x10\x00\x04\x08\x01" + b"\xff" * 500, Fault.TRUNCATED),
        (PLAIN[:-50], Fault.TRUNCATED),
        (odoo_zip("dump.sql", "filestore/aa/aabb"), Fault.INCOMPLETE),
        (odoo_zip("dump.sql", "manifest.json"), Fault.FILESTORE_MISSING),
        (odoo_zip(sql=b""), Fault.EMPTY),
        (b"PK\x05\x06" + b"\0" * 18, Fault.EMPTY),
        (b"PK\x03\x04" + b"\0" * 90_000, Fault.TRUNCATED),
    ],
)
def test_what_is_not_good(data: bytes, fault: Fault):
    assert look(data).fault is fault


def test_a_filestore_may_be_elsewhere():
    assert look(odoo_zip("dump.sql", "manifest.json"), filestore=False).whole


@pytest.mark.parametrize(
    ("data", "needed"),
    [
        (odoo_zip(), None),
        (tarball(), 2048 + 1024),  # the rest is padding
        (tarball("w:xz"), None),
        (PLAIN, PLAIN.index(b"complete") + len(b"complete")),
    ],
    ids=["zip", "tar", "xz", "plain"],
)
def test_cut_at_any_length_it_is_never_whole(data: bytes, needed: int | None):
    for length in range(needed or len(data)):
        found = look(data[:length])
        assert found.fault is not None, length
        assert not found.whole


def test_a_zip_of_many_gigabytes_has_a_larger_end():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, archive.open("dump.sql", "w", force_zip64=True) as sql:
        sql.write(b"x" * 100)
    data = file.getvalue()
    end = data.rfind(b"PK\x05\x06")
    size, offset = (int.from_bytes(data[end + at : end + at + 4], "little") for at in (12, 16))
    large = b"PK\x06\x06" + (44).to_bytes(8, "little") + b"\0" * 28
    large += size.to_bytes(8, "little") + offset.to_bytes(8, "little")
    place = b"PK\x06\x07" + b"\0" * 4 + end.to_bytes(8, "little") + b"\x01\0\0\0"
    made = data[:end] + large + place + b"PK\x05\x06" + b"\0" * 4 + b"\xff" * 12 + b"\0\0"
    assert look(made).fault is Fault.INCOMPLETE  # the dump was found, and there is no manifest
    assert look(made[:-30]).fault is Fault.TRUNCATED


def test_when_odoo_began_is_in_the_zip():
    found = look(odoo_zip())
    assert found.begun == 1795316400 + 12 * 3600  # 2026-11-22 03:00, in the zone that is furthest behind


@given(st.binary(max_size=600), st.sampled_from([b"", b"PGDMP\x01\x10\x00\x04\x08\x01", b"PK\x03\x04", b"\xfd7zXZ\0"]))
def test_garbage_is_never_good_and_never_breaks_it(noise: bytes, head: bytes):
    found = look(head + noise)
    assert found.whole is not True or not head.startswith(b"PGDMP")
