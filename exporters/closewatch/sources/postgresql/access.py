"""How to log in to the members of a cluster, and what all who ask it share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.secrets import Secret, SecretError
from closewatch.sources.address import Address
from closewatch.sources.postgresql.connection import Connection
from closewatch.sources.postgresql.dblocks import DatabaseLocks
from closewatch.sources.postgresql.visits import Visits

VISITS = 2
"""Short sessions at once on a server; with the held one that makes three."""


def login(user: str, password: Secret | None, database: str, tls: Mapping[str, str]) -> dict[str, str]:
    """A login as libpq's parameters; the password is read each time, so that a rotated one is used.

    Raises Unavailable where it can't be read.
    """
    parameters = {
        "user": user,
        "dbname": database,
        "application_name": "closewatch",
        "client_encoding": "UTF8",
        "gssencmode": "disable",
        "sslmode": "prefer",
        **tls,
    }
    if not parameters["sslmode"].startswith(("require", "verify")):
        parameters["require_auth"] = "!password"  # never the password in clear text to whoever answers
    if password is not None:
        try:
            parameters["password"] = password.read()
        except SecretError as error:
            raise Unavailable(Reason.SECRET, str(error)) from None
    return parameters


@dataclass(slots=True)
class Access:
    """How to log in to the members of a cluster, and what is known of them. Shared by the cluster and its databases."""

    addresses: tuple[Address, ...]
    user: str
    password: Secret | None = None
    database: str = "postgres"
    tls: dict[str, str] = field(default_factory=dict)
    primary: Address | None = None
    visits: Visits = field(default_factory=lambda: Visits(VISITS))
    locks: DatabaseLocks = field(default_factory=DatabaseLocks)

    def open(self, address: Address, database: str, deadline: Deadline) -> Connection:
        """A new session. Raises Unavailable."""
        return Connection.open(address, login(self.user, self.password, database, self.tls), deadline)

    def in_order(self) -> list[Address]:
        """The members, the one last known as primary first."""
        return sorted(self.addresses, key=lambda address: address != self.primary)
