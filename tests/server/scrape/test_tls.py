"""TLS to PostgreSQL: what is verified, and what is said when it fails."""

from __future__ import annotations

import datetime as dt
import ipaddress
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from closewatch.engines.postgres import PostgresServer
from tests.fixtures.watch import Watched, grant


@dataclass
class Authority:
    """A certificate authority of the test, and what it signs."""

    folder: Path
    name: str

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(self.name, self.key.public_key(), ca=True)
        self.file = self._write(f"{self.name}.crt", self.certificate.public_bytes(serialization.Encoding.PEM))

    def server(self, address: str) -> tuple[Path, Path]:
        """Certificate and key for a server at an IP address."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign("server", key.public_key(), address=address)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return (
            self._write(f"{self.name}-server.crt", certificate.public_bytes(serialization.Encoding.PEM)),
            self._write(f"{self.name}-server.key", pem),
        )

    def _sign(
        self, name: str, public: ec.EllipticCurvePublicKey, *, ca: bool = False, address: str | None = None
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)]))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if address is not None:
            names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def _write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path


def with_tls(server: PostgresServer, certificate: Path, key: Path) -> None:
    for source, name in ((certificate, "server.crt"), (key, "server.key")):
        target = server.data / name
        shutil.copyfile(source, target)
        owner = server.data.stat()
        shutil.chown(target, owner.st_uid, owner.st_gid)
        target.chmod(0o600)
    server.configure(ssl="on")
    server.restart()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "good")


@pytest.mark.pg("<18")  # the embedded PostgreSQL 18 is built without TLS
def test_verified_and_not(
    new_postgres: Callable[..., PostgresServer], watching: Callable[..., Watched], authority: Authority, tmp_path: Path
) -> None:
    server = new_postgres()
    grant(server)
    with_tls(server, *authority.server(server.host))
    other = Authority(tmp_path, "other")

    def ask(**tls: str) -> tuple[bool, str]:
        target = {"kind": "postgresql", "name": "pg", "hosts": [server.address], "tls": tls}
        facts = watching(target).ask("pg")
        return facts.up, facts.reason

    assert ask(mode="verify-full", ca=str(authority.file)) == (True, "")
    assert ask(mode="require") == (True, "")
    assert ask(mode="disable") == (True, "")
    assert ask(mode="verify-full", ca=str(other.file)) == (False, "tls")
    assert ask(mode="verify-full", ca=str(tmp_path / "missing.crt")) == (False, "tls")
    with_tls(server, *authority.server("192.0.2.1"))
    assert ask(mode="verify-ca", ca=str(authority.file)) == (True, "")
    assert ask(mode="verify-full", ca=str(authority.file)) == (False, "tls")


def test_a_server_without_tls_is_refused_where_it_is_required(
    postgres_server: PostgresServer, watching: Callable[..., Watched]
) -> None:
    grant(postgres_server)
    target = {"kind": "postgresql", "name": "pg", "hosts": [postgres_server.address], "tls": {"mode": "require"}}
    facts = watching(target).ask("pg")
    assert (facts.up, facts.reason) == (False, "tls")
