"""A PgBouncer that is down, hung, restarted, shut or none at all: in time, with the right reason, and back again."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from closewatch.core.deadline import Deadline
from closewatch.engines.folder import RunFolder
from closewatch.engines.pgbouncer import PgbouncerServer
from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from closewatch.engines.proxy import TcpProxy
from closewatch.explain import explain
from tests.fixtures.watch import SECRET, Facts, Watched, grant
from tests.server.web.certificates import Authority

Bouncers = Callable[..., PgbouncerServer]
Watch = Callable[..., Watched]
COLLECTORS = {"clients", "databases", "pools", "exposure"}


def said(facts: Facts) -> tuple[bool, str]:
    assert set(facts.labels("collector_success", "collector")) == COLLECTORS, "complete, whatever happened"
    return facts.up, facts.reason


def test_nothing_listens(watching: Callable[..., Watched]) -> None:
    watched = watching({"kind": "pgbouncer", "name": "bouncer", "host": "127.0.0.1:1"})
    assert said(watched.ask("bouncer")) == (False, "refused")


def test_wrong_password(new_bouncer: Bouncers, watch: Watch, tmp_path) -> None:
    (tmp_path / "wrong").write_text("not-the-password")
    facts = watch(new_bouncer(), password={"file": "wrong"}).ask("bouncer")
    assert said(facts) == (False, "authentication")


def test_a_user_who_is_none_of_stats_users(new_bouncer: Bouncers, watch: Watch) -> None:
    facts = watch(new_bouncer(stats_users="somebody_else")).ask("bouncer")
    assert said(facts) == (False, "authentication")


def test_missing_password_file(new_bouncer: Bouncers, watch: Watch) -> None:
    facts = watch(new_bouncer(), password={"file": "not-there"}).ask("bouncer")
    assert said(facts) == (False, "secret")


def test_down_and_up_again(new_bouncer: Bouncers, watch: Watch) -> None:
    bouncer = new_bouncer()
    watched = watch(bouncer)
    assert watched.ask("bouncer").up
    bouncer.stop()
    assert said(watched.ask("bouncer")) == (False, "refused")
    bouncer.start()
    assert watched.ask("bouncer").up


def test_restarted_between_two_scrapes_it_is_logged_in_to_again_at_once(new_bouncer: Bouncers, watch: Watch) -> None:
    bouncer = new_bouncer()
    watched = watch(bouncer)
    assert watched.ask("bouncer").up
    bouncer.stop()
    bouncer.start()
    facts = watched.ask("bouncer")
    assert (facts.up, facts.failing) == (True, {})


def test_hung_it_is_given_up_in_time_and_nothing_piles_up(new_bouncer: Bouncers, watch: Watch) -> None:
    bouncer = new_bouncer()
    watched = watch(bouncer)
    assert watched.ask("bouncer").up
    bouncer.pause()
    began = time.monotonic()
    hung = [said(watched.ask("bouncer", timeout=0.5)) for _ in range(4)]
    took = time.monotonic() - began
    bouncer.resume()
    assert hung == [(False, "timeout")] * 4
    assert took < 4 * 0.5 + 2  # by its deadline, or sooner: not a limit on speed, but on waiting
    wait_until(lambda: watched.ask("bouncer").up, 40, "it is up again")
    wait_until(lambda: watched.ask("bouncer").one("pgbouncer_clients") == 1, 20, "the hung sessions have gone")


def test_silent_in_the_middle_of_an_answer(
    new_bouncer: Bouncers, watching: Callable[..., Watched], tcp_proxy: Callable[[str, int], TcpProxy]
) -> None:
    bouncer = new_bouncer()
    proxy = tcp_proxy(bouncer.host, bouncer.port)
    watched = watching({"kind": "pgbouncer", "name": "bouncer", "host": proxy.address})
    assert watched.ask("bouncer").up
    proxy.stop_answer_after(900)
    facts = watched.ask("bouncer", timeout=1)
    assert said(facts) == (False, "timeout")
    assert facts.all("pgbouncer_pool_longest_wait_seconds") == []
    proxy.stop_answer_after(None)
    proxy.cut()
    wait_until(lambda: watched.ask("bouncer").up, 40, "it is up again")


def test_a_postgresql_where_a_pgbouncer_should_be(
    newest_postgres: PostgresServer, watching: Callable[..., Watched]
) -> None:
    grant(newest_postgres)
    watched = watching({"kind": "pgbouncer", "name": "bouncer", "host": newest_postgres.address})
    assert said(watched.ask("bouncer")) == (False, "database_missing")


def test_tls_is_required_and_checked(
    new_bouncer: Bouncers, watch: Watch, run_folder: RunFolder, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    files = run_folder.folder(f"tls{tmp_path.name}", private_to=run_folder.user)
    for source, name in zip(authority.issue("pooler", "127.0.0.1"), ("pooler.crt", "pooler.key"), strict=True):
        (files / name).write_bytes(source.read_bytes())
        if run_folder.user:
            shutil.chown(files / name, run_folder.user)
    settings = {"client_tls_key_file": str(files / "pooler.key"), "client_tls_cert_file": str(files / "pooler.crt")}
    bouncer = new_bouncer(client_tls_sslmode="require", **settings)
    facts = watch(bouncer, tls={"mode": "verify-full", "ca": str(authority.path)}).ask("bouncer")
    assert (facts.up, facts.failing) == (True, {})
    stranger = Authority(tmp_path, "Another authority").path
    assert said(watch(bouncer, tls={"mode": "verify-full", "ca": str(stranger)}).ask("bouncer")) == (False, "tls")
    assert not watch(bouncer, tls={"mode": "disable"}).ask("bouncer").up


def test_no_secret_in_words(new_bouncer: Bouncers, watch: Watch) -> None:
    watched = watch(new_bouncer(), user="nobody_at_all")
    scrape = watched.scrape("bouncer")
    text = explain(scrape, scrape.run(Deadline.after(5)))
    assert "authentication" in text
    assert SECRET not in text
