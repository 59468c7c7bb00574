"""The collectors of Redis as a whole, and each on answers that are short of something."""

from __future__ import annotations

from pathlib import Path

import pytest

from closewatch.core.collectors import Reason, Unavailable
from closewatch.redis import COLLECTORS
from closewatch.redis.access import ACCESS
from closewatch.redis.connections import CONNECTIONS
from closewatch.redis.exposure import EXPOSURE
from closewatch.redis.latency import LATENCY
from closewatch.redis.memory import MEMORY
from closewatch.redis.persistence import PERSISTENCE
from closewatch.redis.replication import REPLICATION
from closewatch.redis.server import SERVER
from closewatch.sources.redis.command import Command
from tests.fixtures.redis import ACL
from tests.unit.redis.reading import NOW, read

ROOT = Path(__file__).resolve().parents[3]
WRITES = {"CONFIG SET", "ACL SETUSER", "CLIENT KILL", "SLOWLOG RESET"}


def test_the_guide_shows_the_rights_that_are_tested():
    line = ACL.read_text(encoding="utf-8").strip()
    assert line in (ROOT / "docs/guides/security.md").read_text(encoding="utf-8")


def test_names_and_help():
    assert len({collector.name for collector in COLLECTORS}) == len(COLLECTORS)
    families = [family for collector in COLLECTORS for family in collector.families]
    assert len({family.name for family in families}) == len(families)
    for family in families:
        assert family.name.startswith("closewatch_redis_")
        assert family.help[0].isupper()
        assert family.help.endswith(".")


def test_nothing_is_asked_that_changes_or_shows_everything():
    commands = [one for collector in COLLECTORS for each in collector.ask.values() for one in each]
    assert all(isinstance(command, Command) for command in commands)
    for line in (line for command in commands for line in command.lines):
        assert " ".join(line[:2]) not in WRITES
        assert "*" not in line
        assert "requirepass" not in line
        assert line[0] in {"INFO", "CONFIG", "ACL", "SLOWLOG", "LATENCY", "CLUSTER"}


@pytest.mark.parametrize("collector", [one for one in COLLECTORS if one.name != "outside"], ids=lambda one: one.name)
def test_an_empty_answer_claims_nothing(collector):
    """No field is there: what is told is unknown, never 0 and never well."""
    facts = read(collector, {})
    told = {sample.family.name: sample.value for sample in facts.samples if sample.value is not None}
    # The numbers of replicas are counted from what is listed; the slow log's count is only there when it was asked.
    assert set(told) <= {
        "closewatch_redis_replicas_online",
        "closewatch_redis_replicas_expected",
    }


def test_memory_below_its_floor_has_no_ratio():
    row = {"used_memory": "1000", "mem_fragmentation_ratio": "8.1", "maxmemory": "0", "total_system_memory": "64"}
    facts = read(MEMORY, row)
    assert facts.all("redis_memory_fragmentation_ratio") == []
    assert facts.all("redis_memory_max_bytes") == []
    assert facts.one("redis_memory_system_bytes") == 64
    row["used_memory"] = str(200 * 2**20)
    assert read(MEMORY, row).one("redis_memory_fragmentation_ratio") == 8.1


def test_counters_survive_a_failover_a_restart_and_a_reset():
    memory = MEMORY.memory()

    def evicted(said: str, member: str = "a:6379", run: str = "1") -> float:
        return read(MEMORY, {"evicted_keys": said, "run_id": run}, memory, member=member).one(
            "redis_evicted_keys_total"
        )

    assert evicted("100") == 100
    assert evicted("130") == 130
    assert evicted("5", "b:6379", "2") == 130, "another server: its own past adds nothing"
    assert evicted("9", "b:6379", "2") == 134
    assert evicted("3", "b:6379", "3") == 137, "restarted: all it says is new"
    assert evicted("1", "b:6379", "3") == 138, "CONFIG RESETSTAT"


def test_counters_of_shards_are_kept_apart():
    memory = MEMORY.memory()
    for shard, said in (("0-1", "10"), ("2-3", "20"), ("0-1", "11"), ("2-3", "22")):
        facts = read(MEMORY, {"evicted_keys": said, "run_id": "1"}, memory, member=shard, shard=shard)
    assert facts.one("redis_evicted_keys_total", shard="2-3") == 22


def test_keys_of_all_databases():
    row = {"role": "master", "loading": "0", "db0": "keys=10,expires=7,avg_ttl=1", "db9": "keys=5,expires=5"}
    facts = read(SERVER, row)
    assert (facts.one("redis_keys"), facts.one("redis_keys_without_expiry")) == (15, 3)


def test_the_start_does_not_waver():
    memory = SERVER.memory()
    starts = {
        read(SERVER, {"uptime_in_seconds": up, "run_id": "1"}, memory).one("redis_start_timestamp_seconds")
        for up in ("100", "99", "101")
    }
    assert starts == {NOW - 100}


