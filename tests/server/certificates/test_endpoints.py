"""Broken endpoints of every kind: each has its right reason, and its expiry whenever a certificate was presented."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL

from tests.server.certificates.authority import CA, DAY, Issued, with_sha1
from tests.server.certificates.conftest import Shake
from tests.server.certificates.servers import Serve, cut, hears_then, says, tls

OTHER = CA("Somebody else")
ONLY_12 = (SSL.TLS1_2_VERSION, SSL.TLS1_2_VERSION)


@dataclass(frozen=True)
class Case:
    """How to serve, given the trusted root and its intermediate; and what is to be found."""

    serve: Callable[[CA, CA], Serve]
    problems: frozenset[str] = frozenset()
    failure: str | None = None
    hosts: tuple[str, ...] = ("localhost",)
    protocol: str = "tls"
    seconds: float = 10.0

    @property
    def verified(self) -> bool | None:
        bearable = {"weak_key", "weak_signature", "chain_order", "too_many_certificates", "malformed_extension"}
        bearable |= {"staple_missing", "staple_expired", "staple_invalid"}
        return not self.problems - bearable


def _is(serve: Callable[[CA, CA], Serve], *problems: str, hosts: tuple[str, ...] = ("localhost",)) -> Case:
    return Case(serve, frozenset(problems), hosts=hosts)


def _forged(middle: CA) -> Issued:
    """Signed with another key than the issuer's."""
    return middle.issue(signer=OTHER.key)


def _stapled(middle: CA, **options: Any) -> Serve:
    leaf = middle.issue()
    return tls(leaf, staple=middle.staple(leaf, **options))


def _expired_middle(root: CA, _: CA) -> Serve:
    return tls(CA("Old intermediate", root, end=-DAY).issue())


def _many(count: int, kind: str = "ec") -> tuple[x509.Certificate, ...]:
    return (OTHER.issue(kind=kind, common_name="x" * 60).certificate,) * count


PRESENTED = {
    "good": _is(lambda _, m: tls(m.issue())),
    "good from the root itself": _is(lambda r, _: tls(r.issue())),
    "good with TLS 1.0": _is(lambda _, m: tls(m.issue(), versions=(SSL.TLS1_VERSION, SSL.TLS1_VERSION))),
    "good and demands a client certificate": _is(lambda _, m: tls(m.issue(), client_certificate=True)),
    "the same with TLS 1.2": _is(lambda _, m: tls(m.issue(), client_certificate=True, versions=ONLY_12)),
    "good with a wildcard": _is(lambda _, m: tls(m.issue("*.example.com")), hosts=("odoo.example.com",)),
    "good by address": _is(lambda _, m: tls(m.issue("127.0.0.1")), hosts=("127.0.0.1",)),
    "good by name": _is(
        lambda r, m: tls(r.issue("other.example"), by_name={"a.example": m.issue("a.example")}), hosts=("a.example",)
    ),
    "expired": _is(lambda _, m: tls(m.issue(end=dt.timedelta(seconds=-5))), "expired"),
    "not yet valid": _is(lambda _, m: tls(m.issue(start=DAY)), "not_yet_valid"),
    "expired, for another name, of an unknown authority": _is(
        lambda *_: tls(OTHER.issue("b.example", end=-DAY / 2)), "expired", "host_mismatch", "unknown_issuer"
    ),
    "intermediate expired": _is(_expired_middle, "chain_expired"),
    "self-signed": _is(lambda *_: tls(CA("Itself", names=("localhost",)).self_signed()), "self_signed"),
    "unknown authority": _is(lambda *_: tls(OTHER.issue()), "unknown_issuer"),
    "unknown authority, sent along": _is(lambda *_: tls(OTHER.issue(), chain=(OTHER.certificate,)), "unknown_issuer"),
    "intermediate left out": _is(lambda _, m: tls(m.issue(access=True), chain=()), "incomplete_chain"),
    "other name": _is(lambda _, m: tls(m.issue("example.com")), "host_mismatch"),
    "one of two names": _is(lambda _, m: tls(m.issue("a.example")), "host_mismatch", hosts=("a.example", "b.example")),
    "wildcard two labels deep": _is(
        lambda _, m: tls(m.issue("*.example.com")), "host_mismatch", hosts=("a.b.example.com",)
    ),
    "other address": _is(lambda _, m: tls(m.issue("10.0.0.1")), "host_mismatch", hosts=("127.0.0.1",)),
    "common name only": _is(lambda _, m: tls(m.issue(common_name="localhost", names=())), "no_names"),
    "for clients": _is(lambda _, m: tls(m.issue(uses=ExtendedKeyUsageOID.CLIENT_AUTH)), "not_for_servers"),
    "signed by a certificate that is no authority": _is(lambda r, _: tls(CA("Plain", r, ca=False).issue()), "not_a_ca"),
    "signature forged": _is(lambda _, m: tls(_forged(m)), "bad_signature"),
    "outside of the authority's names": _is(
        lambda r, _: tls(CA("Narrow", r, permitted="example.com").issue("localhost")), "name_constraints"
    ),
    "RSA 1024": _is(lambda _, m: tls(m.issue(kind="rsa1024")), "weak_key"),
    "SHA-1, and forged": _is(lambda *_: tls(with_sha1(OTHER)), "weak_signature", "unknown_issuer"),
    "out of order": _is(lambda r, m: tls(m.issue(), chain=(r.certificate, m.certificate)), "chain_order"),
    "staple good": _is(lambda _, m: _stapled(m)),
    "staple says revoked": _is(lambda _, m: _stapled(m, status=ocsp.OCSPCertStatus.REVOKED), "revoked_by_staple"),
    "staple out of date": _is(lambda _, m: _stapled(m, until=-DAY), "staple_expired"),
    "staple demanded and missing": _is(lambda _, m: tls(m.issue(must_staple=True)), "staple_missing"),
    "100 certificates": _is(
        lambda _, m: tls(m.issue(), chain=(m.certificate, *_many(99))), "too_many_certificates", "chain_order"
    ),
}

