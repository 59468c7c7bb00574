"""A server that does nothing but shake hands: the TLS end of a reverse proxy, with an OCSP answer as those send it.

It serves what it was told at its last `load`, as a proxy serves what it read at its last reload.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading

from OpenSSL import SSL

from closewatch.engines.authority import Issued
from closewatch.engines.folder import HOST, free_port

_PATIENCE = 5.0


class FrontDoor:
    """Listens on `address` once it has a certificate."""

    def __init__(self) -> None:
        self.port = free_port()
        self.address = f"{HOST}:{self.port}"
        self._server: _Server | None = None

    def load(self, issued: Issued) -> None:
        """Serve this certificate from now on."""
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate(issued.certificate)
        context.use_privatekey(issued.key)
        context.set_ocsp_server_callback(lambda *_: issued.staple)
        if self._server is None:
            self._server = _Server((HOST, self.port), _Handshake)
            threading.Thread(target=self._server.serve_forever, args=(0.1,), name="front", daemon=True).start()
        self._server.context = context

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    context: SSL.Context


class _Handshake(socketserver.BaseRequestHandler):
    server: _Server
    request: socket.socket

    def handle(self) -> None:
        """One handshake; whatever goes wrong with it is the client's matter."""
        self.request.settimeout(_PATIENCE)
        session = SSL.Connection(self.server.context, None)
        session.set_accept_state()
        with contextlib.suppress(OSError, SSL.Error):
            while not self._step(session):
                data = self.request.recv(65_536)
                if not data:
                    return
                session.bio_write(data)
            self.request.recv(1)

    def _step(self, session: SSL.Connection) -> bool:
        """Go on with the handshake as far as it goes; true when it is done."""
        try:
            session.do_handshake()
        except SSL.WantReadError:
            done = False
        else:
            done = True
        with contextlib.suppress(SSL.WantReadError):
            while True:
                self.request.sendall(session.bio_read(65_536))
        return done
