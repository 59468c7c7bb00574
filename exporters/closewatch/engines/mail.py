"""A mail server on loopback that keeps what it is sent: just enough SMTP for Alertmanager."""

from __future__ import annotations

import email
import email.policy
import socketserver
import time
from dataclasses import dataclass
from email.message import EmailMessage

from closewatch.engines.listener import Listener, Server


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


class MailSink(Listener[Mail]):
    """A listening server; `with MailSink() as mail`."""

    def __init__(self) -> None:
        super().__init__("mail", _Session)

    def mails(self, since: float = 0.0) -> list[Mail]:
        """What came so far, oldest first."""
        return [mail for mail in self.kept() if mail.at >= since]


class _Session(socketserver.StreamRequestHandler):
    server: Server
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
                self.server.keep(Mail(time.time(), tuple(recipients), self._message()))
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