@pytest.mark.parametrize(
    ("row", "settings", "reason", "refused"),
    [
        ({"rdb_last_bgsave_status": "err"}, {"save": "60 1", "stop-writes-on-bgsave-error": "yes"}, "snapshot", [1]),
        ({"rdb_last_bgsave_status": "err"}, {"save": "60 1", "stop-writes-on-bgsave-error": "no"}, "snapshot", [0]),
        ({"rdb_last_bgsave_status": "err"}, {"save": "", "stop-writes-on-bgsave-error": "yes"}, "snapshot", [0]),
        ({"rdb_last_bgsave_status": "err"}, {}, "snapshot", []),
        ({"rdb_last_bgsave_status": "ok"}, {}, "snapshot", [0]),
        ({"aof_enabled": "1", "aof_last_write_status": "err"}, {}, "append_only_file", [1]),
        ({"aof_enabled": "0", "aof_last_write_status": "err"}, {}, "append_only_file", [0]),
        ({"min_slaves_good_slaves": "0"}, {"min-replicas-to-write": "1"}, "replicas", [1]),
        ({"min_slaves_good_slaves": "1"}, {"min-replicas-to-write": "1"}, "replicas", [0]),
        ({}, {"min-replicas-to-write": "0"}, "replicas", [0]),
        ({}, {}, "replicas", [0]),
        ({"min_slaves_good_slaves": "1"}, {}, "replicas", []),
        ({"used_memory": "9", "maxmemory": "8", "maxmemory_policy": "noeviction"}, {}, "memory", [1]),
        (
            {"used_memory": "9", "maxmemory": "8", "maxmemory_policy": "noeviction", "mem_not_counted_for_evict": "2"},
            {},
            "memory",
            [0],
        ),
        ({"used_memory": "9", "maxmemory": "8", "maxmemory_policy": "allkeys-lru"}, {}, "memory", [0]),
        ({"used_memory": "9", "maxmemory": "0", "maxmemory_policy": "noeviction"}, {}, "memory", [0]),
    ],
)
def test_when_writes_are_refused(row, settings, reason, refused):
    facts = read(PERSISTENCE, {"role": "master", **row}, config=[settings])
    assert facts.all("redis_writes_refused", reason=reason) == refused


def test_replicas_speak_of_no_refused_writes():
    assert read(PERSISTENCE, {"role": "slave", "aof_enabled": "0"}, speaks=False).all("redis_writes_refused") == []


def test_replicas_by_name_are_bounded_and_hostile_names_harmless():
    row = {"master_repl_offset": "100"}
    row |= {f"slave{n}": f"ip=10.0.0.{n},port=6379,state=online,offset=90,lag=1" for n in range(40)}
    row["slave40"] = "ip=" + "x" * 500 + ',port="\n,state=wait_bgsave,offset=oops,lag=-1'
    facts = read(REPLICATION, row)
    assert facts.one("redis_replicas_online") == 40
    assert len(facts.all("redis_replica_lag_bytes")) == 16
    assert facts.one("redis_replica_lag_bytes", replica="10.0.0.3:6379") == 10


def test_latency_shows_the_newest_of_the_newest_classes():
    events = [
        {"event": event, "at": at, "last": at, "max": 900}
        for event, at in (("aof-write", 5), ("aof-fsync-always", 8), ("fork", 3), ("command", 9), ("odd-\n-one", 7))
    ]
    facts = read(LATENCY, {"run_id": "1"}, latency=events)
    assert sorted(facts.labels("redis_latency_last_seconds", "event")) == ["append_only_file", "command", "other"]
    assert facts.one("redis_latency_last_seconds", event="append_only_file") == 0.008
    assert facts.one("redis_latency_last_timestamp_seconds") == 9
    assert facts.all("redis_slow_commands_total") == []


def test_slow_commands_go_on_after_the_log_was_emptied():
    memory = LATENCY.memory()

    def slow(run: str, *entries: int) -> float:
        rows = [{"id": one, "at": 5, "microseconds": 1} for one in entries]
        return read(LATENCY, {"run_id": run}, memory, slow=rows).one("redis_slow_commands_total")

    assert [slow("1"), slow("1", 6), slow("1"), slow("1", 8), slow("2")] == [0, 7, 7, 9, 0]


def test_denied_without_counters_has_only_a_time():
    facts = read(ACCESS, {}, log=[{"age": 12.4}])
    assert facts.all("redis_access_denied_total") == []
    assert facts.one("redis_access_denied_last_timestamp_seconds") == NOW - 12


def test_connections_max_of_an_old_server_comes_from_its_settings():
    assert read(CONNECTIONS, {}, limit=[{"maxclients": "77"}]).one("redis_connections_max") == 77


def exposed(version: int = 70_000, **tables) -> dict[str, float]:
    facts = read(EXPOSURE, version=version, **tables)
    return dict(zip(facts.labels("redis_exposed", "exposure"), facts.all("redis_exposed"), strict=False))


@pytest.mark.parametrize(
    ("bind", "version", "wide"),
    [
        ("127.0.0.1 -::1", 70_000, 0),
        ("* -::*", 70_000, 1),
        ("-::*", 70_000, 1),
        ("10.0.0.1 0.0.0.0", 70_000, 1),
        ("", 70_000, 0),
        ("", 60_009, 1),
    ],
)
def test_bind(bind, version, wide):
    facts = read(EXPOSURE, version=version, config=[{"bind": bind}])
    assert facts.all("redis_exposed", exposure="bind_all") == [wide]
    assert facts.all("redis_exposed", exposure="protected_mode_off") == []


@pytest.mark.parametrize(
    ("user", "open_"),
    [
        ({"on": True, "nopass": True, "rules": "+@all"}, 1),
        ({"on": True, "nopass": False, "rules": "+@all"}, 0),
        ({"on": False, "nopass": True, "rules": "+@all"}, 0),
        ({"on": True, "nopass": True, "rules": "-@all"}, 0),
        ({"on": True, "nopass": True, "rules": "-@all\n-@all +get"}, 1),
    ],
)
def test_default_user(user, open_):
    facts = read(EXPOSURE, default=[user])
    assert facts.all("redis_exposed", exposure="default_user_without_password") == [open_]


def test_no_such_application_user():
    with pytest.raises(Unavailable) as caught:
        read(EXPOSURE, user=[])
    assert caught.value.reason is Reason.MISSING
