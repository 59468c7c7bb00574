"""Bad days of a server, each with the real thing: the right reason, in time, and nothing piles up."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

import pytest
import redis

from closewatch.engines.process import wait_until
from closewatch.engines.proxy import TcpProxy
from closewatch.engines.redis import RedisServer
from tests.fixtures.redis import SECRET, USER, grant, rules, target
from tests.fixtures.watch import Facts, Watched

Watching = Callable[..., Watched]
NewRedis = Callable[..., RedisServer]
COLLECTORS = 8


@pytest.fixture
def server(new_redis: NewRedis) -> RedisServer:
    """A running server of the newest version, with the weak user."""
    made = new_redis().start()
    grant(made)
    return made


def assert_complete(facts: Facts) -> None:
    """Success and duration of every collector are there, whatever happened; and what it is used for."""
    assert len(facts.all("collector_success")) >= COLLECTORS
    assert len(facts.all("collector_duration_seconds")) == len(facts.all("collector_success"))
    assert facts.labels("redis_info", "use") == ["sessions"]


def test_nothing_listens(watching: Watching) -> None:
    facts = watching({**target(), "hosts": ["127.0.0.1:1"]}).ask("sessions")
    assert (facts.up, facts.reason) == (False, "refused")
    assert facts.one("redis_members", role="unreachable") == 1
    assert_complete(facts)


def test_name_does_not_resolve(watching: Watching) -> None:
    facts = watching({**target(), "hosts": ["no-such-host.invalid"]}).ask("sessions", timeout=3)
    assert (facts.up, facts.reason) == (False, "unreachable")


def test_killed_and_started_again(server: RedisServer, watching: Watching) -> None:
    watched = watching(target(server))
    assert watched.ask("sessions").up
    server.kill()
    facts = watched.ask("sessions")
    assert (facts.up, facts.reason) == (False, "refused")
    assert facts.labels("redis_info", "version")[0], "what ran there is still known"
    server.start()
    grant(server)
    assert watched.ask("sessions").up


def test_hung_server_answers_in_time_and_nothing_piles_up(server: RedisServer, watching: Watching) -> None:
    watched = watching(target(server))
    assert watched.ask("sessions").up
    server.pause()
    began = time.monotonic()
    hung = [watched.ask("sessions", timeout=0.5) for _ in range(5)]
    took = time.monotonic() - began
    server.resume()
    assert [(facts.up, facts.reason) for facts in hung] == [(False, "timeout")] * 5
    assert took < 5 * 0.5 + 2  # by its deadline: not a limit on speed, but on waiting
    assert_complete(hung[-1])
    wait_until(lambda: watched.ask("sessions").up, 40, "the target is up again")
    listed = server.command("CLIENT", "LIST")
    assert str(listed).count(f"'{USER}'") + str(listed).count("name=closewatch ") <= 2


def test_loading_is_said_and_its_facts_are_shown(server: RedisServer, watching: Watching) -> None:
    with server.client() as client:
        client.config_set("key-load-delay", "300")
        client.config_set("loading-process-events-interval-bytes", "1024")
        with client.pipeline(transaction=False) as batch:
            for number in range(40_000):
                batch.set(f"session:{number}", "x" * 100)
            batch.execute()
        client.save()
    server.settings.update({"key-load-delay": "300", "loading-process-events-interval-bytes": "1024"})
    server.kill()
    server.settings["user"] = " ".join([USER, *rules()])
    server.start()
    watched = watching(target(server))
    facts = watched.ask("sessions")
    assert (facts.up, facts.reason) == (False, "starting")
    assert facts.one("redis_loading") == 1
    assert facts.all("redis_keys") == []
    assert facts.failing == {}
    server.command("CONFIG", "SET", "key-load-delay", "0")
    wait_until(lambda: watched.ask("sessions").up, 60, "the data is loaded")
    assert watched.ask("sessions").one("redis_keys") == 40_000


@pytest.mark.parametrize(
    ("login", "reason"),
    [
        ({"user": None, "password": None}, "authentication"),  # NOAUTH
        ({"user": "nobody"}, "authentication"),  # WRONGPASS
        ({"password": {"file": "not-there"}}, "secret"),
        ({"user": "mute"}, "permission"),  # NOPERM for INFO
    ],
    ids=["no login", "wrong login", "no password file", "no rights"],
)
def test_refused(server: RedisServer, watching: Watching, login: dict[str, object], reason: str) -> None:
    server.command("ACL", "SETUSER", "mute", "on", f">{SECRET}", "-@all", "+ping")
    facts = watching(target(server, **login)).ask("sessions")
    assert (facts.up, facts.reason) == (False, reason)
    assert_complete(facts)


def test_rotated_password_is_read_again(server: RedisServer, watching: Watching) -> None:
    watched = watching(target(server, password={"file": "rotating"}))
    secret = watched.path.parent / "rotating"
    secret.write_text(SECRET + "\n")
    assert watched.ask("sessions").up
    server.command("ACL", "SETUSER", USER, "resetpass", ">the-rotated-password")
    server.command("CLIENT", "KILL", "USER", USER)
    assert watched.ask("sessions").reason == "authentication"
    secret.write_text("the-rotated-password\n")
    assert watched.ask("sessions").up


def test_a_deleted_user_is_noticed_on_the_held_connection(server: RedisServer, watching: Watching) -> None:
    watched = watching(target(server))
    assert watched.ask("sessions").up
    server.command("ACL", "DELUSER", USER)
    assert watched.ask("sessions").reason == "authentication"


def test_writes_are_refused_when_the_snapshot_fails(server: RedisServer, watching: Watching) -> None:
    watched = watching(target(server))
    with server.client() as client:
        client.config_set("save", "3600 1")
        client.set("session:1", "x")
        server.data.chmod(0o500)
        client.bgsave()
        wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", 20, "the snapshot failed")
        with pytest.raises(redis.ResponseError, match=r"MISCONF|snapshots"):
            client.set("session:2", "x")
    facts = watched.ask("sessions")
    server.data.chmod(0o700)
    assert facts.one("redis_rdb_last_save_ok") == 0
    assert facts.one("redis_writes_refused", reason="snapshot") == 1
    assert facts.one("redis_persistence_enabled") == 1


def test_writes_are_refused_without_replicas(server: RedisServer, watching: Watching) -> None:
    server.command("CONFIG", "SET", "min-replicas-to-write", "1")
    facts = watching(target(server, replicas=1)).ask("sessions")
    assert facts.one("redis_writes_refused", reason="replicas") == 1
    assert (facts.one("redis_replicas_online"), facts.one("redis_replicas_expected")) == (0, 1)


def test_no_place_for_another_client(server: RedisServer, watching: Watching) -> None:
    server.command("CONFIG", "SET", "maxclients", "5")
    with contextlib.ExitStack() as crowd:
        with contextlib.suppress(redis.RedisError):
            for _ in range(8):
                crowd.enter_context(server.client()).ping()
        refused = watching(target(server)).ask("sessions")
    assert (refused.up, refused.reason) == (False, "too_many_connections")
    watched = watching(target(server))
    wait_until(lambda: watched.ask("sessions").up, 20, "there is a place again")
    facts = watched.ask("sessions")
    assert facts.one("redis_rejected_connections_total") >= 1
    assert facts.one("redis_connections_max") == 5


def test_renamed_commands_leave_their_facts_out(new_redis: NewRedis, watching: Watching) -> None:
    server = new_redis({"rename-command": 'CONFIG ""', "user": f"{USER} on >{SECRET} +@all"})
    server.settings["rename-command ACL"] = '""'
    facts = watching(target(server.start())).ask("sessions")
    assert (facts.up, facts.failing) == (True, {})
    assert facts.all("redis_exposed") == []
    assert facts.all("redis_persistence_enabled") == []
    assert facts.one("redis_evicted_keys_total") == 0


def test_busy_with_a_script(server: RedisServer, watching: Watching) -> None:
    watched = watching(target(server))
    assert watched.ask("sessions").up
    server.command("CONFIG", "SET", "lua-time-limit", "1")

    def run_for_ever() -> None:
        with contextlib.suppress(redis.RedisError):
            server.command("EVAL", "while true do end", "0")

    script = threading.Thread(target=run_for_ever, daemon=True)
    script.start()
    wait_until(lambda: watched.ask("sessions", timeout=1).reason == "server_error", 20, "it says that it is busy")
    server.command("SCRIPT", "KILL")
    script.join(10)
    wait_until(lambda: watched.ask("sessions").up, 20, "the script was ended")


def test_cut_connection_is_made_again_in_the_same_scrape(
    server: RedisServer, watching: Watching, tcp_proxy: Callable[[str, int], TcpProxy]
) -> None:
    proxy = tcp_proxy(server.host, server.port)
    watched = watching({**target(server), "hosts": [proxy.address]})
    assert watched.ask("sessions").up
    proxy.cut()
    facts = watched.ask("sessions")
    assert (facts.up, facts.failing) == (True, {})


def test_silent_in_the_middle_of_an_answer(
    server: RedisServer, watching: Watching, tcp_proxy: Callable[[str, int], TcpProxy]
) -> None:
    proxy = tcp_proxy(server.host, server.port)
    watched = watching({**target(server), "hosts": [proxy.address]})
    assert watched.ask("sessions").up
    proxy.stop_answer_after(1_000)
    facts = watched.ask("sessions", timeout=1)
    assert (facts.up, facts.reason) == (False, "timeout")
    assert_complete(facts)
    proxy.stop_answer_after(None)
    wait_until(lambda: watched.ask("sessions").up, 40, "the target is up again")


def test_a_giant_info_is_bounded(server: RedisServer, watching: Watching) -> None:
    """Many databases, clients and commands make INFO long; what is asked for stays short."""
    watched = watching(target(server))
    with contextlib.ExitStack() as crowd:
        for number in range(200):
            client = crowd.enter_context(server.client())
            client.execute_command("SELECT", str(number % 16))
            client.execute_command("SET", f"key:{number}", "x")
            with contextlib.suppress(redis.ResponseError):
                client.execute_command(f"NO-SUCH-{number}")
        facts = watched.ask("sessions")
    assert (facts.up, facts.failing) == (True, {})
    assert facts.one("redis_keys") >= 1
    assert sum(sample.value is not None for sample in facts.samples) <= 80
