"""One connection: TLS, then requests one after the other, each answered by a route.

Parsing is the standard library's. What it leaves open is closed here: time and size of a request, HTTP/0.9, bodies,
methods, headers that two readers could take differently, and errors in our own words.
"""

from __future__ import annotations

import http
import io
import re
import socket
import ssl
import urllib.parse
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import structlog

from closewatch.core.deadline import Deadline
from closewatch.core.problems import printable
from closewatch.core.web.auth import Verdict
from closewatch.core.web.messages import Headers, Request, Response, is_loopback, plain
from closewatch.core.web.stream import Reader, TooLargeError, linger, send
from closewatch.core.web.tls import is_allowed
from closewatch.core.web.webconfig import WebSettings

if TYPE_CHECKING:
    from closewatch.core.web.server import Place, Server

log = structlog.get_logger(__name__)

POSTED = ("/-/reload",)
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_TLS_HANDSHAKE = b"\x16"
_LONGEST_LINE = 8 * 1024
_LONGEST_BODY = 32 * 1024
_MAX_FIELDS = 100
_LINGER = 1.0
_REFUSED_IDLE = 2.0
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="closewatch", charset="UTF-8"'}


class Connection(BaseHTTPRequestHandler):
    """Answers the requests of one client. Lives in the connection's own thread."""

    protocol_version = "HTTP/1.1"
    headers: Any

    def __init__(self, place: Place, server: Server) -> None:  # the base class would serve from here
        self._place = place
        self._server = server
        self._limits = server.limits
        self._certificate: dict[str, Any] = {}
        self._posted = 0
        self.close_connection = False
        self.wfile = io.BytesIO()
        self.command, self.requestline, self.request_version = "", "", self.protocol_version

    def run(self) -> None:
        """Until the client goes, an error, or the server's end. Raises OSError when the client is gone or too slow."""
        if not self._secured():
            return
        self._reader = Reader(self._place.socket, self._limits.request)
        self.rfile = io.BufferedReader(self._reader, _LONGEST_LINE)
        while not self.close_connection and not self._server.stopping:
            if not self._one_request():
                return

    # ---- TLS

    def _secured(self) -> bool:
        """Whether the connection is as the web configuration wants it."""
        context = self._server.web_config.current().context
        if context is None:
            return True
        deadline = Deadline.after(self._limits.handshake)
        sock = self._place.socket
        sock.settimeout(deadline.left())
        first = sock.recv(1, socket.MSG_PEEK)
        if first != _TLS_HANDSHAKE:
            if first:
                self._say(plain(400, "this is HTTP to a TLS port: use https://"), WebSettings())
                self._linger()
            return False
        self._place.socket = secured = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        secured.settimeout(max(deadline.left(), 0.001))
        try:
            secured.do_handshake()
        except ssl.SSLError as error:
            log.debug("tls_refused", client=self._place.client, reason=error.reason)
            return False
        self._certificate = secured.getpeercert() or {}
        return True

    # ---- a request

    def _one_request(self) -> bool:
        """Read and answer a request. False when there is none."""
        limits = self._limits
        self._place.turn(busy=False)
        self._reader.expect(_REFUSED_IDLE if self._place.refused else limits.idle, limits.head)
        try:
            if not self._read():
                return False
            response = self._answer()
        except TimeoutError:
            if self._reader.waiting:
                return False
            response = self._closing(plain(408, "the request took too long"))
        except TooLargeError:
            response = self._closing(plain(431, "the request is too large"))
        except _RefusedError as error:
            response = self._closing(error.response)
        if self._server.stopping:
            self.close_connection = True
        self._say(response, self._server.web_config.current())
        if self.close_connection:
            self._linger()
        return True

    def _read(self) -> bool:
        """The request's head and its body, which is dropped. False at the end of the connection."""
        self.command, self.requestline, self.request_version = "", "", self.protocol_version
        line = self.rfile.readline(_LONGEST_LINE + 1)
        while line in (b"\r\n", b"\n"):  # an empty line before a request is allowed
            line = self.rfile.readline(_LONGEST_LINE + 1)
        if not line:
            return False
        self._reader.begin()
        if len(line) > _LONGEST_LINE:
            raise _RefusedError(plain(414, "the address is too long"))
        self.raw_requestline = line
        if not self.parse_request():
            raise _RefusedError(plain(400, "not a request that this server understands"))
        if self.request_version == "HTTP/0.9":
            raise _RefusedError(plain(400, "HTTP/0.9 is not served"))
        if self.headers.defects or any(not _TOKEN.fullmatch(name) for name in self.headers):
            raise _RefusedError(plain(400, "a header is not well formed"))
        self._drop_body()
        return True

    def _drop_body(self) -> None:
        """Bodies mean nothing here, but where one is asked for: that is read later, once it is known who posts it.

        One whose length isn't plain ends the connection: what follows can't be told.
        """
        self._posted = 0
        most = self._server.bodies.get(self.path.partition("?")[0]) if self.command == "POST" else None
        if most is not None and "Content-Length" not in self.headers:
            raise _RefusedError(plain(411, "the body needs a Content-Length"))
        lengths = set(self.headers.get_all("Content-Length", []))
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True
            return
        if not lengths:
            return
        text = lengths.pop().strip()
        if lengths or not (text.isascii() and text.isdigit()):
            raise _RefusedError(plain(400, "Content-Length is not a number"))
        if len(text) > 9 or int(text) > (most or _LONGEST_BODY):  # noqa: PLR2004 - digits
            raise _RefusedError(plain(413, "the body is too large"))
        if most is not None:
            self._posted = int(text)
        else:
            self.rfile.read(int(text))

    def _body(self) -> bytes:
        """What was posted. Raises TimeoutError where it is slow, and a refusal where it ends early."""
        body = self.rfile.read(self._posted) if self._posted else b""
        if len(body) < self._posted:
            raise _RefusedError(plain(400, "the body ends early"))
        return body

    def _answer(self) -> Response:
        """Who may ask, then what is asked for."""
        if self._place.refused:
            return self._closing(plain(503, "all connections are in use", {"Retry-After": "5"}))
        settings = self._server.web_config.current()
        headers = Headers((name, " ".join(value.split())) for name, value in self.headers.items())
        if (refused := self._refused(settings, headers)) is not None:
            return self._closing(refused) if self._posted else refused
        body = self._body()
        self._place.turn(busy=True)  # not before: who waits for a login to be checked can be made to give way
        try:
            url = urllib.parse.urlsplit(self.path)
            query = urllib.parse.parse_qs(url.query, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
        except ValueError:
            return plain(400, "the address is not valid")
        client = self._place.client
        authenticated = bool(settings.users or self._certificate)
        local = is_loopback(client, headers)
        return self._route(Request(self.command, url.path, query, headers, client, authenticated, local, body))

    def _refused(self, settings: WebSettings, headers: Headers) -> Response | None:
        if settings.certificate_required and not self._certificate:
            return self._closing(plain(403, "a client certificate is asked for since: connect again"))
        if self._certificate and not is_allowed(self._certificate, settings.allowed_sans):
            return self._closing(plain(403, "no name in the client certificate is allowed"))
        if not settings.users:
            return None
        verdict = self._server.basic_auth.verdict(headers.get("Authorization"), settings.users)
        if verdict is Verdict.BUSY:
            return plain(503, "too many logins are being checked", {"Retry-After": "1"})
        return None if verdict is Verdict.RIGHT else plain(401, "log in with user and password", _CHALLENGE)

    def _route(self, request: Request) -> Response:
        route = self._server.routes.get(request.path)
        if route is None:
            return plain(404, "not found")
        allowed = ("POST",) if request.path in POSTED or request.path in self._server.bodies else ("GET", "HEAD")
        if request.method not in allowed:
            return plain(405, f"use {' or '.join(allowed)}", {"Allow": ", ".join(allowed)})
        if request.method == "POST" and request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            return plain(403, "not from a page of another site")
        try:
            return route(request)
        except Exception:
            log.exception("route_failed", path=request.path)
            return plain(500, "an error in closewatch: see its log")

    # ---- an answer

    def _closing(self, response: Response) -> Response:
        self.close_connection = True
        return response

    def _say(self, response: Response, settings: WebSettings) -> None:
        headers = {
            "Date": formatdate(usegmt=True),
            "Content-Type": response.content_type,
            "Content-Length": str(len(response.body)),
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
            **response.headers,
            **settings.headers,
        }
        if self.close_connection:
            headers["Connection"] = "close"
        elif self.request_version == "HTTP/1.0":
            headers["Connection"] = "keep-alive"
        lines = [f"HTTP/1.1 {response.status} {_phrase(response.status)}"]
        lines += [f"{name}: {printable(value)}" for name, value in headers.items()]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        body = b"" if self.command == "HEAD" else response.body
        send(self._place.socket, head + body, Deadline.after(self._limits.write))

    def _linger(self) -> None:
        self._place.turn(busy=False)
        linger(self._place.socket, Deadline.after(_LINGER))

    # ---- what the base class would say on its own

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Called while parsing: the answer is in our own words, not an echo of the request."""
        raise _RefusedError(plain(code, _phrase(code)))

    def handle_expect_100(self) -> bool:
        """A client that waits for permission to send a body gets its answer instead."""
        return True

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged: Prometheus asks all day long."""


class _RefusedError(Exception):
    """A request that gets no route, with its answer."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
