"""The collector `databases`."""

from __future__ import annotations

from closewatch.postgresql.databases import DATABASES
from tests.unit.postgresql.reading import read, value

SIZE = "closewatch_postgresql_database_size_bytes"
TOTAL = "closewatch_postgresql_databases_size_bytes"


def rows(**sizes):
    return [{"id": oid, "database": name, "size": size} for oid, (name, size) in enumerate(sizes.items(), 16_384)]


def test_the_largest_first():
    assert read(DATABASES, *rows(postgres=8e6, odoo_acme=4.25e10)) == [
        f'{SIZE}{{database="odoo_acme"}} 42500000000',
        f'{SIZE}{{database="postgres"}} 8000000',
        f"{TOTAL} 42508000000",
    ]


def test_a_database_that_is_gone_has_no_size_and_the_total_is_not_known():
    assert read(DATABASES, *rows(postgres=8e6, dropped=None)) == [f'{SIZE}{{database="postgres"}} 8000000']


def test_beyond_five_hundred_the_rest_is_summed():
    lines = read(DATABASES, *rows(**{f"db{number}": float(number) for number in range(1, 504)}))
    assert len(lines) == 502
    assert value(lines, TOTAL) == sum(range(1, 504))
    assert value(lines, f'{SIZE}{{database="other"}}') == 1 + 2 + 3
    assert not any('database="db3"' in line for line in lines)
    assert value(lines, f'{SIZE}{{database="db4"}}') == 4


def test_five_hundred_have_no_rest():
    lines = read(DATABASES, *rows(**{f"db{number}": float(number) for number in range(500)}))
    assert len(lines) == 501
    assert not any('"other"' in line for line in lines)


def test_a_database_named_other_is_part_of_the_rest():
    sizes = {f"db{number}": float(number) for number in range(1, 501)} | {"other": 1e9}
    lines = read(DATABASES, *rows(**sizes))
    assert value(lines, f'{SIZE}{{database="other"}}') == 1e9 + 1


def test_names_that_can_only_be_shown_alike_are_one():
    twice = [{"id": 1, "database": "caf\ufffd", "size": 1.0}, {"id": 2, "database": "caf\ufffd", "size": 2.0}]
    assert read(DATABASES, *twice) == [f'{SIZE}{{database="caf\ufffd"}} 3', f"{TOTAL} 3"]


def test_what_was_not_reached_keeps_its_size_for_twenty_minutes():
    memory = {}
    assert read(DATABASES, *rows(acme=7.0, best=1.0), memory=memory, at=0) != []
    for at in (300, 600, 900, 1200):
        assert read(DATABASES, *rows(acme=None, best=2.0), memory=memory, at=at)[0] == f'{SIZE}{{database="acme"}} 7'
    assert read(DATABASES, *rows(acme=None, best=2.0), memory=memory, at=1500) == [f'{SIZE}{{database="best"}} 2']


def test_a_dropped_database_is_forgotten_at_once_also_when_its_name_is_used_again():
    memory = {}
    read(DATABASES, *rows(best=1.0, acme=7.0), memory=memory, at=0)
    assert len(read(DATABASES, *rows(best=1.0), memory=memory, at=300)) == 2
    again = [{"id": 20_000, "database": "acme", "size": None}]
    assert read(DATABASES, *again, memory=memory, at=600) == []
