"""A new configuration takes over what did not change, and ends what did."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml

from closewatch.core.deadline import Deadline
from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from closewatch.kinds import load
from closewatch.registry import Registry
from tests.fixtures.watch import ROLE, Watched, grant


def rewrite(path: Path, change: Callable[[dict[str, object]], None]) -> Path:
    data = yaml.safe_load(path.read_text())
    change(data)
    path.write_text(yaml.safe_dump(data))
    return path


def test_unchanged_targets_keep_their_session_and_memory(
    postgres_server: PostgresServer, watching: Callable[..., Watched]
) -> None:
    grant(postgres_server)
    watched = watching({"kind": "postgresql", "name": "pg", "hosts": [postgres_server.address]})
    watched.ask("pg")
    before = watched.scrape("pg")
    rewrite(watched.path, lambda data: data.update(tenants={"acme": {"state": "suspended"}}))
    after = Registry(load(watched.path), watched.registry)
    after.use()
    watched.registry.close(keep=after)
    watched.registry = after
    assert watched.scrape("pg") is before
    assert watched.ask("pg").up


def test_changed_targets_are_closed(postgres_server: PostgresServer, watching: Callable[..., Watched]) -> None:
    grant(postgres_server)
    watched = watching({"kind": "postgresql", "name": "pg", "hosts": [postgres_server.address]})
    watched.ask("pg")
    rewrite(watched.path, lambda data: data["targets"][0].update(name="other"))
    after = Registry(load(watched.path), watched.registry)
    after.use()
    watched.registry.close(keep=after)
    ours = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{ROLE}'"
    wait_until(lambda: postgres_server.value("postgres", ours) == 0, 10, "the old session has ended")
    assert [scrape.target.name for scrape in after.scrapes()] == ["other"]
    after.close()


def test_discovered_targets_survive_a_reload_and_follow_new_rules(
    postgres_server: PostgresServer, watching: Callable[..., Watched]
) -> None:
    grant(postgres_server)
    for name in ("odoo_kept", "books_new"):
        postgres_server.create_database(name)
    rules = [{"databases": "odoo_(?P<tenant>.+)"}]
    watched = watching({"kind": "postgresql", "name": "pg", "hosts": [postgres_server.address], "discover": rules})
    watched.ask("pg")
    kept = watched.scrape("odoo_kept")
    watched.ask("odoo_kept")
    rewrite(watched.path, lambda data: data.update(tenants={"kept": {"state": "leaving"}}))
    after = Registry(load(watched.path), watched.registry)
    after.use()
    assert after.find("odoo_kept") == [kept]
    wider = [*rules, {"databases": "books_(?P<tenant>.+)"}]
    rewrite(watched.path, lambda data: data["targets"][0].update(discover=wider))
    newest = Registry(load(watched.path), after)
    newest.use()
    newest.find("pg")[0].run(deadline())
    assert {scrape.target.name for scrape in newest.scrapes()} == {"pg", "odoo_kept", "books_new"}
    newest.close()
    for name in ("odoo_kept", "books_new"):
        postgres_server.drop_database(name)


def deadline() -> Deadline:
    return Deadline.after(9)
