"""What the configuration says of access: which of it is refused, and what follows from it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from closewatch.postgresql.policy import books, may_own, trusted
from tests.unit.postgresql.reading import target


def settings(**access: Any):
    return target(access=access).settings


@pytest.mark.parametrize(
    "access",
    [
        {"books": "("},
        {"books": "(?P<database>.*)"},
        {"owners": 7},
        {"allow": "odoo"},
        {"allow": [""]},
        {"allow": ["x" * 64]},
        {"break_glass": [f"role{number}" for number in range(11)]},
        {"accept": ["work_mem"]},
        {"accept": ["fsync "]},
        {"hba": "perhaps"},
        {"unknown": True},
    ],
)
def test_what_is_refused(access: dict[str, Any]):
    with pytest.raises(ValidationError):
        settings(**access)


def test_nothing_said_is_the_default():
    policy = target().settings.access
    assert (policy.books, policy.owners, policy.allow, policy.break_glass) == (None, None, (), ())
    assert (policy.expire, policy.temporary, policy.accept, policy.hba) == (None, None, (), True)


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({}, ["odoo_acme"]),
        ({"discover": []}, None),
        ({"discover": [], "access": {"books": "ware.*"}}, ["warehouse"]),
        ({"access": {"books": ".*"}}, ["odoo_acme", "warehouse", "xodoo_acme"]),
        ({"ignore": "odoo_acme"}, []),
        ({"ignore": "odoo_acme", "access": {"books": "odoo_.*"}}, ["odoo_acme"]),
        ({"discover": [{"databases": "warehouse"}, {"databases": "x.*"}]}, ["warehouse", "xodoo_acme"]),
    ],
)
def test_which_databases_hold_books(more: dict[str, Any], found: list[str] | None):
    holds = books(target(**more).settings)
    names = ["odoo_acme", "warehouse", "xodoo_acme"]
    assert (None if holds is None else [name for name in names if holds(name)]) == found


@pytest.mark.parametrize(
    ("owners", "owner", "superuser", "allowed"),
    [
        (None, "anybody", False, True),
        (None, "postgres", True, False),
        ("odoo", "odoo", False, True),
        ("odoo", "odoo2", False, False),
        ("postgres", "postgres", True, False),
    ],
)
def test_who_may_own_books(owners: str | None, owner: str, superuser: bool, allowed: bool):
    assert may_own(settings(owners=owners), owner, superuser=superuser) is allowed


def test_who_is_expected_everywhere():
    assert trusted(settings(allow=["a"], break_glass=["b"])) == {"a", "b", "closewatch"}
