"""Bytes to certificates: PEM, DER and PKCS#12. Of a key in the same bytes nothing is decoded, less in PKCS#12.

There the key is encrypted together with the rest; it is dropped at once.
"""

from __future__ import annotations

import base64
import binascii
import re

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import pkcs12

from closewatch.core.secrets import Secret, SecretError
from closewatch.sources.certificates.words import Fault, Unreadable

MAX_CERTIFICATES = 1_000
"""More than this in one file is no bundle of anybody's authorities."""

_BEGIN = b"-----BEGIN "
_BLOCK = re.compile(
    rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----(.*?)-----END (?:TRUSTED |X509 )?CERTIFICATE-----", re.DOTALL
)
_OPENED = re.compile(rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----")
_SEQUENCE = 0x30
_LONG_FORM = 0x80
_PKCS12 = b"\x02\x01\x03"  # the version, first in its sequence
_LEGACY_HEADER = 2
_BROKEN = (ValueError, OverflowError, KeyError, TypeError, x509.InvalidVersion)
"""What the library raises for a certificate that is put together wrongly; found by damaging good ones."""

Certificates = list[x509.Certificate]


def parse(data: bytes, password: Secret | None = None) -> Certificates:
    """The certificates in the order of the file, at least one. Raises Unreadable."""
    if not data.strip():
        raise Unreadable(Fault.EMPTY)
    if _BEGIN in data:
        return _pem(data)
    if data[0] == _SEQUENCE:
        return _binary(data, password)
    raise Unreadable(Fault.UNKNOWN_KIND)


def _pem(data: bytes) -> Certificates:
    opened = len(_OPENED.findall(data))
    if opened > MAX_CERTIFICATES:
        raise Unreadable(Fault.TOO_MANY_CERTIFICATES)
    blocks = _BLOCK.findall(data)
    if not opened:
        # Cut off within the line that begins it, or a file with a key or a request only.
        cut = data.rstrip().endswith(_BEGIN) or b"-----" not in data[data.rindex(_BEGIN) + len(_BEGIN) :]
        raise Unreadable(Fault.TRUNCATED if cut else Fault.NO_CERTIFICATE)
    if len(blocks) < opened:
        raise Unreadable(Fault.TRUNCATED)
    return [_der(_base64(block)) for block in blocks]


def _base64(block: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(block.split()), validate=True)
    except binascii.Error:
        raise Unreadable(Fault.MALFORMED) from None


def _binary(data: bytes, password: Secret | None) -> Certificates:
    header, length = _length(data)
    if header + length > len(data):
        raise Unreadable(Fault.TRUNCATED)
    if data[header : header + len(_PKCS12)] == _PKCS12:
        return _pkcs12(data, password)
    if data[header] != _SEQUENCE:
        raise Unreadable(Fault.UNKNOWN_KIND)
    return [_der(data[: header + length])]


def _length(data: bytes) -> tuple[int, int]:
    """The lengths of the outermost header and of its content. Raises Unreadable."""
    if len(data) < _LEGACY_HEADER:
        raise Unreadable(Fault.TRUNCATED)
    first = data[1]
    if first < _LONG_FORM:
        return 2, first
    size = first - _LONG_FORM
    if not 1 <= size <= 4:  # noqa: PLR2004 - bytes of a length; a file has no more
        raise Unreadable(Fault.UNKNOWN_KIND)
    if len(data) <= 2 + size:
        raise Unreadable(Fault.TRUNCATED)
    return 2 + size, int.from_bytes(data[2 : 2 + size])


def _der(data: bytes) -> x509.Certificate:
    try:
        return readable(x509.load_der_x509_certificate(data))
    except _BROKEN:
        raise Unreadable(Fault.MALFORMED) from None


def readable(certificate: x509.Certificate) -> x509.Certificate:
    """The certificate, when its dates and names can be read: the library parses them late. Raises Unreadable."""
    try:
        for each in (certificate.not_valid_before_utc, certificate.not_valid_after_utc):
            each.timestamp()
        hash((certificate.subject, certificate.issuer))
    except _BROKEN:
        raise Unreadable(Fault.MALFORMED) from None
    return certificate


def _pkcs12(data: bytes, password: Secret | None) -> Certificates:
    try:
        phrase = password.read().encode() if password is not None else None
    except SecretError:
        raise Unreadable(Fault.PASSWORD) from None
    try:
        held = pkcs12.load_pkcs12(data, phrase)
    except ValueError:
        raise Unreadable(_why_not(data)) from None
    except UnsupportedAlgorithm:
        raise Unreadable(Fault.UNKNOWN_KIND) from None
    own = [held.cert.certificate] if held.cert else []
    found = [*own, *(each.certificate for each in held.additional_certs)]
    if not found:
        raise Unreadable(Fault.NO_CERTIFICATE)
    return found


def _why_not(data: bytes) -> Fault:
    """PKCS#12 has one error for a wrong password and for broken content: only its outer form tells them apart."""
    # version, then authSafe: a ContentInfo with the OID of data or signed data
    return Fault.PASSWORD if b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07" in data[:40] else Fault.MALFORMED
