"""A mail server on loopback that keeps what it is sent: just enough SMTP for Alertmanager's client."""

from __future__ import annotations

import email
import email.policy
import socketserver
import threading
from email.message import EmailMessage
from typing import Self

from closewatch.engines.process import wait_until


class MailSink:
    """`with MailSink() as mail`: listens on `mail.port`, keeps (recipients, message)."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self._server = _Server(("127.0.0.1", 0), _Session)
        self._server.sink = self
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, name="mail", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait(self, count: int = 1, timeout: float = 30.0) -> list[tuple[list[str], EmailMessage]]:
        """Wait until at least `count` mails have come; gives them."""
        wait_until(lambda: len(self.mails) >= count, timeout, f"{count} mails")
        return list(self.mails)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    sink: MailSink


class _Session(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        self._say("220 ready")
        recipients: list[str] = []
        while line := self.rfile.readline().decode("utf-8").strip():
            verb = line[:4].upper()
            if verb == "EHLO":
                self._say("250-localhost", "250 8BITMIME")
            elif verb == "DATA":
                self._say("354 go on")
                self.server.sink.mails.append((recipients, self._message()))
                recipients = []
                self._say("250 kept")
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                if verb == "RCPT":
                    recipients.append(line.split("<", 1)[1].rstrip(">").split(">")[0])
                self._say("250 ok")

    def _message(self) -> EmailMessage:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return email.message_from_bytes(b"".join(lines), policy=email.policy.default)

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())
