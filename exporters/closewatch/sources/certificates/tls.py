"""Reading what a TLS server presents, before anybody judges it: its chain and its OCSP answer.

The handshake is made without verification, so that an expired or unknown certificate is read like any other;
`certtrust` verifies afterwards. Python's own `ssl` gives neither the unverified chain (before 3.13) nor the OCSP
answer, so this is pyOpenSSL, over memory: the bytes go through our own socket, which keeps the deadline.
"""

from __future__ import annotations

import contextlib
import ipaddress
from dataclasses import dataclass, field
from functools import cache

from cryptography import x509
from OpenSSL import SSL

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason
from closewatch.sources.certificates.parse import readable
from closewatch.sources.certificates.places import Endpoint
from closewatch.sources.certificates.starttls import Wire, begin
from closewatch.sources.certificates.words import Fault, Unreadable

_LEGACY_SERVER_CONNECT = 0x4
_NOT_TLS = (
    "wrong version number", "http request", "packet length too long", "unexpected message", "record layer failure",
    "bad record type", "invalid record", "wrong ssl version", "unexpected record", "length mismatch", "bad packet",
    "unknown protocol", "record too small", "decode error", "bad length", "tlsv1 bad record", "not on record boundary",
)  # fmt: skip
_TOO_MANY = ("excessive message size", "message too long", "exceeds max")


@dataclass(slots=True)
class Served:
    """What a server presented. `failure` says why the handshake did not end well although the chain was there."""

    chain: list[x509.Certificate] = field(default_factory=list)
    staple: bytes = b""
    failure: Fault | Reason | None = None


@cache
def _context() -> SSL.Context:
    """Takes whatever a server offers: old versions, weak keys, any certificate. Nothing is ever sent over it."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_verify(SSL.VERIFY_NONE)
    context.set_cipher_list(b"ALL:!aNULL:!eNULL:@SECLEVEL=0")
    context.set_min_proto_version(SSL.TLS1_VERSION)
    context.set_options(_LEGACY_SERVER_CONNECT)
    context.set_ocsp_client_callback(_keep_staple)
    return context


def _keep_staple(connection: SSL.Connection, staple: bytes, _: object) -> bool:
    connection.get_app_data().staple = staple
    return True


def fetch(endpoint: Endpoint, deadline: Deadline) -> Served:
    """Shake hands once. Raises Unreadable where no certificate was presented by the deadline."""
    wire = Wire.open(endpoint.address, deadline)
    try:
        begin(wire, endpoint.protocol)
        return _handshake(wire, endpoint)
    finally:
        wire.close()


def _handshake(wire: Wire, endpoint: Endpoint) -> Served:
    served = Served()
    connection = SSL.Connection(_context(), None)
    connection.set_app_data(served)
    connection.set_connect_state()
    connection.request_ocsp()
    if name := _server_name(endpoint.hosts[0]):
        connection.set_tlsext_host_name(name)
    if endpoint.protocol == "postgresql_direct":
        connection.set_alpn_protos([b"postgresql"])
    failure: Fault | Reason | None = None
    try:
        _shake(connection, wire)
    except Unreadable as broken:
        failure = broken.reason
    try:
        served.chain = [readable(each) for each in connection.get_peer_cert_chain(as_cryptography=True) or ()]
    except (ValueError, x509.InvalidVersion):
        raise Unreadable(Fault.MALFORMED) from None
    if served.chain:
        # An end by the server after its certificate is what one does that demands a client's certificate.
        served.failure = None if failure is Fault.HANDSHAKE else failure
        return served
    raise Unreadable(failure or Fault.NO_CERTIFICATE)


def _shake(connection: SSL.Connection, wire: Wire) -> None:
    """The handshake, and a polite end. Raises Unreadable."""
    heard = False
    while True:
        try:
            connection.do_handshake()
            break
        except SSL.WantReadError:
            _flush(connection, wire)
            data = wire.receive()
            if not data:
                raise Unreadable(Fault.HANDSHAKE if heard else Reason.CONNECTION_LOST) from None
            heard = True
            connection.bio_write(data)
        except SSL.Error as error:
            raise Unreadable(_why(error)) from None
    try:
        _flush(connection, wire)
        connection.shutdown()
        _flush(connection, wire)
    except (SSL.Error, Unreadable):
        pass  # all that was wanted is there


def _flush(connection: SSL.Connection, wire: Wire) -> None:
    while True:
        try:
            data = connection.bio_read(65_536)
        except SSL.WantReadError:
            return
        wire.send(data)


def _why(error: SSL.Error) -> Fault:
    """By the words of our own OpenSSL; what the server sent is not among them."""
    said = " ".join(str(part) for entry in (error.args[0] if error.args else ()) for part in entry).lower()
    if any(words in said for words in _TOO_MANY):
        return Fault.TOO_MANY_CERTIFICATES
    if "asn1" in said or "certificate verify failed" in said:
        return Fault.MALFORMED
    if "alert" not in said and any(words in said for words in _NOT_TLS):
        return Fault.NOT_TLS
    return Fault.HANDSHAKE


def _server_name(host: str) -> bytes | None:
    """The name to ask for; an address is none, nor is what no certificate can carry."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        with contextlib.suppress(UnicodeError):
            return host.encode("idna")
    return None
