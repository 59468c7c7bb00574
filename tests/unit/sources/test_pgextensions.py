"""Which form of a query an installed extension allows."""

from __future__ import annotations

import pytest

from closewatch.sources.postgresql.extensions import Extension, fitted, found, look, needed
from closewatch.sources.postgresql.query import Query

NEW = Query("SELECT new FROM {schema}.view", extension="pg_stat_statements 1.9")
OLD = Query("SELECT old FROM {schema}.view", extension="pg_stat_statements 1.8")
PLAIN = Query("SELECT '{schema}'")


def installed(version: str, schema: str = "public") -> dict[str, Extension]:
    return dict(found([{"name": "pg_stat_statements", "version": version, "schema": schema}]))


def test_only_what_is_needed_is_looked_for():
    assert needed([PLAIN, NEW, OLD]) == ("pg_stat_statements",)
    assert needed([PLAIN]) == ()
    assert "IN ('a', 'b')" in look(["a", "b"])


@pytest.mark.parametrize(
    ("version", "new", "old"),
    [("1.12", True, True), ("1.10", True, True), ("1.9", True, True), ("1.8", False, True), ("1.7", False, False),
     ("2", True, True), ("1.9devel", False, False), ("", False, False)],
)  # fmt: skip
def test_versions_are_compared_as_numbers(version: str, new: bool, old: bool):
    extensions = installed(version)
    assert (fitted(NEW, extensions) is not None, fitted(OLD, extensions) is not None) == (new, old)


def test_the_schema_is_filled_in_as_the_server_quoted_it():
    query = fitted(NEW, installed("1.10", '"Mo""n {schema}"'))
    assert query is not None
    assert query.sql == 'SELECT new FROM "Mo""n {schema}".view'


def test_a_query_without_an_extension_stays_as_it_is():
    assert fitted(PLAIN, {}) is PLAIN
    assert fitted(NEW, {}) is None
