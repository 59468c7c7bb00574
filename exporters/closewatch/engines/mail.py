"""A mail server on loopback that keeps what it is sent: just enough SMTP for Alertmanager."""

from __future__ import annotations

import email
import email.policy
import socketserver
import threading
import time
from dataclasses import dataclass
from email.message import EmailMessage
from types import TracebackType
from typing import Self

from closewatch.engines.folder import HOST, free_port


@dataclass(frozen=True, slots=True)
class Mail:
    """One delivery: when, to whom, what."""

    at: float
    recipients: tuple[str, ...]
    message: EmailMessage

    @property
    def subject(self) -> str:
        """The subject as a person reads it."""
        return str(self.message["Subject"] or "")

    @property
    def text(self) -> str:
        """The plain part of the body."""
        part = self.message.get_body(("plain",))
        return str(part.get_content()).strip() if part else ""


class MailSink:
    """A listening server; `with MailSink() as mail`."""

    def __init__(self) -> None:
        self._mails: list[Mail] = []
        self._lock = threading.Lock()
        self.port = free_port()
        self._server = _Server((HOST, self.port), _Session)
        self._server.sink = self
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="mail", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def add(self, mail: Mail) -> None:
        """Keep a mail."""
        with self._lock:
            self._mails.append(mail)

    def mails(self, since: float = 0.0) -> list[Mail]:
        """What came so far, oldest first."""
        with self._lock:
            return [mail for mail in self._mails if mail.at >= since]


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    sink: MailSink


class _Session(socketserver.StreamRequestHandler):
    server: _Server
    timeout = 60

    def handle(self) -> None:
        self._say("220 ready")
        recipients: list[str] = []
        while line := self.rfile.readline(2048).decode("utf-8", errors="replace").strip():
            verb = line[:4].upper()
            if verb == "EHLO":
                self._say("250-localhost", "250 8BITMIME")
            elif verb == "DATA":
                self._say("354 go on")
                self.server.sink.add(Mail(time.time(), tuple(recipients), self._message()))
                recipients = []
                self._say("250 kept")
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                if verb == "RCPT":
                    recipients.append(line.partition("<")[2].partition(">")[0])
                self._say("250 ok")

    def _message(self) -> EmailMessage:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return email.message_from_bytes(b"".join(lines), _class=EmailMessage, policy=email.policy.default)

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())
