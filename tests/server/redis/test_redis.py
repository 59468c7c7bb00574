"""What a healthy deployment looks like, on every version at hand, asked with nothing but the rights of acl.txt."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import redis

from closewatch.engines.process import wait_until
from closewatch.engines.redis import RedisBinary, RedisServer
from tests.fixtures.redis import SECRET, USER, grant, target
from tests.fixtures.watch import Facts, Watched

Watching = Callable[..., Watched]
MOST_SERIES = 80


def values(facts: Facts) -> int:
    """Series of a probe."""
    return sum(sample.value is not None for sample in facts.samples)


def test_the_acl_line_suffices(redis_server: RedisServer, watching: Watching) -> None:
    redis_server.command("ACL", "SETUSER", "odoo", "on", ">odoo-app-pass", "~session:*", "-@all", "+get", "+set")
    watched = watching(target(redis_server, application_user="odoo"))
    watched.ask("sessions")
    facts = watched.ask("sessions")
    assert (facts.up, facts.failing) == (True, {})
    assert facts.labels("redis_info", "server") == [redis_server.binary.product]
    assert facts.labels("redis_info", "version")[0].split(".")[0] in {str(redis_server.binary.major), "7", "255"}
    exposures = dict(zip(facts.labels("redis_exposed", "exposure"), facts.all("redis_exposed"), strict=True))
    assert exposures == {
        "default_user_without_password": 0,
        "bind_all": 0,
        "protected_mode_off": 0,
        "plain_port_beside_tls": 0,
        "overpowered_user": 0,
    }
    assert facts.one("redis_connections_max") > 100
    assert facts.one("redis_slow_commands_total") >= 0
    # Nothing that it asked for was denied.
    assert redis_server.command("ACL", "LOG") == []


def test_a_probe_stays_in_its_budget_also_at_its_fullest(redis_server: RedisServer, watching: Watching) -> None:
    with redis_server.client() as client:
        client.config_set("latency-monitor-threshold", "1")
        client.config_set("slowlog-log-slower-than", "0")
        client.config_set("maxmemory", "900mb")
        client.config_set("appendonly", "yes")
        client.setrange("big", 130 * 1024 * 1024, "x")
        client.execute_command("ACL", "SETUSER", "odoo", "on", ">odoo-app-pass", "+@all")
    watched = watching(target(redis_server, application_user="odoo", outside=[redis_server.address]))
    watched.ask("sessions")
    facts = watched.ask("sessions")
    assert facts.failing == {}
    assert facts.one("redis_memory_fragmentation_ratio") > 0
    assert facts.one("redis_memory_max_bytes") == 900 * 1024 * 1024
    assert facts.one("redis_exposed", exposure="overpowered_user") == 1
    assert facts.one("redis_answers_strangers") == 0
    assert values(facts) <= MOST_SERIES


def test_one_round_trip_on_a_held_connection(redis_server: RedisServer, watching: Watching, tcp_proxy) -> None:
    proxy = tcp_proxy(redis_server.host, redis_server.port)
    watched = watching({**target(redis_server), "hosts": [proxy.address]})
    assert watched.ask("sessions").up
    proxy.reset_counts()
    assert watched.ask("sessions").up
    assert (proxy.counts.connections, proxy.counts.round_trips) == (0, 1)


def test_evictions_and_keys_are_counted(redis_server: RedisServer, watching: Watching) -> None:
    watched = watching(target(redis_server))
    with redis_server.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("maxmemory", str(int(client.info("memory")["used_memory"]) + 400_000))
        for number in range(3_000):
            client.set(f"session:{number}", "x" * 500, ex=600)
        client.config_set("maxmemory", "0")
        facts = watched.ask("sessions")
        assert facts.one("redis_evicted_keys_total") > 0
        assert facts.one("redis_eviction_allowed") == 1
        assert facts.one("redis_keys") == client.dbsize()
        assert facts.one("redis_keys_without_expiry") == 0
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", str(int(client.info("memory")["used_memory"]) - 100_000))
    facts = watched.ask("sessions")
    assert facts.one("redis_writes_refused", reason="memory") == 1
    assert facts.one("redis_eviction_allowed") == 0


def test_slow_commands_and_latency_are_counted_and_never_shown(redis_server: RedisServer, watching: Watching) -> None:
    watched = watching(target(redis_server))
    with redis_server.client() as client:
        client.config_set("slowlog-log-slower-than", "0")
        client.config_set("latency-monitor-threshold", "1")
        client.set("session:a-secret-session-key", "1")
        client.eval("local x = 0 for i = 1, 3000000 do x = x + i end return x", 0)
        client.config_set("slowlog-log-slower-than", "10000")
    facts = watched.ask("sessions")
    assert facts.one("redis_slow_commands_total") >= 3
    assert time.time() - facts.one("redis_slow_command_last_timestamp_seconds") < 60
    assert facts.all("redis_latency_last_seconds", event="command")[0] > 0
    assert "a-secret-session-key" not in str(facts.samples)


def test_denied_attempts_are_seen(redis_server: RedisServer, watching: Watching) -> None:
    watched = watching(target(redis_server))
    assert watched.ask("sessions").all("redis_access_denied_last_timestamp_seconds") == []
    for _ in range(3):
        with pytest.raises(redis.AuthenticationError):
            redis_server.command("PING", user=USER, password="guess")
    facts = watched.ask("sessions")
    assert time.time() - facts.one("redis_access_denied_last_timestamp_seconds") < 60
    if redis_server.command("INFO", "stats").get("acl_access_denied_auth") is not None:
        assert facts.one("redis_access_denied_total", attempt="login") == 3


def test_persistence_of_a_server_with_an_append_only_file(redis_server: RedisServer, watching: Watching) -> None:
    watched = watching(target(redis_server))
    assert watched.ask("sessions").one("redis_persistence_enabled") == 0
    redis_server.command("CONFIG", "SET", "appendonly", "yes")
    wait_until(lambda: watched.ask("sessions").all("redis_aof_last_write_ok") == [1], 20, "the file is written")
    assert watched.ask("sessions").one("redis_persistence_enabled") == 1


def test_without_a_right_the_fact_is_missing_and_the_reason_said(
    new_redis: Callable[..., RedisServer], redis_binary: RedisBinary, watching: Watching
) -> None:
    server = new_redis(binary=redis_binary).start()
    grant(server, SECRET, leave_out="+config|get")
    watched = watching(target(server))
    facts = watched.ask("sessions")
    assert facts.up
    more = {"connections": "permission"} if server.binary.version.startswith("6.0") else {}
    assert facts.failing == {"exposure": "permission", "persistence": "permission", **more}
    assert facts.all("redis_exposed", exposure="bind_all") == []
    assert facts.one("redis_exposed", exposure="default_user_without_password") == 0
    # What was denied is not asked again at once: each time would be one more entry in the log.
    entries = sum(int(dict(zip(one[::2], one[1::2], strict=True))["count"]) for one in server.command("ACL", "LOG"))
    watched.ask("sessions")
    again = sum(int(dict(zip(one[::2], one[1::2], strict=True))["count"]) for one in server.command("ACL", "LOG"))
    assert entries == again
    # Left out on purpose it is no failure.
    assert watching(target(server, without=["config"])).ask("sessions").failing == {}