HTTP = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
NOTHING: dict[str, Case] = {
    "says nothing": Case(lambda *_: says(b""), failure="timeout", seconds=1.5),
    "ends at once": Case(lambda *_: says(b"", wait=False), failure="connection_lost"),
    "garbage": Case(lambda *_: says(bytes(range(256)) * 4), failure="not_tls"),
    "a web server without TLS": Case(lambda *_: hears_then(HTTP), failure="not_tls"),
    "an SSH server": Case(lambda *_: says(b"SSH-2.0-OpenSSH_9.2\r\n"), failure="not_tls"),
    "half a record": Case(
        lambda *_: hears_then(b"\x16\x03\x03\x40\x00\x02", wait=True), failure="timeout", seconds=1.5
    ),
    "stops before its certificate": Case(
        lambda _, m: cut(tls(m.issue(), versions=ONLY_12), 60, stall=True), failure="timeout", seconds=2.0
    ),
    "ends before its certificate": Case(
        lambda _, m: cut(tls(m.issue(), versions=ONLY_12), 60, stall=False), failure="handshake"
    ),
    "refuses every version": Case(
        lambda *_: hears_then(b"\x15\x03\x03\x00\x02\x02\x46"), failure="handshake"
    ),  # alert: protocol version
    "100 large certificates": Case(
        lambda _, m: tls(m.issue(), chain=_many(150, "rsa3072")), failure="too_many_certificates"
    ),
    "endless garbage": Case(lambda *_: _endless, failure="not_tls"),
    "PostgreSQL without TLS": Case(lambda *_: hears_then(b"N"), failure="no_tls", protocol="postgresql"),
    "PostgreSQL with an error": Case(lambda *_: hears_then(b"E\0\0\0\x10"), failure="not_tls", protocol="postgresql"),
    "PostgreSQL that ends": Case(lambda *_: hears_then(b""), failure="connection_lost", protocol="postgresql"),
    "SMTP without STARTTLS": Case(
        lambda *_: says(b"220 mail\r\n", b"250-mail\r\n250 SIZE\r\n"), failure="no_tls", protocol="smtp"
    ),
    "SMTP that is full": Case(lambda *_: says(b"421 too busy\r\n"), failure="not_tls", protocol="smtp"),
    "SMTP greeting without end": Case(lambda *_: says(b"220-mail\r\n" * 500), failure="not_tls", protocol="smtp"),
    "SMTP line without end": Case(lambda *_: says(b"2" * 600_000), failure="not_tls", protocol="smtp"),
    "SMTP that goes on in clear text": Case(
        lambda *_: says(b"220 mail\r\n", b"250 STARTTLS\r\n", b"220 go\r\n250 injected\r\n"),
        failure="not_tls",
        protocol="smtp",
    ),
    "IMAP without STARTTLS": Case(
        lambda *_: says(b"* OK ready\r\n", b"c1 NO disabled\r\n"), failure="no_tls", protocol="imap"
    ),
    "IMAP that says goodbye": Case(lambda *_: says(b"* BYE\r\n"), failure="not_tls", protocol="imap"),
}


