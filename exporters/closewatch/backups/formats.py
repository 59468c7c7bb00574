"""Which format a file has, by its content: its name is only a name."""

from __future__ import annotations

import re
from collections.abc import Collection

from closewatch.backups import archives, dump
from closewatch.backups.found import HEAD, Fault, Found, Read, Type, bad


def inspect(read: Read, size: int, *, filestore: bool) -> Found:
    """A file of `size` bytes. Reads at most its head, its end, and the directory or table of contents that it names."""
    if not size:
        return bad(Fault.EMPTY)
    head = read(0, min(HEAD, size))
    if encrypted(head):
        return Found(Type.OPAQUE, encrypted=True)
    if head.startswith(BUNDLES):
        return bundle(head)
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


BUNDLES = b"# v"
_BUNDLE = re.compile(rb"# v(\d+) git bundle\n")
AGE, AGE_TEXT = b"age-encryption.org/v", b"-----BEGIN AGE ENCRYPTED FILE-----"
PGP_TEXT = b"-----BEGIN PGP MESSAGE-----"
_PGP = {1, 3, 18, 20}
"""Tags of OpenPGP packets that begin an encrypted message: a session key by public key or by password, or data."""
_SOPS = re.compile(rb'(^|\n)\s*"?sops"?\s*:|(^|\n)sops_version=|ENC\[AES256_GCM,data:')


def encrypted(head: bytes) -> bool:
    """Whether this is how age, OpenPGP or SOPS begin what they encrypt (RFC 9580 4.2 and 5; age-encryption.org/v1)."""
    if head.startswith((AGE, AGE_TEXT, PGP_TEXT)):
        return True
    if head[:1] in {b"{", b"#"} or head[:64].isascii():
        return _SOPS.search(head) is not None
    return _pgp(head)


def _pgp(head: bytes) -> bool:
    """A packet of version 3 or 6 (public key), 4 to 6 (password); data without a key before them can't be told."""
    first = head[0]
    if not first & 0x80:
        return False
    if first & 0x40:
        tag, at = first & 0x3F, 2 if len(head) > 1 and head[1] < 192 else 3  # noqa: PLR2004 - lengths of one octet
    else:
        tag, at = first >> 2 & 0x0F, 1 + (1, 2, 4, 0)[first & 3]
    versions = {1: {3, 6}, 3: {4, 5, 6}}
    return tag in _PGP and len(head) > at and head[at] in versions.get(tag, ())


def bundle(head: bytes) -> Found:
    """A git bundle of version 2 or 3: a header, an empty line, a pack. Whether the pack is whole, git alone can say."""
    named = _BUNDLE.match(head)
    if named is None:
        return bad(Fault.TRUNCATED if len(head) < 20 else Fault.UNRECOGNISED)  # noqa: PLR2004 - its first line
    if named.group(1) not in {b"2", b"3"}:
        return bad(Fault.UNSUPPORTED_VERSION, Type.BUNDLE)
    at = head.find(b"\n\n")
    if at >= 0 and not head.startswith(b"PACK", at + 2):
        return bad(Fault.TRUNCATED, Type.BUNDLE)
    return Found(Type.BUNDLE)


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
