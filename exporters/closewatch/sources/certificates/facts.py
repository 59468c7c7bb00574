"""What is to be known of a certificate, as plain values; and of the bundle that stands in one place."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from closewatch.sources.certificates.words import Problem

RSA_BITS, CURVE_BITS = 2048, 224
_WEAK_HASHES = (hashes.SHA1, hashes.MD5)
_ANY_USE = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
_BROKEN = (ValueError, KeyError, TypeError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)


@dataclass(frozen=True, slots=True)
class Bundle:
    """The certificates of one place: the first is the place's own, but for a bundle of trusted authorities.

    Times are Unix seconds; `spans` are (first, last) of every certificate, in order.
    """

    spans: tuple[tuple[float, float], ...]
    fingerprint: str
    authorities: bool
    problems: frozenset[Problem]

    @classmethod
    def of(cls, certificates: Sequence[x509.Certificate]) -> Bundle:
        """Of the certificates of a file, a secret or a handshake: at least one."""
        authorities = len(certificates) > 1 and all(is_authority(each) for each in certificates)
        problems = {problem for each in certificates for problem in weaknesses(each, signature=not authorities)}
        return cls(
            tuple(
                (each.not_valid_before_utc.timestamp(), each.not_valid_after_utc.timestamp()) for each in certificates
            ),
            certificates[0].fingerprint(hashes.SHA256()).hex(),
            authorities,
            frozenset(problems),
        )

    def span(self, now: float) -> tuple[float, float]:
        """First and last second of the place's own certificate.

        Of authorities it is the next one to end: one that ended long ago stays in such bundles, and hurts nobody.
        """
        if not self.authorities:
            return self.spans[0]
        current = [span for span in self.spans if span[1] > now]
        return min(current or self.spans, key=lambda span: span[1])

    def chain_ends(self) -> float | None:
        """When the first of the certificates above the place's own ends; None where there are none."""
        return None if self.authorities else min((last for _, last in self.spans[1:]), default=None)

    def dated(self, now: float) -> frozenset[Problem]:
        """The problems, with those that time brings."""
        first, last = self.span(now)
        if last <= now:
            return self.problems | {Problem.EXPIRED}
        return self.problems | {Problem.NOT_YET_VALID} if first > now else self.problems


def weaknesses(certificate: x509.Certificate, *, signature: bool = True) -> set[Problem]:
    """Key and signature; that of a root doesn't count, as nobody verifies it."""
    found: set[Problem] = set()
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        key = None  # a curve or a kind of key that the library doesn't know is not thereby weak
    if _too_short(key):
        found.add(Problem.WEAK_KEY)
    if signature and certificate.issuer != certificate.subject and _weak_hash(certificate):
        found.add(Problem.WEAK_SIGNATURE)
    return found


def _too_short(key: object) -> bool:
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size < RSA_BITS
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.curve.key_size < CURVE_BITS
    return isinstance(key, dsa.DSAPublicKey)


def _weak_hash(certificate: x509.Certificate) -> bool:
    try:
        return isinstance(certificate.signature_hash_algorithm, _WEAK_HASHES)
    except (UnsupportedAlgorithm, ValueError):
        return False


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it says of itself that it may sign others."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, *_BROKEN):
        return False


def names_its_issuer(certificate: x509.Certificate) -> bool:
    """Whether it says where its issuer's certificate is to be had, as those of public authorities do."""
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, *_BROKEN):
        return False
    return any(one.access_method == AuthorityInformationAccessOID.CA_ISSUERS for one in access)


def must_staple(certificate: x509.Certificate) -> bool:
    """Whether it demands an OCSP answer with the handshake."""
    try:
        features = certificate.extensions.get_extension_for_class(x509.TLSFeature).value
    except (x509.ExtensionNotFound, *_BROKEN):
        return False
    return x509.TLSFeatureType.status_request in features


def fitness(certificate: x509.Certificate, hosts: Sequence[str]) -> set[Problem]:
    """Is it for servers, and for all of these names? Only subject alternative names count (RFC 9525)."""
    found: set[Problem] = set()
    try:
        extensions = certificate.extensions
    except _BROKEN:
        return {Problem.MALFORMED_EXTENSION, Problem.NO_NAMES}
    try:
        uses = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        if not any(use in uses for use in _ANY_USE):
            found.add(Problem.NOT_FOR_SERVERS)
    except x509.ExtensionNotFound:
        pass
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return {*found, Problem.NO_NAMES}
    domains = names.get_values_for_type(x509.DNSName)
    addresses = [str(each) for each in names.get_values_for_type(x509.IPAddress)]
    if not all(_covers(host, domains, addresses) for host in hosts):
        found.add(Problem.HOST_MISMATCH)
    return found


def _covers(host: str, domains: Sequence[str], addresses: Sequence[str]) -> bool:
    try:
        return str(ipaddress.ip_address(host)) in addresses
    except ValueError:
        wanted = host.lower().rstrip(".")
    _, _, above = wanted.partition(".")
    patterns = {domain.lower().rstrip(".") for domain in domains}
    return wanted in patterns or ("." in above and f"*.{above}" in patterns)
