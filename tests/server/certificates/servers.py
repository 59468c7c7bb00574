"""Servers on loopback that present a certificate, well or badly: over OpenSSL, or with bytes of the test's own."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cryptography import x509
from OpenSSL import SSL

from closewatch.sources.address import Address
from tests.server.certificates.authority import Issued

Serve = Callable[[socket.socket], None]


class Server:
    """Answers each connection by a function, in a thread of its own. `port` is where."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.accepted = 0
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    @property
    def address(self) -> Address:
        return Address("127.0.0.1", self.port)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._one, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _one(self, connection: socket.socket) -> None:
        connection.settimeout(20)
        with contextlib.suppress(OSError, SSL.Error):
            self._serve(connection)
        with contextlib.suppress(OSError):
            connection.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)


@contextmanager
def serving(serve: Serve) -> Iterator[Server]:
    server = Server(serve)
    try:
        yield server
    finally:
        server.close()


def tls(
    issued: Issued,
    *,
    chain: tuple[x509.Certificate, ...] | None = None,
    staple: bytes = b"",
    versions: tuple[int, int] = (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION),
    client_certificate: bool = False,
    by_name: dict[str, Issued] | None = None,
    protocols: tuple[bytes, ...] = (),
) -> Serve:
    """A TLS server, with what is above the certificate as it is, or as given."""
    context = _context(issued, issued.above if chain is None else chain, versions)
    if staple:
        context.set_ocsp_server_callback(lambda *_: staple)
    if client_certificate:
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
    if protocols:
        context.set_alpn_select_callback(lambda _, offered: _first_of(protocols, offered))
    others = {name: _context(each, each.above, versions) for name, each in (by_name or {}).items()}
    if others:
        context.set_tlsext_servername_callback(
            lambda connection: connection.set_context(
                others.get((connection.get_servername() or b"").decode(), context)
            )
        )

    def serve(connection: socket.socket) -> None:
        session = SSL.Connection(context, None)
        session.set_accept_state()
        _shake(session, connection)
        if protocols and not session.get_alpn_proto_negotiated():
            return
        connection.recv(1)

    return serve


def _first_of(protocols: tuple[bytes, ...], offered: list[bytes]) -> bytes:
    return next((one for one in protocols if one in offered), b"")


def _context(issued: Issued, chain: tuple[x509.Certificate, ...], versions: tuple[int, int]) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    context.set_min_proto_version(versions[0])
    context.set_max_proto_version(versions[1])
    context.use_certificate(issued.certificate)
    context.use_privatekey(issued.key)
    for each in chain:
        context.add_extra_chain_cert(each)
    return context


def _shake(session: SSL.Connection, connection: socket.socket) -> None:
    def flush() -> None:
        with contextlib.suppress(SSL.WantReadError):
            while True:
                connection.sendall(session.bio_read(65_536))

    while True:
        try:
            session.do_handshake()
            break
        except SSL.WantReadError:
            flush()
            data = connection.recv(65_536)
            if not data:
                return
            session.bio_write(data)
        except SSL.Error:
            flush()
            raise
    flush()


def says(*parts: bytes, then: Serve | None = None, wait: bool = True) -> Serve:
    """Sends the first part at once, each other one after something was received; then goes on, waits, or ends."""

    def serve(connection: socket.socket) -> None:
        for index, part in enumerate(parts):
            if index:
                connection.recv(4096)
            connection.sendall(part)
        if then is not None:
            then(connection)
        elif wait:
            while connection.recv(4096):
                pass

    return serve


def hears_then(*parts: bytes, then: Serve | None = None, wait: bool = False) -> Serve:
    """The same, but the client begins."""
    return says(b"", *parts, then=then, wait=wait)


def cut(serve: Serve, after: int, *, stall: bool) -> Serve:
    """Another server's first answer, less what `after` cuts off it as a slice does; then silence, or the end."""

    def relay(connection: socket.socket) -> None:
        ours, theirs = socket.socketpair()
        thread = threading.Thread(target=_behind, args=(serve, theirs), daemon=True)
        thread.start()
        try:
            ours.sendall(connection.recv(65_536))
            data = b""
            ours.settimeout(0.5)
            with contextlib.suppress(TimeoutError):
                while part := ours.recv(65_536):
                    data += part
            connection.sendall(data[:after])
            if stall:
                connection.recv(1)
        finally:
            ours.close()
            thread.join()

    return relay


def _behind(serve: Serve, connection: socket.socket) -> None:
    connection.settimeout(10)
    with contextlib.suppress(OSError, SSL.Error):
        serve(connection)
    connection.close()
