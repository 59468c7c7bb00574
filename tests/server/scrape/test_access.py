"""Who may do what, through the whole scrape of a cluster: its series, a failover, a restart, and grants that lack."""

from __future__ import annotations

from collections.abc import Callable

from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from closewatch.grants import missing_grants
from closewatch.postgresql.hba import HBA
from closewatch.postgresql.isolation import ISOLATION
from closewatch.postgresql.logins import LOGINS
from closewatch.postgresql.parameters import PARAMETERS
from closewatch.postgresql.roles import ROLES
from tests.fixtures.watch import ROLE, Facts, Watched, grant

Watching = Callable[..., Watched]
COLLECTORS = (ROLES, PARAMETERS, HBA, LOGINS, ISOLATION)
OURS = {family.name for collector in COLLECTORS for family in collector.families}
ROLES_NUMBER = "postgresql_privileged_roles_fingerprint"
NUMBERS = ("postgresql_access_rules_fingerprint", "postgresql_settings_fingerprint")


def cluster(*servers: PostgresServer, **access: object) -> dict[str, object]:
    hosts = [server.address for server in servers]
    discover = [{"databases": "odoo_.*"}]
    return {"kind": "postgresql", "name": "pg", "hosts": hosts, "discover": discover, "access": access}


def numbers(facts: Facts, server: PostgresServer) -> list[float]:
    """The fingerprints of the cluster and of one member."""
    return [facts.one(ROLES_NUMBER), *(facts.one(name, member=server.address) for name in NUMBERS)]


def test_series_of_a_server_stay_in_their_budget(new_postgres: Callable[..., PostgresServer], watching: Watching):
    server = new_postgres()
    grant(server)
    facts = watching(cluster(server, break_glass=["one", "two", "three"], expire=".*")).ask("pg")
    assert facts.failing == {}
    own = [sample for sample in facts.samples if sample.family.name in OURS]
    assert 55 <= len(own) <= 70


def test_neither_a_failover_nor_a_restart_is_a_change(new_postgres: Callable[..., PostgresServer], watching: Watching):
    primary = new_postgres()
    grant(primary)
    standby = primary.add_standby("heir", application_name="heir").start()
    try:
        primary.wait_streaming("heir")
        # A file of its own: the members differ, as they may.
        with (standby.data / "pg_hba.conf").open("a", encoding="utf-8") as file:
            file.write("host odoo odoo 10.9.0.0/16 scram-sha-256\n")
        before = watching(cluster(primary, standby)).ask("pg")
        assert before.failing == {}
        primary.kill()
        standby.sql("postgres", "SELECT pg_promote()")
        wait_until(lambda: not standby.value("postgres", "SELECT pg_is_in_recovery()"), 60, "the standby is promoted")
        after = watching(cluster(primary, standby)).ask("pg")  # another closewatch, that remembers nothing
        assert after.up
        assert numbers(after, standby) == numbers(before, standby)
        assert after.labels("postgresql_access_rules", "member") == [standby.address]
    finally:
        standby.remove()


def test_a_grant_that_lacks_is_named_and_can_be_waived(new_postgres: Callable[..., PostgresServer], watching: Watching):
    server = new_postgres()
    grant(server)
    server.sql("postgres", f"REVOKE EXECUTE ON FUNCTION pg_hba_file_rules() FROM {ROLE}")
    strict, waived = watching(cluster(server)), watching(cluster(server, hba=False))
    facts = strict.ask("pg")
    assert facts.failing == {"hba": "permission"}
    assert facts.all("postgresql_access_rules") == []
    statement = f"GRANT EXECUTE ON FUNCTION pg_catalog.pg_hba_file_rules() TO {ROLE};"
    assert missing_grants(strict.scrape("pg")) == {"postgres": [statement]}
    server.sql("postgres", statement)
    assert missing_grants(strict.scrape("pg")) == {}
    server.sql("postgres", statement.replace("GRANT", "REVOKE").replace(" TO ", " FROM "))
    assert waived.ask("pg").failing == {}
    assert missing_grants(waived.scrape("pg")) == {}


def test_a_role_without_any_right_claims_nothing_that_it_cannot_see(
    new_postgres: Callable[..., PostgresServer], watching: Watching
):
    """As on a managed server, where somebody forgot the grants altogether."""
    server = new_postgres()
    grant(server, monitor=False)
    facts = watching(cluster(server)).ask("pg")
    assert {name: facts.failing[name] for name in ("hba", "logins", "parameters")} == dict.fromkeys(
        ("hba", "logins", "parameters"), "permission"
    )
    assert {"roles", "isolation"}.isdisjoint(facts.failing)
    assert facts.one("postgresql_privileged_roles", privilege="superuser") == 1
    shown = {sample.family.name for sample in facts.samples}
    hidden = {family.name for collector in (HBA, LOGINS, PARAMETERS) for family in collector.families}
    assert shown.isdisjoint(hidden)
