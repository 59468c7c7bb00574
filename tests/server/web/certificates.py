"""Certificates made in the test: an authority of its own, valid for a day."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    if "://" in name:
        return x509.UniformResourceIdentifier(name)
    if "@" in name:
        return x509.RFC822Name(name)
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Authority:
    """Signs certificates. `path` is its own, for those who trust it."""

    def __init__(self, folder: Path, name: str = "Test authority") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self._certificate = self._sign(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0), ())
        self.path = folder / f"{name.replace(' ', '-')}.crt"
        self.path.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, stem: str, *names: str, password: bytes | None = None) -> tuple[Path, Path]:
        """Certificate and key in files STEM.crt and STEM.key, replaced in one step where they exist."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(_name(stem), key, x509.BasicConstraints(ca=False, path_length=None), names)
        protection = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        content = {
            "crt": certificate.public_bytes(serialization.Encoding.PEM),
            "key": key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection),
        }
        for ending, data in content.items():
            new = self._folder / f"{stem}.{ending}.new"
            new.write_bytes(data)
            new.rename(self._folder / f"{stem}.{ending}")
        return self._folder / f"{stem}.crt", self._folder / f"{stem}.key"

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, basic: x509.BasicConstraints, names: tuple[str, ...]
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(basic, critical=True)
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general(name) for name in names]), critical=False
            )
        return builder.sign(self._key, hashes.SHA256())
