"""What the configuration says of access, as questions: is this database one with books, may this role own one?"""

from __future__ import annotations

import re
from collections.abc import Callable

from closewatch.postgresql.settings import PostgresqlTarget


def books(settings: PostgresqlTarget) -> Callable[[str], bool] | None:
    """Whether a database, by its name, holds books; None where the configuration doesn't say which do.

    Those of `access.books`; where that isn't set, those that `discover` matches and `ignore` doesn't.
    """
    if settings.access.books is not None:
        chosen = re.compile(settings.access.books)
        return lambda name: chosen.fullmatch(name) is not None
    if not settings.discover:
        return None
    found = [re.compile(rule.databases) for rule in settings.discover]
    ignored = re.compile(settings.ignore) if settings.ignore else None

    def matches(name: str) -> bool:
        return not (ignored and ignored.fullmatch(name)) and any(one.fullmatch(name) for one in found)

    return matches


def may_own(settings: PostgresqlTarget, owner: str, *, superuser: bool) -> bool:
    """Whether a role may own a database with books. A superuser never: what its owner runs there, runs as superuser."""
    if superuser:
        return False
    return settings.access.owners is None or re.fullmatch(settings.access.owners, owner) is not None


def trusted(settings: PostgresqlTarget) -> frozenset[str]:
    """The roles that may be in any database with books: those listed, those for emergencies, and closewatch's own."""
    return frozenset({*settings.access.allow, *settings.access.break_glass, settings.user})
