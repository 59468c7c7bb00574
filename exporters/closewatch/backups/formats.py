"""Which format a file has, by its content: its name is only a name."""

from __future__ import annotations

from collections.abc import Collection

from closewatch.backups import archives, dump
from closewatch.backups.found import HEAD, Fault, Found, Read, Type, bad


def inspect(read: Read, size: int, *, filestore: bool) -> Found:
    """A file of `size` bytes. Reads at most its head, its end, and the directory or table of contents that it names."""
    if not size:
        return bad(Fault.EMPTY)
    head = read(0, min(HEAD, size))
    if head.startswith(archives.ZIP):
        return archives.inspect_zip(read, size, filestore=filestore)
    found = _plain_or_packed(head, _with(head, read), size)
    if found is not None:
        return found
    # The first bytes of a backup that was cut off before its header was whole.
    return bad(Fault.TRUNCATED if any(magic.startswith(head) for magic in _MAGICS) else Fault.UNRECOGNISED)


def _plain_or_packed(head: bytes, read: Read, size: int) -> Found | None:
    if head.startswith(dump.MAGIC):
        return dump.inspect(read, size)
    if head.startswith(archives.ZIP_END):
        return bad(Fault.EMPTY)
    if archives.is_tar(head):
        return archives.inspect_tar(read, size, head)
    if dump.is_plain(head):
        return dump.inspect_plain(read, size)
    return archives.inspect_packed(read, size, head)


def inspect_folder(read: Read, size: int, files: Collection[str]) -> Found:
    """pg_dump's directory format: the size of its toc.dat, and the names of its files."""
    return dump.inspect(read, size, files) if size else bad(Fault.INCOMPLETE)


_MAGICS = (
    dump.MAGIC,
    archives.ZIP,
    archives.GZIP,
    archives.ZSTD,
    archives.XZ,
    *(b"--\n" + first for first in dump.PLAIN),
)


def _with(head: bytes, read: Read) -> Read:
    """The same file, without asking again for what is there already."""

    def from_head(start: int, length: int) -> bytes:
        if start + length <= len(head):
            return head[start : start + length]
        return read(start, length)

    return from_head


def unopened(size: int) -> Found:
    """What can't be looked into, such as an encrypted file: there is only its size."""
    return Found(Type.OPAQUE) if size else bad(Fault.EMPTY)
