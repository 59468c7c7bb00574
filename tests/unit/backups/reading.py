"""Rows in, samples out; and files made by hand: what the unit tests of backups share."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from closewatch.backups.age import AGE
from closewatch.backups.formats import inspect
from closewatch.backups.found import Found
from closewatch.core.collectors import Answer
from closewatch.core.targets import Target

TARGET = Target.of("backups", "acme-dumps", environment="test", cell="pg-07", tenant="acme")
PREFIX = "closewatch_backup_"
PLACE = {"truncated": False, "unread": 0, "oldest": None, "status": None}


def row(**more: Any) -> dict[str, Any]:
    """A good dump, done at 1,000 s, of 100 bytes."""
    plain = {"type": "dump", "state": "good", "reason": None, "at": 1000.0, "size": 100, "seconds": None}
    return {**plain, "verified": None, "whole": True, **more}


def read(rows: Sequence[Mapping[str, Any]], **place: Any) -> list[str]:
    """The collector's samples as lines of text, less the prefix of their names, and less what is 0 or not truncated.

    Checks what the scrape checks: only declared families, and no series twice.
    """
    lines = []
    for sample in AGE.read(Answer({"main": rows, "place": [{**PLACE, **place}]}), TARGET, AGE.memory()):
        assert sample.family in AGE.families
        if sample.value is not None:
            labels = ",".join(f"{k}={v!r}" for k, v in zip(sample.family.labels, sample.labels, strict=True))
            name = sample.family.name.removeprefix(PREFIX)
            lines.append(f"{name}{{{labels}}} {sample.value:.15g}".replace("{}", ""))
    names = [line.rpartition(" ")[0] for line in lines]
    assert len(names) == len(set(names)), names
    quiet = ("seen{", "listing_truncated 0")
    return [line for line in lines if not (line.startswith(quiet) and line.endswith(" 0"))]


def look(data: bytes, *, filestore: bool = True) -> Found:
    """What the content says; reading is checked to stay inside of the file."""

    def part(start: int, length: int) -> bytes:
        assert start >= 0
        assert length >= 0
        return data[start : start + length]

    return inspect(part, len(data), filestore=filestore)


def odoo_zip(*names: str, sql: bytes = b"-- PostgreSQL database dump\n" * 50, comment: bytes = b"") -> bytes:
    """A zip as Odoo's database manager makes it; without names, all that belongs into it."""
    contents = {"dump.sql": sql, "manifest.json": b'{"odoo_dump": "1"}', "filestore/aa/aabb": b"an attachment" * 9}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names or contents:
            archive.writestr(zipfile.ZipInfo(name, (2026, 11, 22, 3, 0, 0)), contents.get(name, b"x"))
        archive.comment = comment
    return file.getvalue()


def tarball(mode: str = "w", **contents: bytes) -> bytes:
    """A tar of these files, packed as `mode` says."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in (contents or {"file": b"some content" * 99}).items():
            about = tarfile.TarInfo(name)
            about.size = len(data)
            archive.addfile(about, io.BytesIO(data))
    return bytes(file.getvalue())
