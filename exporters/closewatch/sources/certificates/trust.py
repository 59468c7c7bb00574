"""Verifying a chain after it was read: OpenSSL's own verification, as most clients of these servers have it.

`cryptography.x509.verification` follows the rules for public web sites: it refuses private authorities without key
identifiers, which PostgreSQL's and Odoo's clients accept. So OpenSSL builds and judges the path; names, uses, strength
and dates are looked at apart (`certfacts`), as OpenSSL stops at the first fault. Trusted are the system's authorities,
and those of the configuration.
"""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cryptography import x509
from OpenSSL import crypto

from closewatch.core.reasons import Reason
from closewatch.sources.certificates.facts import names_its_issuer
from closewatch.sources.certificates.read import read_file
from closewatch.sources.certificates.words import Fault, Problem, Unreadable

_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, since OpenSSL 1.1.0
_NOT_YET, _ENDED = 9, 10
_UNREADABLE = -1  # OpenSSL can't parse what the other library could
_NO_ISSUER = (2, 20, 21)
_CODES = {
    7: Problem.BAD_SIGNATURE,
    18: Problem.SELF_SIGNED,
    19: Problem.UNKNOWN_ISSUER,
    24: Problem.NOT_A_CA,
    32: Problem.NOT_A_CA,  # key usage does not include certificate signing
    47: Problem.NAME_CONSTRAINTS,
    48: Problem.NAME_CONSTRAINTS,
    79: Problem.NOT_A_CA,
}
"""X509_V_ERR_* of openssl/x509_vfy.h; any other is `refused`."""

Chain = Sequence[x509.Certificate]


class Trust:
    """The authorities that are trusted. Made anew when one of its files changes. Used by one thread at a time."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = tuple(files)
        self._system = _system_files()
        self._seen: tuple[object, ...] | None = None
        self._timed = self._timeless = crypto.X509Store()
        self.faults: Mapping[Path, Fault | Reason] = {}
        """The files of the configuration that could not be read."""

    def refresh(self) -> None:
        """Read the files again where one changed."""
        seen = tuple(_state(path) for path in (*self._files, *self._system))
        if seen == self._seen:
            return
        faults: dict[Path, Fault | Reason] = {}
        authorities: dict[bytes, x509.Certificate] = {}
        for path in self._files:
            try:
                for each in read_file(path).certificates:
                    crypto.X509.from_cryptography(each)
                    authorities[each.tbs_certificate_bytes] = each
            except Unreadable as failure:
                faults[path] = failure.reason
            except crypto.Error:
                faults[path] = Fault.MALFORMED
        self._timed, self._timeless = self._store(authorities.values()), self._store(authorities.values())
        self._timeless.set_flags(_NO_CHECK_TIME)
        self.faults, self._seen = faults, seen

    def _store(self, authorities: Iterable[x509.Certificate]) -> crypto.X509Store:
        store = crypto.X509Store()
        for path in self._system:
            with contextlib.suppress(crypto.Error):
                store.load_locations(str(path))
        for each in authorities:
            store.add_cert(crypto.X509.from_cryptography(each))
        return store

    def verify(self, chain: Chain, pool: Chain = ()) -> set[Problem]:
        """What is wrong with the path from the first certificate to an authority.

        `pool` are certificates that the server could have sent along, to tell an incomplete chain from an unknown
        authority.
        """
        code, depth = _attempt(self._timed, chain)
        found: set[Problem] = set()
        if code in (_NOT_YET, _ENDED):
            if depth:
                found.add(Problem.CHAIN_EXPIRED)
            code, depth = _attempt(self._timeless, chain)
        if code in _NO_ISSUER:
            found.add(Problem.INCOMPLETE_CHAIN if self._lacks(chain, depth, pool) else Problem.UNKNOWN_ISSUER)
        elif code:
            found.add(_CODES.get(code, Problem.REFUSED))
        return found

    def _lacks(self, chain: Chain, depth: int, pool: Chain) -> bool:
        """Whether something is left out: with it the path ends well, or the issuer is one that is to be fetched."""
        if pool and _attempt(self._timeless, [*chain, *pool])[0] == 0:
            return True
        return depth == 0 and names_its_issuer(chain[0])


def _attempt(store: crypto.X509Store, chain: Chain) -> tuple[int, int]:
    """(error, depth); error 0 is good."""
    try:
        leaf, *rest = (crypto.X509.from_cryptography(each) for each in chain)
        crypto.X509StoreContext(store, leaf, rest).verify_certificate()
    except crypto.X509StoreContextError as error:
        return int(error.errors[0]), int(error.errors[1])
    except crypto.Error:
        return _UNREADABLE, 0
    return 0, 0


def _system_files() -> tuple[Path, ...]:
    """The system's bundle of authorities, where OpenSSL looks for it and where distributions keep it."""
    known = ssl.get_default_verify_paths()
    places = (
        known.cafile,
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/cert.pem",
    )
    return next(((Path(place),) for place in places if place and Path(place).is_file()), ())


def _state(path: Path) -> object:
    try:
        found = os.stat(path)  # noqa: PTH116 - the same call for all
    except OSError as error:
        return error.errno
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
