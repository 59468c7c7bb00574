"""TLS of the web endpoints: from a web configuration's settings to OpenSSL, and what a client's certificate says."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from closewatch.core.problems import ConfigError, printable
from closewatch.core.settings import ConfigPath, Model
from closewatch.core.yamlfile import Document, read_bytes

_MAX_BYTES = 1024 * 1024
_LOC = "tls_server_config"
_VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
_VERIFY = {
    "NoClientCert": ssl.CERT_NONE,
    "RequestClientCert": ssl.CERT_NONE,  # asked for but not verified: as good as none
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
# Go's names of the suites that it holds for safe. Those of TLS 1.3 are always on, in Go as in OpenSSL.
_SUITES: Mapping[str, str | None] = {
    "TLS_AES_128_GCM_SHA256": None,
    "TLS_AES_256_GCM_SHA384": None,
    "TLS_CHACHA20_POLY1305_SHA256": None,
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
}


def _suite(name: str) -> str:
    if name not in _SUITES:
        raise ValueError(f"unknown or unsafe; allowed: {', '.join(_SUITES)}")
    return name


Version = Literal["TLS10", "TLS11", "TLS12", "TLS13"]


class TlsServer(Model):
    """How the endpoints are encrypted, and which client certificates are asked for."""

    cert_file: ConfigPath = Field(description="The server's certificate and those between it and its authority, PEM.")
    key_file: ConfigPath = Field(description="Its private key, PEM, without a pass phrase.")
    client_auth_type: Literal[
        "NoClientCert", "RequestClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"
    ] = Field(
        default="NoClientCert", description="Whether clients show a certificate. RequireAndVerifyClientCert is secure."
    )
    client_ca_file: ConfigPath | None = Field(default=None, description="Who signs the clients' certificates, PEM.")
    client_allowed_sans: tuple[str, ...] = Field(
        default=(), description="Names of which a client's certificate must have one."
    )
    min_version: Version = Field(default="TLS12", description="The oldest TLS version.")
    max_version: Version = Field(default="TLS13", description="The newest TLS version.")
    cipher_suites: tuple[Annotated[str, AfterValidator(_suite)], ...] = Field(
        default=(), description="Cipher suites up to TLS 1.2, by their names in Go. Default: OpenSSL's."
    )
    prefer_server_cipher_suites: bool = Field(default=True, description="Whether the server's order of suites counts.")
    curve_preferences: tuple[str, ...] = Field(
        default=(), description="Accepted and ignored: OpenSSL's curves are used."
    )

    @model_validator(mode="after")
    def _check(self) -> TlsServer:
        verifies = _VERIFY[self.client_auth_type] != ssl.CERT_NONE
        if verifies and self.client_ca_file is None:
            raise ValueError(f"client_auth_type {self.client_auth_type} needs client_ca_file")
        if self.client_ca_file is not None and not verifies:
            raise ValueError("client_ca_file needs client_auth_type RequireAndVerifyClientCert")
        if self.client_allowed_sans and self.client_auth_type != "RequireAndVerifyClientCert":
            raise ValueError("client_allowed_sans needs client_auth_type RequireAndVerifyClientCert")
        if self.min_version > self.max_version:
            raise ValueError("min_version is newer than max_version")
        return self

    @property
    def required(self) -> bool:
        """Whether nobody gets in without a certificate that is verified."""
        return self.client_auth_type == "RequireAndVerifyClientCert"

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read besides the configuration."""
        return tuple(path for path in (self.cert_file, self.key_file, self.client_ca_file) if path is not None)


def context(settings: TlsServer, document: Document) -> ssl.SSLContext:
    """OpenSSL's context. Raises ConfigError that names the file at fault."""
    _need(document, "cert_file", settings.cert_file, "CERTIFICATE")
    _need(document, "key_file", settings.key_file, "PRIVATE KEY")
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = _VERSIONS[settings.min_version]
    made.maximum_version = _VERSIONS[settings.max_version]
    made.set_alpn_protocols(["http/1.1"])
    made.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    if not settings.prefer_server_cipher_suites:
        made.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if suites := [suite for name in settings.cipher_suites if (suite := _SUITES[name])]:
        made.set_ciphers(":".join(suites))
    try:
        made.load_cert_chain(settings.cert_file, settings.key_file, _no_pass_phrase)
    except (OSError, ValueError) as error:
        raise _fault(document, "key_file", settings.key_file, _words(error)) from None
    if settings.client_ca_file is not None and _VERIFY[settings.client_auth_type] != ssl.CERT_NONE:
        _need(document, "client_ca_file", settings.client_ca_file, "CERTIFICATE")
        try:
            made.load_verify_locations(settings.client_ca_file)
        except OSError:
            raise _fault(document, "client_ca_file", settings.client_ca_file, "not certificates in PEM form") from None
    made.verify_mode = _VERIFY[settings.client_auth_type]
    return made


def is_allowed(certificate: Mapping[str, Any], allowed: tuple[str, ...]) -> bool:
    """Whether one of the certificate's names is allowed; without a list every verified certificate is."""
    return not allowed or any(name in allowed for name in _names(certificate))


def _names(certificate: Mapping[str, Any]) -> Iterator[str]:
    for kind, value in certificate.get("subjectAltName", ()):
        if kind in ("DNS", "email", "URI"):
            yield value
        elif kind == "IP Address":
            try:
                yield str(ipaddress.ip_address(value.strip()))
            except ValueError:
                continue


def _no_pass_phrase() -> str:
    """Called for an encrypted key: without this OpenSSL would ask on the terminal and wait."""
    raise ValueError("encrypted")


def _need(document: Document, name: str, path: Path, kind: str) -> None:
    """The file must be readable and hold what it should; OpenSSL doesn't say which of two files it dislikes."""
    try:
        content = read_bytes(path, _MAX_BYTES)
    except ConfigError as error:
        raise _fault(document, name, path, error.problems[0].message) from None
    if f"{kind}-----".encode() not in content:
        raise _fault(document, name, path, f"holds no {kind.lower()} in PEM form")


def _fault(document: Document, name: str, path: Path, words: str) -> ConfigError:
    return ConfigError([document.problem((_LOC, name), f"{printable(str(path))}: {words}")])


def _words(error: Exception) -> str:
    if str(error) == "encrypted":
        return "the key has a pass phrase; give one without, readable by this user only"
    reason = getattr(error, "reason", None)
    if reason == "KEY_VALUES_MISMATCH":
        return "the key does not belong to the certificate in cert_file"
    return f"certificate and key can't be used ({reason or 'not in PEM form'})"
