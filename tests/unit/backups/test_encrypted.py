"""Encrypted files and git bundles, by how they begin; real ones are in tests/server/backups/test_encrypted_files.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closewatch.backups.formats import encrypted
from closewatch.backups.found import Fault, Type
from tests.unit.backups.reading import look, odoo_zip, tarball

BODY = bytes(range(256)) * 8


@pytest.mark.parametrize(
    "head",
    [
        b"age-encryption.org/v1\n-> X25519 abc\n",
        b"-----BEGIN AGE ENCRYPTED FILE-----\n",
        b"-----BEGIN PGP MESSAGE-----\n\n",
        b"\x85\x01\x0c\x03",  # an old packet: a session key, two octets of length, version 3
        b"\xc1\x5e\x03",  # a new packet of the same
        b"\x8c\x0d\x04\x09",  # a password's, version 4
        b"\xc3\x1e\x06",  # a password's, version 6
        b'{"data": "ENC[AES256_GCM,data:abc", "sops": {"version": "3.9"}}',
        b"# a comment\ndata: ENC[AES256_GCM,data:abc]\nsops:\n    version: 3.9\n",
        b"key=ENC[AES256_GCM,data:abc]\nsops_version=3.9\n",
    ],
)
def test_how_encrypted_files_begin(head: bytes):
    found = look(head + BODY)
    assert (found.type, found.encrypted, found.fault, found.whole) == (Type.OPAQUE, True, None, None)


@pytest.mark.parametrize(
    "data",
    [
        odoo_zip(), tarball(), tarball("w:gz"), b"PGDMP\x01\x0f\x00", b"<html>", b"\x99\x01\x0d\x04 a public key",
        b"\xd1\x09\x04", b"\x85", b"\xff" * 40, b"\x84\x01\x09", b"-----BEGIN PGP PUBLIC KEY BLOCK-----",
        b'{"note": "about sops and ENC"}',
    ],
)  # fmt: skip
def test_what_is_not_encrypted(data: bytes):
    assert look(data).encrypted is not True


@pytest.mark.parametrize(
    ("data", "type", "fault"),
    [
        (b"# v2 git bundle\n" + b"a" * 40 + b" refs/heads/main\n\nPACK\0\0\0\x02", Type.BUNDLE, None),
        (b"# v3 git bundle\n@object-format=sha1\n" + b"a" * 40 + b" HEAD\n\nPACK\0", Type.BUNDLE, None),
        (b"# v9 git bundle\n\nPACK", Type.BUNDLE, Fault.UNSUPPORTED_VERSION),
        (b"# v2 git bundle\n" + b"a" * 40 + b" refs/heads/main\n\nPA", Type.BUNDLE, Fault.TRUNCATED),
        (b"# v2 git bu", None, Fault.TRUNCATED),
        (b"# version of something else", None, Fault.UNRECOGNISED),
    ],
)
def test_git_bundles(data: bytes, type: Type | None, fault: Fault | None):
    found = look(data)
    assert (found.type, found.fault) == (type, fault)


@given(st.binary(min_size=1, max_size=200))
def test_no_bytes_break_it(head: bytes):
    assert encrypted(head) in {True, False}
