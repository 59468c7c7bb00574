"""The collector `isolation`."""

from __future__ import annotations

from closewatch.postgresql.isolation import ISOLATION
from tests.unit.postgresql.reading import read, target, value

START = "closewatch_postgresql_books_"


def role(name, holder=None):
    """A role that can log in, and one that it is or inherits from."""
    return {**dict.fromkeys(["database", "owner", "owner_super", "grantees"]), "role": name, "holder": holder}


def row(number, *, owner=None, owner_super=False, public=True, granted=(), database=None):
    """A database, whose owner has its number unless another is given; CONNECT was granted to the owner and to these."""
    name, holder = owner or (f"owner{number}", number)
    grantees = ",".join(str(one) for one in [*([0] if public else []), holder, *granted])
    whole = {"database": database or f"odoo_{number}", "owner": name, "owner_super": owner_super}
    return {**whole, "role": None, "holder": holder, "grantees": grantees}


def facts(*rows, on=None):
    lines = read(ISOLATION, *rows, on=on)
    names = ["databases", "databases_open", "owners", "databases_owner_unexpected"]
    pairs = {holder: value(lines, f'{START}foreign_access{{holder="{holder}"}}') for holder in ("tenant", "other")}
    return {**{name: value(lines, f"{START}{name} ") for name in names}, **pairs}


def tenants(count, *, public=True):
    """So many tenants from number 1 on, each with a role and a database."""
    numbers = range(1, count + 1)
    return [*(role(f"owner{one}", one) for one in numbers), *(row(one, public=public) for one in numbers)]


def test_every_tenant_gets_into_every_database_unless_somebody_revoked_it():
    expected = {"databases": 40, "databases_open": 40, "owners": 40, "databases_owner_unexpected": 0}
    assert facts(*tenants(40)) == {**expected, "tenant": 40 * 39, "other": 0}


def test_after_the_revocation_nobody_does():
    expected = {"databases": 40, "databases_open": 0, "owners": 40, "databases_owner_unexpected": 0}
    assert facts(*tenants(40, public=False)) == {**expected, "tenant": 0, "other": 0}


def test_one_grant_too_many_is_found():
    rows = [*tenants(2, public=False), role("owner3", 3), row(3, public=False, granted=[2])]
    assert (facts(*rows)["tenant"], facts(*rows)["other"]) == (1, 0)


def test_a_group_opens_the_database_to_its_members():
    staff = [role("owner1", 90), role("clerk", 90), role("clerk", 91)]
    found = facts(*tenants(2, public=False), *staff, row(3, public=False, granted=[90, 91]))
    assert (found["tenant"], found["other"]) == (1, 1)


def test_roles_of_nobodys_books_are_counted_apart():
    found = facts(*tenants(2), role("clerk"))
    assert (found["tenant"], found["other"]) == (2, 2)


def test_listed_roles_and_closewatch_are_expected():
    on = target(access={"allow": ["clerk"], "break_glass": ["emergency"]})
    found = facts(*tenants(2), role("clerk"), role("emergency"), role("closewatch"), on=on)
    assert (found["tenant"], found["other"]) == (2, 0)


def test_one_role_for_all_tenants_has_no_pairs_and_one_owner():
    rows = [role("odoo", 7), *(row(number, owner=("odoo", 7)) for number in range(1, 6))]
    found = facts(*rows)
    assert (found["databases"], found["owners"], found["tenant"], found["other"]) == (5, 1, 0, 0)


def test_members_of_the_owner_belong_there():
    apps = [role("app_a", 1), role("app_b", 2)]
    assert facts(*apps, row(1, public=False), row(2, public=False))["tenant"] == 0
    assert facts(*apps, row(1), row(2))["tenant"] == 2


def test_an_owner_that_can_do_everything_is_unexpected_and_is_nobodys_tenant():
    found = facts(role("clerk", 10), row(1, owner=("postgres", 10), owner_super=True), row(2), row(3))
    assert found["databases_owner_unexpected"] == 1
    assert (found["tenant"], found["other"]) == (0, 2)


def test_owners_by_the_configuration():
    assert facts(*tenants(3), on=target(access={"owners": "owner[12]"}))["databases_owner_unexpected"] == 1


def test_a_database_whose_owner_cant_log_in():
    found = facts(role("clerk"), row(1, public=False))
    assert (found["databases"], found["other"]) == (1, 0)


def test_databases_without_books_dont_count():
    found = facts(*tenants(2), row(9, database="warehouse"))
    assert (found["databases"], found["owners"]) == (2, 2)


def test_where_nobody_says_which_databases_have_books_nothing_is_claimed():
    assert read(ISOLATION, *tenants(2), on=target(discover=[])) == []
