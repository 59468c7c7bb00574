"""Archives: Odoo's own zip and other zips, tarballs, and what is compressed by gzip, zstd, xz or bzip2.

A zip has its directory at the end, a tar ends with a kilobyte of zeros, xz with an index: they show whether they are
whole. gzip, zstd and bzip2 don't, short of unpacking them: that is said as "not known". Inside of gzip and xz the
first bytes are looked at, as `dump.sql.gz` is a dump.

Source: Odoo's odoo/service/db.py (dump_db, dump_db_manifest); PKWARE's APPNOTE.TXT 6.3; xz-file-format 1.2.
"""

from __future__ import annotations

import calendar
import lzma
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from closewatch.backups import dump
from closewatch.backups.found import HEAD, ZONE_BEHIND, Fault, Found, Read, Type, bad

ZIP, ZIP_END, ZIP64_PLACE, ZIP_ENTRY = b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x07", b"PK\x01\x02"
GZIP, ZSTD, XZ, BZIP2 = b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00", b"BZh"
DIRECTORY = 1024 * 1024
"""So much of a zip's directory is read: Odoo writes the dump and the manifest first, and thousands of files after."""
LONGEST_END = 22 + 65535
BLOCK = 512
IN_ZIP64 = 0xFFFFFFFF
PEEK = 4096


class ZipEnd(NamedTuple):
    """Where the directory of a zip is, and how long."""

    offset: int
    size: int


class ZipEntry(NamedTuple):
    """A file of a zip; `changed` is its local time as if it were UTC."""

    name: bytes
    size: int
    changed: float | None


def inspect_zip(read: Read, size: int, *, filestore: bool) -> Found:
    """A zip; Odoo's has a dump, a manifest, and a filestore where one is expected."""
    end = _zip_end(read, size)
    directory = b"" if end is None else read(end.offset, min(end.size, DIRECTORY))
    if end is None or end.offset + end.size > size or directory[:4] not in {ZIP_ENTRY, b""}:
        return bad(Fault.TRUNCATED)
    entries = {entry.name: entry for entry in _zip_entries(directory)}
    if not entries:
        return bad(Fault.EMPTY, Type.ARCHIVE)
    if b"dump.sql" not in entries:
        return Found(Type.ARCHIVE, whole=True)
    sql, fault = entries[b"dump.sql"], None
    if b"manifest.json" not in entries:
        fault = Fault.INCOMPLETE
    elif not sql.size:
        fault = Fault.EMPTY
    elif filestore and not any(name.startswith(b"filestore/") for name in entries):
        fault = Fault.FILESTORE_MISSING
    if fault is not None:
        return bad(fault, Type.ODOO_ZIP)
    begun = None if sql.changed is None else sql.changed + ZONE_BEHIND
    return Found(Type.ODOO_ZIP, whole=True, begun=begun)


def _zip_end(read: Read, size: int) -> ZipEnd | None:
    tail = read(max(0, size - LONGEST_END), LONGEST_END)
    at = tail.rfind(ZIP_END)
    while at >= 0:
        record = tail[at : at + 22]
        if len(record) == 22 and at + 22 + struct.unpack_from("<H", record, 20)[0] == len(tail):  # noqa: PLR2004 - its size
            length, offset = struct.unpack_from("<II", record, 12)
            if IN_ZIP64 in {length, offset}:
                return _zip64_end(read, tail[max(0, at - 20) : at])
            return ZipEnd(offset, length)
        at = tail.rfind(ZIP_END, 0, at)
    return None


def _zip64_end(read: Read, locator: bytes) -> ZipEnd | None:
    if len(locator) != 20 or locator[:4] != ZIP64_PLACE:  # noqa: PLR2004 - its size
        return None
    record = read(struct.unpack_from("<Q", locator, 8)[0], 56)
    if len(record) < 56 or record[:4] != b"PK\x06\x06":  # noqa: PLR2004 - its size
        return None
    length, offset = struct.unpack_from("<QQ", record, 40)
    return ZipEnd(offset, length)


def _zip_entries(directory: bytes) -> Iterator[ZipEntry]:
    at = 0
    while directory[at : at + 4] == ZIP_ENTRY and at + 46 <= len(directory):
        time, date, _crc, _packed, size, name, extra, comment = struct.unpack_from("<HHIIIHHH", directory, at + 12)
        text = directory[at + 46 : at + 46 + name]
        yield ZipEntry(text.removeprefix(b"./"), size, _dos_time(date, time))
        at += 46 + name + extra + comment


def _dos_time(date: int, time: int) -> float | None:
    parts = ((date >> 9) + 1980, date >> 5 & 15, date & 31, time >> 11, time >> 5 & 63, (time & 31) * 2)
    try:
        return float(calendar.timegm(parts))
    except (ValueError, OverflowError):
        return None


def is_tar(head: bytes) -> bool:
    """Whether a block is the header of a tar's first file."""
    return head[257:262] == b"ustar"


def inspect_tar(read: Read, size: int, head: bytes) -> Found:
    """A tar; pg_dump's begins with its table of contents."""
    begins = Found(Type.ARCHIVE)
    if head[:100].rstrip(b"\0") == b"toc.dat":
        try:
            length = int(head[124:136].strip(b" \0") or b"0", 8)
        except ValueError:
            return bad(Fault.TRUNCATED, Type.DUMP)
        begins = dump.inspect(lambda start, count: read(BLOCK + start, max(0, min(count, length - start))), length)
    if begins.fault:
        return begins
    ending = read(max(0, size - 2 * BLOCK), 2 * BLOCK)
    if size % BLOCK or len(ending) < 2 * BLOCK or ending.strip(b"\0"):
        return bad(Fault.TRUNCATED, begins.type)
    return begins._replace(whole=True)


def inspect_packed(read: Read, size: int, head: bytes) -> Found | None:
    """What is compressed; None where it isn't."""
    if head.startswith((ZSTD, BZIP2)):
        return Found(Type.ARCHIVE)
    if head.startswith(GZIP):
        return Found(_inside(_gunzip(head)))
    if not head.startswith(XZ):
        return None
    # The last twelve bytes: a checksum of the six that follow it, and two letters.
    footer = read(max(0, size - 12), 12)
    if footer[-2:] != b"YZ" or zlib.crc32(footer[4:10]) != int.from_bytes(footer[:4], "little"):
        return bad(Fault.TRUNCATED, _inside(_unxz(head)))
    return Found(_inside(_unxz(head)), whole=True)


def _inside(content: bytes) -> Type:
    named = content[:100].rstrip(b"\0") == b"toc.dat"
    return Type.DUMP if content.startswith(dump.MAGIC) or dump.is_plain(content) or named else Type.ARCHIVE


def _gunzip(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(head[:HEAD], PEEK)
    except zlib.error:
        return b""


def _unxz(head: bytes) -> bytes:
    try:
        return lzma.LZMADecompressor(memlimit=128 * 1024 * 1024).decompress(head, PEEK)
    except (lzma.LZMAError, EOFError):
        return b""
