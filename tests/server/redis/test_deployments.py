"""Deployments of several members: replicas, a failover, Sentinels, a cluster; and TLS."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from closewatch.engines.process import wait_until
from closewatch.engines.proxy import TcpProxy
from closewatch.engines.redis import RedisServer
from tests.fixtures.redis import grant, target
from tests.fixtures.watch import Watched

Watching = Callable[..., Watched]
NewRedis = Callable[..., RedisServer]


def pair(new_redis: NewRedis) -> list[RedisServer]:
    """A master and its replica, both with the weak user."""
    password = "one-for-all"
    settings = {"repl-ping-replica-period": "1", "repl-timeout": "5", "requirepass": password, "masterauth": password}
    made = [new_redis(settings), new_redis(settings)]
    for server in made:
        server.password = password
    made[0].start()
    made[1].follow(made[0])
    made[1].start()
    for server in made:
        grant(server)
    return made


def following(watched: Watched) -> bool:
    """Whether both sides say that the one replica follows: the master is sure of it first."""
    facts = watched.ask("sessions")
    return facts.all("redis_replicas_online") == facts.all("redis_replication_link_up") == [1]


def test_replica_link_lag_and_a_cut(
    new_redis: NewRedis, watching: Watching, tcp_proxy: Callable[[str, int], TcpProxy]
) -> None:
    master, replica = pair(new_redis)
    watched = watching(target(master, replica))
    wait_until(lambda: following(watched), 30, "the replica follows")
    facts = watched.ask("sessions")
    assert (facts.up, facts.failing) == (True, {})
    assert facts.one("redis_replicas_expected") == 1
    assert facts.one("redis_members", role="master") == facts.one("redis_members", role="replica") == 1
    assert facts.one("redis_replication_link_up", member=replica.address) == 1
    assert facts.one("redis_replica_lag_bytes", replica=replica.address) < 1_000_000
    proxy = tcp_proxy(master.host, master.port)
    replica.command("REPLICAOF", proxy.host, proxy.port)
    wait_until(lambda: following(watched), 30, "by the proxy")
    proxy.refuse()
    down = {"member": replica.address}
    wait_until(lambda: watched.ask("sessions").all("redis_replication_link_up", **down) == [0], 30, "the link is down")
    facts = watched.ask("sessions")
    assert facts.up
    assert facts.one("redis_replication_down_timestamp_seconds", **down) > 0
    assert facts.one("redis_replicas_online") == 0


def test_failover_changes_no_series_of_the_master(new_redis: NewRedis, watching: Watching) -> None:
    master, replica = pair(new_redis)
    watched = watching(target(master, replica))
    wait_until(lambda: following(watched), 30, "the replica follows")
    before = watched.ask("sessions")
    commands = before.one("redis_commands_total")
    master.kill()
    facts = watched.ask("sessions")
    assert (facts.up, facts.reason) == (False, "refused")
    replica.command("REPLICAOF", "NO", "ONE")
    facts = watched.ask("sessions")
    assert facts.up
    assert facts.one("redis_commands_total") >= commands, "a counter doesn't jump to the other server's"
    assert facts.one("redis_member_up", member=master.address) == 0
    # Both sides masters: one is shown, and the two are told.
    master.start()
    grant(master)
    facts = watched.ask("sessions")
    assert facts.one("redis_members", role="master") == 2
    assert facts.failing == {}
    assert len(facts.all("redis_memory_used_bytes")) == 1


def test_only_replicas_are_no_service(new_redis: NewRedis, watching: Watching) -> None:
    _, replica = pair(new_redis)
    facts = watching(target(replica)).ask("sessions")
    assert (facts.up, facts.reason) == (False, "no_primary")


def test_sentinels_name_the_members_and_a_failover_is_followed(
    new_redis: NewRedis, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    master, replica = pair(new_redis)
    sentinels = []
    for _ in range(3):
        sentinel = new_redis(
            {
                "sentinel monitor": f"books {master.host} {master.port} 2",
                "sentinel auth-pass": f"books {master.password}",
                "sentinel down-after-milliseconds": "books 1000",
                "sentinel failover-timeout": "books 5000",
            },
            sentinel=True,
        )
        sentinels.append(sentinel.start())
    weak = ("on", ">for-sentinels", "-@all", "+ping", "+info", "+client|setname")
    asks = ("+sentinel|master", "+sentinel|replicas", "+sentinel|ckquorum")
    for sentinel in sentinels:
        sentinel.command("ACL", "SETUSER", "closewatch", *weak, *asks)
    monkeypatch.setenv("SENTINEL_PASSWORD", "for-sentinels")
    named = {
        "hosts": [],
        "sentinels": [one.address for one in sentinels],
        "master": "books",
        "replicas": 1,
        "sentinel_user": "closewatch",
        "sentinel_password": {"env": "SENTINEL_PASSWORD"},
    }
    watched = watching({**target(), **named})
    wait_until(lambda: watched.ask("sessions").all("redis_members", role="replica") == [1], 30, "both are found")
    facts = watched.ask("sessions")
    assert (facts.up, facts.failing) == (True, {})
    assert facts.all("redis_sentinel_up") == [1, 1, 1]
    wait_until(lambda: watched.ask("sessions").all("redis_sentinel_quorum_ok") == [1, 1, 1], 30, "they know each other")
    master.kill()
    wait_until(lambda: watched.ask("sessions").up, 60, "the Sentinels made the replica master")
    facts = watched.ask("sessions")
    assert facts.one("redis_member_up", member=replica.address) == 1
    sentinels[0].kill()
    facts = watched.ask("sessions")
    assert facts.up
    assert sorted(facts.all("redis_sentinel_up")) == [0, 1, 1]
    wrong = watching({**target(), **named, "master": "other"}).ask("sessions")
    assert (wrong.up, wrong.reason) == (False, "missing")


def test_cluster_by_shard(new_redis: NewRedis, watching: Watching) -> None:
    nodes = [new_redis({"cluster-enabled": "yes", "cluster-node-timeout": "2000"}).start() for _ in range(3)]
    ranges = [(0, 5460), (5461, 10922), (10923, 16383)]
    for node, (first, last) in zip(nodes, ranges, strict=True):
        grant(node)
        node.command("CLUSTER", "ADDSLOTS", *range(first, last + 1))
    for other in nodes[1:]:
        nodes[0].command("CLUSTER", "MEET", other.host, other.port)
    watched = watching(target(nodes[0], cluster=True))

    def whole() -> bool:
        facts = watched.ask("sessions")
        return facts.all("redis_cluster_ok") == [1, 1, 1] and facts.one("redis_members", role="master") == 3

    wait_until(whole, 30, "the cluster is whole")
    facts = watched.ask("sessions")
    assert (facts.up, facts.failing) == (True, {})
    assert sorted(facts.labels("redis_memory_used_bytes", "shard")) == ["0-5460", "10923-16383", "5461-10922"]
    assert facts.all("redis_cluster_slots_unserved") == [0, 0, 0]
    nodes[2].kill()
    wait_until(lambda: watched.ask("sessions").all("redis_cluster_ok") == [0, 0], 30, "slots are missing")
    assert watched.ask("sessions").one("redis_member_up", member=nodes[2].address) == 0
    nodes[0].kill()  # the seed: the others are known
    assert watched.ask("sessions").one("redis_member_up", member=nodes[1].address) == 1