def _endless(connection: Any) -> None:
    while True:
        connection.sendall(b"\x16\x03\x03\x40\x00" + b"\0" * 0x4000)


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in PRESENTED.items()])
def test_what_is_presented_has_its_expiry_and_its_problems(case: Case, shake: Shake, root: CA, middle: CA) -> None:
    row = shake(case.serve(root, middle), hosts=case.hosts)
    assert row["failure"] is None
    assert set(row["problems"]) == case.problems
    assert row["not_after"] > row["not_before"] > 0
    assert row["verified"] is case.verified


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in NOTHING.items()])
def test_what_presents_nothing_has_its_reason(case: Case, shake: Shake, root: CA, middle: CA) -> None:
    row = shake(case.serve(root, middle), protocol=case.protocol, seconds=case.seconds)
    assert (row["failure"], row["problems"], row["verified"]) == (case.failure, (), None)
    assert row.get("not_after") is None


def test_a_handshake_that_stops_after_the_certificate_has_its_expiry_too(shake: Shake, middle: CA) -> None:
    leaf = middle.issue()
    row = shake(cut(tls(leaf, versions=ONLY_12), -1, stall=True), seconds=3.0)
    assert (row["failure"], row["not_after"], row["problems"]) == ("timeout", leaf.not_after, ())


def test_the_intermediate_is_missed_where_the_stored_chain_has_it(shake: Shake, middle: CA, tmp_path: Path) -> None:
    leaf = middle.issue()
    (tmp_path / "chain.pem").write_bytes(leaf.chain_pem)
    assert shake(tls(leaf, chain=()), stored=tmp_path / "chain.pem")["problems"] == ("incomplete_chain",)
    assert shake(tls(leaf, chain=()))["problems"] == ("unknown_issuer",)


def test_what_the_configuration_does_not_trust_is_unknown(shake: Shake, middle: CA) -> None:
    assert shake(tls(middle.issue()), trust=False)["problems"] == ("unknown_issuer",)


@pytest.mark.parametrize("ca", [True, False])
def test_what_is_self_signed_on_purpose_is_trusted_by_its_own_file(ca: bool, shake: Shake, tmp_path: Path) -> None:
    itself = CA("Itself", names=("snakeoil.example",), ca=ca).self_signed()
    (tmp_path / "itself.pem").write_bytes(itself.pem)
    row = shake(tls(itself), hosts=("snakeoil.example",), trusted=(tmp_path / "itself.pem",))
    assert (row["verified"], row["problems"]) == (True, ())


def test_an_authority_that_cannot_be_read_is_told(shake: Shake, middle: CA, tmp_path: Path) -> None:
    rows: dict[Any, Any] = {}
    row = shake(tls(middle.issue()), trusted=(tmp_path / "gone.pem",), rows=rows)
    assert row["problems"] == ()
    assert rows["trust", str(tmp_path / "gone.pem")]["failure"] == "gone"
