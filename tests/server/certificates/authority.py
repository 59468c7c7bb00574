"""Certificates as no authority should issue them: each fault can be asked for. Keys are made once, as RSA is slow."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

DAY = dt.timedelta(days=1)
PEM = serialization.Encoding.PEM
DER = serialization.Encoding.DER


@cache
def key(kind: str) -> Any:
    """One key of a kind; the same each time."""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    if kind == "dsa":
        return dsa.generate_private_key(2048)
    if kind == "p192":
        return ec.generate_private_key(ec.SECP192R1())
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(private: Any) -> bytes:
    return bytes(private.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@dataclass(frozen=True)
class Issued:
    """A certificate, its key, and what stands above it."""

    certificate: x509.Certificate
    key: Any
    above: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(DER)

    @property
    def chain_pem(self) -> bytes:
        """Its own certificate, then those above."""
        return b"".join(each.public_bytes(PEM) for each in (self.certificate, *self.above))

    @property
    def key_pem(self) -> bytes:
        return key_pem(self.key)

    def p12(self, password: bytes | None) -> bytes:
        protection = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        return pkcs12.serialize_key_and_certificates(b"x", self.key, self.certificate, list(self.above), protection)

    @property
    def not_after(self) -> float:
        return self.certificate.not_valid_after_utc.timestamp()


class CA:
    """An authority; `under` is the one that signs it, itself without."""

    def __init__(self, name: str = "Test root", under: CA | None = None, **options: Any) -> None:
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.above: tuple[x509.Certificate, ...] = ()
        signer = under or self
        options = {"start": -10 * DAY, "end": 3650 * DAY, "names": (), "ca": True, "uses": None, **options}
        self.certificate = signer.sign(self.name, self.key, **options)
        self.above = (self.certificate, *under.above) if under else ()

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(PEM)

    def issue(self, *names: str, kind: str = "ec", common_name: str = "leaf", **options: Any) -> Issued:
        """A certificate for a server of these names (127.0.0.1 and localhost by default)."""
        private = key(kind)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        options.setdefault("names", names or ("127.0.0.1", "localhost"))
        return Issued(self.sign(subject, private, **options), private, self.above)

    def self_signed(self) -> Issued:
        """Its own certificate, as one that a server presents."""
        return Issued(self.certificate, self.key)

    def sign(
        self,
        subject: x509.Name,
        private: Any,
        *,
        names: tuple[str, ...],
        start: dt.timedelta = -DAY,
        end: dt.timedelta = 89 * DAY,
        ca: bool = False,
        uses: Any = ExtendedKeyUsageOID.SERVER_AUTH,
        hash_: Any = None,
        must_staple: bool = False,
        access: bool = False,
        permitted: str = "",
        signer: Any = None,
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + start)
            .not_valid_after(now + end)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        extensions: list[tuple[x509.ExtensionType, bool]] = []
        if names:
            extensions.append((x509.SubjectAlternativeName([_general(name) for name in names]), False))
        if uses:
            extensions.append((x509.ExtendedKeyUsage([uses]), False))
        if must_staple:
            extensions.append((x509.TLSFeature([x509.TLSFeatureType.status_request]), False))
        if access:
            place = x509.UniformResourceIdentifier("http://authority.invalid/ca.crt")
            about = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, place)
            extensions.append((x509.AuthorityInformationAccess([about]), False))
        if permitted:
            allowed = x509.NameConstraints([x509.DNSName(permitted)], None)
            extensions.append((allowed, True))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(signer or self.key, hash_ or hashes.SHA256())

    def staple(
        self, leaf: Issued, *, status: Any = ocsp.OCSPCertStatus.GOOD, until: dt.timedelta = DAY, of: Any = None
    ) -> bytes:
        """An OCSP answer about a certificate."""
        now = dt.datetime.now(dt.UTC)
        revoked = status is ocsp.OCSPCertStatus.REVOKED
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=(of or leaf).certificate,
            issuer=self.certificate,
            algorithm=hashes.SHA1(),  # noqa: S303 - of the name, as the protocol has it
            cert_status=status,
            this_update=now - 5 * DAY,
            next_update=now + until,
            revocation_time=now - DAY if revoked else None,
            revocation_reason=None,
        )
        answer = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self.certificate).sign(self.key, hashes.SHA256())
        return answer.public_bytes(DER)


def with_sha1(root: CA) -> Issued:
    """Signed with RSA and SHA-1, which the library refuses to do: made with SHA-256, then signed anew.

    The two algorithms differ in the last byte of their identifiers, so every length stays.
    """
    modern, old = bytes.fromhex("06092a864886f70d01010b"), bytes.fromhex("06092a864886f70d010105")
    issued = root.issue(kind="rsa2048", signer=key("rsa2048"))
    signature = key("rsa2048").sign(
        issued.certificate.tbs_certificate_bytes.replace(modern, old),
        padding.PKCS1v15(),
        hashes.SHA1(),  # noqa: S303
    )
    data = issued.der.replace(modern, old).replace(issued.certificate.signature, signature)
    return Issued(x509.load_der_x509_certificate(data), issued.key)
