"""The way in: a TLS endpoint of the first cell, the file that its certificate is renewed in, and a partner's file."""

from __future__ import annotations

from pathlib import Path

from closewatch.demo.databases import CELL
from closewatch.demo.watching import KeepSecret, Targets
from closewatch.engines.authority import Authority, Issued
from closewatch.engines.folder import RunFolder
from closewatch.engines.frontdoor import FrontDoor

NAME = "front"
HOST_NAME = "odoo.example.com"
LIFETIME = 90


class Front:
    """A reverse proxy's TLS end, whose certificate is kept in a file beside it."""

    title = "a TLS endpoint with its certificate's file"
    count = 1

    def __init__(self, run: RunFolder) -> None:
        folder = run.folder("certificates")
        self.stored = folder / "odoo.pem"
        self.partner = folder / "bank.pem"
        self._trusted = folder / "authority.pem"
        self.door = FrontDoor()
        self.authority = Authority("Example authority")

    def start(self) -> None:
        """Serve a certificate that was renewed ten days ago."""
        self._trusted.write_bytes(self.authority.pem)
        self.partner.write_bytes(self.issue().pem)
        self.renew(self.issue())
        self.door.load(self._stored)

    def issue(self, *, left: int = LIFETIME - 10) -> Issued:
        """A certificate with so many of its days left."""
        return self.authority.issue(HOST_NAME, used=LIFETIME - left, left=left)

    def renew(self, issued: Issued) -> None:
        """Put a certificate into the file, as a renewal does: in one step."""
        self._stored = issued
        _replace(self.stored, issued.pem)

    def reload(self) -> None:
        """Serve what the file holds."""
        self.door.load(self._stored)

    def cut_off(self) -> None:
        """Leave half of the partner's file, as a copy does that breaks off."""
        _replace(self.partner, self.issue().pem[:300])

    def copy_again(self) -> None:
        """Bring the partner's file whole."""
        _replace(self.partner, self.issue().pem)

    def close(self) -> None:
        """Stop listening."""
        self.door.close()

    def targets(self, keep_secret: KeepSecret) -> Targets:  # noqa: ARG002 - there is no login
        """The endpoint with its stored file, and the partner's file."""
        endpoint = {"address": self.door.address, "name": HOST_NAME, "hosts": [HOST_NAME], "stored": str(self.stored)}
        return [
            {
                "kind": "certificates",
                "name": NAME,
                "cell": CELL,
                "endpoints": [endpoint],
                "files": [str(self.partner)],
                "trust": [str(self._trusted)],
            }
        ]


def _replace(path: Path, data: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.rename(path)
