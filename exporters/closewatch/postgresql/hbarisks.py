"""What is risky in the lines of pg_hba.conf: a closed set, judged line by line from the top, as the server reads them.

Remote is what is neither a Unix socket nor the host itself. Lines that reject are no risk; one that turns away all
sessions without TLS makes the lines below it safe in that respect (the first line that fits counts). An address that
isn't understood is remote.
"""

from __future__ import annotations

import ipaddress
from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from closewatch.core.collectors import Row

RISKS = {
    "trust": "remote, and nothing is asked: whoever reaches the port is whoever they say",
    "trust_local": "nothing is asked of whoever has a login on the host itself",
    "cleartext_password": "remote, and the password travels in plain text where TLS isn't used",
    "ident": "remote, and the client's own host is asked who it is",
    "md5": "accepts passwords that are kept as MD5",
    "unencrypted": "remote, and sessions without TLS get in",
    "everybody": "any role from any address",
    "stored_secret": "the line itself holds a password (LDAP, RADIUS)",
    "invalid": "the server can't read the line: it keeps the old rules, and doesn't start with these",
}
CLEARTEXT = frozenset({"password", "ldap", "radius", "pam", "bsd"})
MAYBE_PLAIN = frozenset({"host", "hostnossl", "hostnogssenc"})
EVERY_DATABASE = ("all", "replication")  # `all` doesn't cover replication
FAMILIES = (4, 6)


@dataclass(frozen=True, slots=True)
class Line:
    """One line; `families` are the IP versions of which it takes every address."""

    facts: tuple[str | bool | None, ...]
    type: str
    databases: frozenset[str]
    users: frozenset[str]
    method: str
    remote: bool
    families: frozenset[int]
    certificate: bool
    secret: bool
    invalid: bool

    @classmethod
    def of(cls, row: Row) -> Line:
        """A line from a row of the query in `hba`."""
        names = ("type", "databases", "users", "address", "netmask", "method", "options", "invalid")
        remote, families = _reach(row["address"], row["netmask"])
        return cls(
            facts=tuple(row[name] for name in names),
            type=row["type"] or "",
            databases=frozenset((row["databases"] or "").split(",")),
            users=frozenset((row["users"] or "").split(",")),
            method=row["method"] or "",
            remote=remote and row["type"] != "local",
            families=families,
            certificate=row["certificate"],
            secret=row["secret"],
            invalid=row["invalid"],
        )

    @property
    def scopes(self) -> list[str]:
        """What of EVERY_DATABASE it is about: data, replication, or both."""
        about = {"replication" if one == "replication" else "all" for one in self.databases}
        return [scope for scope in EVERY_DATABASE if scope in about]

    def closes(self) -> set[tuple[str, int]]:
        """What no session without TLS gets past, as (of EVERY_DATABASE, IP version), where the line rejects."""
        if self.type not in {"host", "hostnossl"} or "all" not in self.users:
            return set()
        return {(scope, family) for scope in EVERY_DATABASE if scope in self.databases for family in self.families}


def risks(lines: Iterable[Line]) -> Mapping[str, int]:
    """Lines by risk, in the file's order."""
    found: Tally[str] = Tally(dict.fromkeys(RISKS, 0))
    closed: set[tuple[str, int]] = set()
    for line in lines:
        if line.invalid:
            found["invalid"] += 1
        elif line.method == "reject":
            closed |= line.closes()
        else:
            found.update(_risks(line, plain=line.type in MAYBE_PLAIN and not _shut(line, closed)))
    return found


def _shut(line: Line, closed: set[tuple[str, int]]) -> bool:
    families = line.families or FAMILIES
    return all((scope, family) in closed for scope in line.scopes for family in families)


def _risks(line: Line, *, plain: bool) -> Iterable[str]:
    if line.secret:
        yield "stored_secret"
    if line.method == "md5":
        yield "md5"
    if line.method == "trust" and not line.certificate:
        yield "trust" if line.remote else "trust_local"
    if not line.remote:
        return
    if line.method == "ident":
        yield "ident"
    if plain:
        yield "unencrypted"
        if line.method in CLEARTEXT:
            yield "cleartext_password"
    if line.families and "all" in line.users and line.databases & set(EVERY_DATABASE):
        yield "everybody"


def _reach(address: str | None, netmask: str | None) -> tuple[bool, frozenset[int]]:
    """Whether the address is another machine's, and the IP versions of which it takes every address."""
    if address is None or address in {"samehost", "localhost"}:
        return False, frozenset()
    if address == "all":
        return True, frozenset(FAMILIES)
    try:
        prefix = int(ipaddress.ip_address(netmask or "")).bit_count()
        network = ipaddress.ip_network(f"{address}/{prefix}", strict=False)
    except ValueError:
        return True, frozenset()
    return not network.is_loopback, frozenset({network.version}) if prefix == 0 else frozenset()
