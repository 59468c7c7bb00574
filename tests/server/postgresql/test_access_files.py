"""The collectors `hba` and `parameters` on real servers, whose files are changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from closewatch.core.collectors import Reason, Unavailable
from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from closewatch.postgresql.hba import HBA
from closewatch.postgresql.hbarisks import RISKS
from closewatch.postgresql.parameters import PARAMETERS
from tests.fixtures.watch import SECRET
from tests.server.postgresql.conftest import WEAK, Link
from tests.server.postgresql.watching import GRANTS, Watcher, target

Watch = Callable[..., Watcher]
LINES, RISKY = "postgresql_access_rules", "postgresql_access_rules_risky"
FINGERPRINT, PENDING = "postgresql_access_rules_fingerprint", "postgresql_access_rules_pending"
UNSAFE, SETTINGS = "postgresql_setting_unsafe", "postgresql_settings_fingerprint"
FILE = "SELECT pg_catalog.has_function_privilege(%s, 'pg_catalog.pg_hba_file_rules()', 'EXECUTE')"


@pytest.fixture
def server(new_postgres: Callable[..., PostgresServer]) -> PostgresServer:
    """A server of the test's own, with the weak role."""
    server = new_postgres()
    server.load("postgres", GRANTS, role=WEAK)
    server.sql("postgres", f"ALTER ROLE {WEAK} PASSWORD '{SECRET}'")
    return server


def add(server: PostgresServer, *lines: str) -> None:
    """Add lines to pg_hba.conf, without a reload."""
    with (server.data / "pg_hba.conf").open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


def risks(watcher: Watcher) -> dict[str, float]:
    facts = watcher.ask(HBA)
    return {risk: count for risk in RISKS if (count := facts.one(RISKY, risk=risk))}


def test_the_demos_own_file_is_safe(server: PostgresServer, watch: Watch):
    watcher = watch(server)
    assert risks(watcher) == {}
    assert watcher.ask(HBA).one(LINES) == 2
    assert watcher.ask(HBA).labels(LINES, "member") == [server.address]


def test_each_risk_as_the_server_reads_it(server: PostgresServer, watch: Watch):
    add(
        server,
        "host all all 10.0.0.0/8 trust",
        "local all all trust",
        "host odoo odoo 10.0.0.0 255.0.0.0 password",
        "host odoo odoo 10.0.0.0/8 ident",
        "hostssl odoo odoo fd00::/8 md5",
        "hostssl all all 0.0.0.0/0 scram-sha-256",
        'hostssl all odoo all radius radiusservers="10.0.0.9" radiussecrets="topsecret"',
        "hostssl all odoo 10.0.0.0/8 nonsense",
        "host all all samehost scram-sha-256",
    )
    watcher = watch(server)
    assert risks(watcher) == {**dict.fromkeys(RISKS, 1), "unencrypted": 3}
    assert "topsecret" not in str(watcher.answer(HBA))


def test_a_change_is_seen_before_it_is_loaded(server: PostgresServer, watch: Watch):
    watcher = watch(server)
    first = watcher.ask(HBA)
    add(server, "# a comment", "")
    assert watcher.ask(HBA).one(FINGERPRINT) == first.one(FINGERPRINT)
    add(server, "host all all 10.0.0.0/8 scram-sha-256")
    changed = watcher.ask(HBA)
    assert changed.one(FINGERPRINT) != first.one(FINGERPRINT)
    assert (first.one(PENDING), changed.one(PENDING)) == (0, 1)
    server.configure()
    watcher.until(HBA, "the server has loaded the file", PENDING, 0)
    assert watcher.ask(HBA).one(FINGERPRINT) == changed.one(FINGERPRINT)


def test_a_restart_of_the_server_or_of_closewatch_is_no_change(server: PostgresServer, watch: Watch):
    before = (watch(server).ask(HBA).one(FINGERPRINT), watch(server).ask(PARAMETERS).one(SETTINGS))
    server.restart()
    assert (watch(server).ask(HBA).one(FINGERPRINT), watch(server).ask(PARAMETERS).one(SETTINGS)) == before


