"""The collector `roles`, and the fingerprint that it shares with others."""

from __future__ import annotations

import pytest

from closewatch.postgresql.canonical import fingerprint
from closewatch.postgresql.roles import PRIVILEGES, ROLES
from tests.unit.postgresql.reading import read, target, value

FINGERPRINT = "closewatch_postgresql_privileged_roles_fingerprint"
EXPIRY = "closewatch_postgresql_roles_without_expiry"


def row(role: str, privileges: str = "", *, login: bool = True, expires: bool = False) -> dict[str, object]:
    return {"role": role, "login": login, "expires": expires, "privileges": privileges}


def count(lines: list[str], privilege: str) -> float:
    return value(lines, f'closewatch_postgresql_privileged_roles{{privilege="{privilege}"}}')


def test_every_privilege_is_there_also_with_none():
    lines = read(ROLES)
    assert [count(lines, privilege) for privilege in PRIVILEGES] == [0] * 12


def test_roles_count_by_privilege_where_they_can_log_in():
    lines = read(
        ROLES,
        row("postgres", "superuser,createdb"),
        row("dba", "superuser", login=False),
        row("reader", "read_all_data"),
    )
    assert count(lines, "superuser") == 1
    assert count(lines, "createdb") == 1
    assert count(lines, "read_all_data") == 1


def test_no_name_is_in_a_label():
    assert not any("mallory" in line for line in read(ROLES, row("mallory", "superuser")))


def test_the_fingerprint_is_whole_and_exact_in_a_float():
    number = value(read(ROLES, row("postgres", "superuser")), FINGERPRINT)
    assert number == int(number)
    assert 0 <= number < 2**48


def test_the_order_in_which_the_server_answers_changes_nothing():
    rows = [row("a", "createdb,superuser"), row("b", "replication")]
    turned = [row("b", "replication"), row("a", "superuser,createdb")]
    assert value(read(ROLES, *rows), FINGERPRINT) == value(read(ROLES, *turned), FINGERPRINT)


@pytest.mark.parametrize(
    "changed",
    [
        [row("a", "superuser"), row("b", "createdb")],
        [row("a", "superuser", login=False)],
        [row("a", "createdb")],
        [row("c", "superuser")],
        [],
    ],
)
def test_what_matters_changes_the_fingerprint(changed):
    before = value(read(ROLES, row("a", "superuser")), FINGERPRINT)
    assert value(read(ROLES, *changed), FINGERPRINT) != before


def test_a_new_tenants_role_and_a_new_expiry_change_nothing():
    before = value(read(ROLES, row("a", "superuser")), FINGERPRINT)
    after = read(ROLES, row("a", "superuser", expires=True), row("odoo_new"))
    assert value(after, FINGERPRINT) == before


def test_a_vaults_roles_count_and_are_no_change():
    settings = target(access={"temporary": "v-.*"})
    before = read(ROLES, row("a", "superuser"), on=settings)
    lines = read(ROLES, row("a", "superuser"), row("v-alice-1", "createdb"), on=settings)
    assert value(lines, FINGERPRINT) == value(before, FINGERPRINT)
    assert count(lines, "createdb") == 1


def test_expiry_is_claimed_only_where_it_is_asked_for():
    rows = [row("alice"), row("bob", expires=True), row("odoo"), row("carol", login=False)]
    assert not any(line.startswith(EXPIRY) for line in read(ROLES, *rows))
    assert value(read(ROLES, *rows, on=target(access={"expire": "alice|bob|carol"})), EXPIRY) == 1
    assert value(read(ROLES, *rows, on=target(access={"expire": "bob"})), EXPIRY) == 0


def test_rows_are_told_apart_whatever_is_in_them():
    assert fingerprint([("a", "b")]) != fingerprint([("a,b",)])
    assert fingerprint([("a",), ("b",)]) != fingerprint([("a\nb",)])
    assert fingerprint([("a", None)]) != fingerprint([("a", "null")])
    assert fingerprint([]) == fingerprint(iter(()))
    assert fingerprint([("é",)]) != fingerprint([("\ufffd",)])


def test_the_form_stays_as_it_is():
    """Another form would be another number for the same facts, and an alert on every server."""
    assert fingerprint([("postgres", True, "superuser"), ("a", False, 1)]) == 243728239464832
