"""The store of sessions of the first cell: a Valkey that users log in through, as Odoo's session add-ons keep it.

    session:<id>   seven days for who is logged in; what is in it doesn't matter here

A thread plays the users. The watching user has the rights that are shipped, and nothing else.
"""

from __future__ import annotations

import random
import secrets
import threading
from importlib import resources

import redis

from closewatch.demo.databases import CELL
from closewatch.demo.watching import KeepSecret, Targets
from closewatch.engines.folder import RunFolder
from closewatch.engines.redis import ADMIN, RedisServer

NAME = "sessions"
ROLE = "closewatch"
APPLICATION = "odoo"
LIFE = 7 * 86_400
_RIGHTS = ("~session:*", "-@all", "+get", "+set", "+expire", "+del", "+ping")
_USERS = 400
_PAUSE = 0.02
_PAGE = 4_000
"""Bytes of a session: a user with many companies and a long menu."""


class Sessions:
    """The store, and users who come and go."""

    title = "Valkey: the store of sessions of the first cell"
    count = 1

    def __init__(self, run: RunFolder) -> None:
        self.server = RedisServer(run, name=NAME, settings={"save": "3600 1", "maxmemory": "256mb"})
        self.password = secrets.token_urlsafe(18)
        self._application = secrets.token_urlsafe(18)
        self._ended = threading.Event()
        self._users = threading.Thread(target=self._live, name="sessions", daemon=True)

    def start(self) -> None:
        """Start the server, make its two users, and let people log in."""
        self.server.start()
        rules = resources.files("closewatch.redis").joinpath("acl.txt").read_text(encoding="utf-8").split()[2:]
        rights = [f">{self.password}" if rule.startswith(">") else rule for rule in rules]
        self.server.command("ACL", "SETUSER", ROLE, "reset", *rights)
        self.server.command("ACL", "SETUSER", APPLICATION, "reset", "on", f">{self._application}", *_RIGHTS)
        self._users.start()

    def close(self) -> None:
        """Let the users go; the server ends with the run folder."""
        self._ended.set()
        if self._users.is_alive():
            self._users.join(10)

    def targets(self, keep_secret: KeepSecret) -> Targets:
        """The store."""
        return [
            {
                "kind": "redis",
                "name": NAME,
                "cell": CELL,
                "hosts": [self.server.address],
                "user": ROLE,
                "password": {"file": keep_secret(NAME, self.password)},
                "use": "sessions",
                "application_user": APPLICATION,
            }
        ]

    def set_memory(self, limit: str, policy: str) -> None:
        """Change the limit and what happens there."""
        self.server.command("CONFIG", "SET", "maxmemory-policy", policy)
        self.server.command("CONFIG", "SET", "maxmemory", limit)

    def used(self) -> int:
        """Bytes in use."""
        return int(self.server.command("INFO", "memory")["used_memory"])

    def open_to_all(self) -> None:
        """Let anybody in."""
        self.server.command("CONFIG", "SET", "protected-mode", "no")
        self.server.command("ACL", "SETUSER", ADMIN, "nopass")

    def lock(self) -> None:
        """Ask for the password again. The server refuses a password where none is needed: so without one."""
        self.server.command("ACL", "SETUSER", ADMIN, "resetpass", f">{self.server.password}", password="")
        self.server.command("CONFIG", "SET", "protected-mode", "yes")

    def _live(self) -> None:
        """Users who log in and look around, until the end. A server that refuses for a while is tried again."""
        with self.server.client(APPLICATION, self._application) as client:
            while not self._ended.wait(_PAUSE):
                key = f"session:{random.randrange(_USERS)}"
                try:
                    if client.get(key) is None:
                        client.set(key, "x" * _PAGE, ex=LIFE)
                except redis.RedisError:
                    continue