@pytest.mark.parametrize("function", ["pg_hba_file_rules", "pg_show_all_file_settings"])
def test_without_the_grant_it_is_unavailable_or_absent_and_never_zero(
    server: PostgresServer, watch: Watch, function: str
):
    server.sql("postgres", f"REVOKE EXECUTE ON FUNCTION pg_catalog.{function}() FROM {WEAK}")
    watcher = watch(server)
    if function == "pg_hba_file_rules":
        with pytest.raises(Unavailable) as caught:
            watcher.ask(HBA)
        assert caught.value.reason is Reason.PERMISSION
        assert watcher.ask(HBA, target(access={"hba": False})).samples == []
    else:
        facts = watcher.ask(PARAMETERS)
        assert facts.all("postgresql_config_file_errors") == []
        assert facts.one(UNSAFE, setting="fsync") == 1


def test_grants_sql_gives_the_files_and_takes_them_back(server: PostgresServer):
    assert server.value("postgres", FILE, [WEAK]) is True
    server.load("postgres", GRANTS, role=WEAK, access_rules="off")
    assert server.value("postgres", FILE, [WEAK]) is False
    server.load("postgres", GRANTS, role=WEAK)
    assert server.value("postgres", FILE, [WEAK]) is True


def test_grants_sql_gives_no_file_that_holds_a_password(server: PostgresServer):
    add(server, 'hostssl all odoo all radius radiusservers="10.0.0.9" radiussecrets="topsecret"')
    server.load("postgres", GRANTS, role=WEAK)
    assert server.value("postgres", FILE, [WEAK]) is False


def test_settings_that_risk_data(server: PostgresServer, watch: Watch):
    """The servers of the tests forget durability."""
    facts = watch(server).ask(PARAMETERS)
    risky = {setting for setting in facts.labels(UNSAFE, "setting") if facts.one(UNSAFE, setting=setting)}
    assert risky == {"fsync", "full_page_writes", "synchronous_commit", "ssl", "log_connections"}


def test_a_changed_setting(server: PostgresServer, watch: Watch):
    watcher = watch(server)
    before = watcher.ask(PARAMETERS)
    server.configure(fsync="on", work_mem="8MB")
    watcher.until(PARAMETERS, "fsync is on", UNSAFE, 0, setting="fsync")
    after = watcher.ask(PARAMETERS)
    assert after.one(SETTINGS) != before.one(SETTINGS)
    server.configure(work_mem="9MB")
    watcher.until(PARAMETERS, "an unimportant setting changed nothing", SETTINGS, after.one(SETTINGS))


def test_a_setting_of_one_role_counts(server: PostgresServer, watch: Watch):
    server.configure(synchronous_commit="on")
    watcher = watch(server)
    watcher.until(PARAMETERS, "commits wait", UNSAFE, 0, setting="synchronous_commit")
    before = watcher.ask(PARAMETERS).one(SETTINGS)
    server.sql("postgres", "CREATE ROLE odoo; ALTER ROLE odoo SET synchronous_commit = false")
    facts = watcher.ask(PARAMETERS)
    assert facts.one(UNSAFE, setting="synchronous_commit") == 1
    assert facts.one(SETTINGS) != before


def test_what_waits_for_a_restart_is_pending_and_no_error(server: PostgresServer, watch: Watch):
    watcher = watch(server)
    server.configure(max_connections="99")
    facts = watcher.until(PARAMETERS, "a restart is pending", "postgresql_settings_pending_restart", 1)
    assert facts.one("postgresql_config_file_errors") == 0


def test_errors_in_the_configuration_files(server: PostgresServer, watch: Watch):
    with (server.data / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
        file.write("no_such_setting = 1\nwork_mem = 'much'\n")
    assert watch(server).ask(PARAMETERS).one("postgresql_config_file_errors") >= 1


def test_a_standby_says_what_its_own_files_say(link: Link, watch: Watch):
    file = link.standby.data / "postgresql.conf"
    before = file.read_text(encoding="utf-8")
    file.write_text(before + "log_statement = 'ddl'\n", encoding="utf-8")
    link.standby.sql("postgres", "SELECT pg_reload_conf()")
    try:
        watcher, others = watch(link.standby), watch(link.primary).ask(PARAMETERS).one(SETTINGS)
        wait_until(lambda: watcher.ask(PARAMETERS).one(SETTINGS) != others, 20, "the standby has read its file")
        own = watcher.ask(PARAMETERS)
        assert own.labels(SETTINGS, "member") == [link.standby.address]
        assert watch(link.standby).ask(HBA).one(LINES) >= 1
    finally:
        file.write_text(before, encoding="utf-8")
        link.standby.sql("postgres", "SELECT pg_reload_conf()")
