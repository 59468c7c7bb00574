"""What an application's user may do, judged by its rules as ACL GETUSER gives them."""

from __future__ import annotations

import pytest

from closewatch.redis.powers import overpowered, powerless


@pytest.mark.parametrize(
    "rules",
    [
        "+@all",
        "allcommands",
        "-@all +@all",
        "-@all +config",
        "-@all +config|set",
        "-@all +@dangerous",
        "-@all +@admin",
        "-@all +flushall",
        "-@all +@keyspace",
        "-@all +@write",
        "+@all -@admin",  # flushall is left
        "+@all -flushall -flushdb",
        "-@all +get\n-@all +acl|setuser",
        "+@all -@dangerous +module|load",
        "+@all -@dangerous +config",
        "+@all -@dangerous +config -config|set",  # config rewrite is left
        "-@dangerous +@all",
    ],
)
def test_too_much(rules):
    assert overpowered(rules)


@pytest.mark.parametrize(
    "rules",
    [
        "",
        "-@all",
        "nocommands",
        "+@all -@all",
        "-@all +get +set +expire +del +scan",
        "+@all -@dangerous",
        "-@all +@read +@string +@connection",
        "-@all +@write -@dangerous",
        "-@all +config|get +acl|whoami",
        "-@all +config +acl -config -acl",
        "+@all -@dangerous +config -config|set -config|rewrite",
        "-@all +get\n-@all +set",
        "-@all +info +keys",
    ],
)
def test_not_too_much(rules):
    assert not overpowered(rules)


def test_powerless():
    assert powerless("-@all")
    assert powerless("")
    assert powerless("nocommands")
    assert not powerless("-@all +ping")
    assert not powerless("-@all\n-@all +get")
