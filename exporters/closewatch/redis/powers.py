"""What a user's ACL rules let it do, as far as it matters: rules are applied in order, the last one wins.

Source: "ACL" in Redis' and Valkey's documentation; the commands' ACL categories.
"""

from __future__ import annotations

from collections.abc import Iterator

_ADMIN = frozenset({"all", "admin", "dangerous", "slow"})
_DESTRUCTIVE = frozenset({"all", "dangerous", "keyspace", "write", "slow"})
# What takes the server over, sends its data elsewhere, or throws all of it away; with the categories that hold it.
_DANGEROUS = {
    "acl": _ADMIN,
    "config": _ADMIN,
    "debug": _ADMIN,
    "module": _ADMIN,
    "monitor": _ADMIN,
    "failover": _ADMIN,
    "replicaof": _ADMIN,
    "slaveof": _ADMIN,
    "shutdown": _ADMIN,
    "migrate": _DESTRUCTIVE,
    "flushall": _DESTRUCTIVE,
    "flushdb": _DESTRUCTIVE,
}
# Subcommands that may be granted alone and are as bad as their command; the others (acl|whoami, config|get) are not.
_PARTS = {
    "acl": {"setuser", "deluser", "load", "save"},
    "config": {"set", "rewrite"},
    "module": {"load", "loadex"},
    "debug": {"reload", "restart", "sleep", "object"},
}


def overpowered(rules: str) -> bool:
    """Whether a user with these rules (a line for each selector) may do something dangerous."""
    return any(_dangerous(line) for line in rules.splitlines())


def powerless(rules: str) -> bool:
    """Whether a user with these rules may do nothing at all."""
    return all(set(line.lower().split()) <= {"-@all", "nocommands"} for line in rules.splitlines())


def _dangerous(line: str) -> bool:
    allowed: set[str] = set()
    for sign, name in _rules(line):
        command, bar, part = name.partition("|")
        if bar:
            touched = {name} if part in _PARTS.get(command, ()) else set()
        elif name.startswith("@"):
            touched = {one for one, categories in _DANGEROUS.items() if name[1:] in categories}
        else:
            touched = {name} & _DANGEROUS.keys()
        if sign == "+":
            allowed |= touched
        else:
            allowed -= touched | {one for one in allowed if one.partition("|")[0] in touched}
    # A command stays allowed when some of its parts were taken away; all the dangerous ones gone, it is harmless.
    return any(not _PARTS.get(one) or not _taken_away(line, one) for one in allowed)


def _taken_away(line: str, command: str) -> bool:
    """Whether every dangerous part of an allowed command was denied after it."""
    parts = {f"{command}|{part}" for part in _PARTS[command]}
    return parts <= {name for sign, name in _rules(line) if sign == "-"}


def _rules(line: str) -> Iterator[tuple[str, str]]:
    for word in line.lower().split():
        if word in {"allcommands", "nocommands"}:
            yield ("+" if word == "allcommands" else "-"), "@all"
        elif word[0] in "+-":
            yield word[0], word[1:]
