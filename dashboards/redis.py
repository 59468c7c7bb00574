"""Redis and Valkey: is memory short, is what they hold safe, do clients get through, and who else gets in?"""

from __future__ import annotations

from dashboards.limits import limits
from dashboards.measures import NAME, Measures, line_per_target
from dashboards.parts import CLEAR, ORANGE, RED, TARGET, Column, Limits, Panel, both, chart, query, table

SHARD = NAME + " {{shard}}"
MEMBER = NAME + " {{member}}"
USED, MAX = "closewatch_redis_memory_evictable_bytes", "closewatch_redis_memory_max_bytes"
NEARLY_FULL = 0.9
REFUSED_IS_BAD = {"0": ("no", CLEAR), "1": ("yes", RED)}


class _Both(Measures):
    """Measures of a kind of target that tenants share or that is a tenant's own."""

    def up(self) -> str:
        """1 where a target answers."""
        kind = f'kind="{self.kind}"'
        return f"max by ({TARGET}) ({both('closewatch_target_up', kind)})"

    def worst(self, metric: str, *labels: str, matchers: str = "") -> str:
        """The highest value by target and the given labels."""
        return f"max by ({', '.join((TARGET, *labels))}) ({both(metric, matchers)})"

    def rate(self, metric: str, *labels: str) -> str:
        """Events a second by target and the given labels."""
        rates = " or ".join(f"rate({metric}{{{scope}}}[$__rate_interval])" for scope in ("@tenant", "@server"))
        return f"max by ({', '.join((TARGET, *labels))}) ({rates})"


REDIS = _Both("redis", "closewatch_redis_info", "")


def memory() -> str:
    """Memory against the limit; the machine's where there is none."""
    own = f"{REDIS.worst(USED, 'shard')} / {REDIS.worst(MAX, 'shard')}"
    machine = REDIS.worst("closewatch_redis_memory_system_bytes", "shard")
    return f"({own} or {REDIS.worst('closewatch_redis_memory_used_bytes', 'shard')} / {machine})"


def full() -> str:
    """Clients against what the server takes."""
    clients, most = (REDIS.worst(f"closewatch_redis_connections{end}", "shard") for end in ("", "_max"))
    return f"{clients} / {most}"


def panels() -> list[Panel]:
    """A line a deployment, then memory, clients, what would be lost, and who gets in."""
    return [_deployments(), *_memory(), *_clients(), *_safety(), *_replication(), *_delays(), *_doors()]


def _deployments() -> Panel:
    exposed = f"sum by ({TARGET}) ({REDIS.worst('closewatch_redis_exposed', 'exposure')})"
    missing = f"{REDIS.worst('closewatch_redis_replicas_expected')} - {REDIS.worst('closewatch_redis_replicas_online')}"
    columns: list[tuple[str, Column]] = [
        (
            f"max by ({TARGET}) ({memory()})",
            Column("", "Memory", unit="percentunit", steps=limits("redis_memory_ratio").steps, width=90),
        ),
        (
            f"max by ({TARGET}) ({REDIS.rate('closewatch_redis_evicted_keys_total', 'shard')})",
            Column("", "Evicted", unit="cps", steps=((0.001, ORANGE),), width=90),
        ),
        (
            REDIS.worst("closewatch_redis_writes_refused"),
            Column("", "Refuses writes", texts=REFUSED_IS_BAD, solid=True, width=125),
        ),
        (missing, Column("", "Replicas missing", steps=((1, ORANGE),), width=135)),
        (
            f"max by ({TARGET}) ({full()})",
            Column("", "Clients", unit="percentunit", steps=((NEARLY_FULL, ORANGE),), width=85),
        ),
        (exposed, Column("", "Exposures", steps=((1, ORANGE),), width=95)),
    ]
    return line_per_target(
        "Redis and Valkey",
        "A line a deployment. Evictions are daily work in a cache, and lost work where it holds sessions or jobs.",
        REDIS,
        columns,
        noun="Redis",
        none="No Redis or Valkey is watched here.",
    )


def _memory() -> list[Panel]:
    return [
        chart(
            "Memory against its limit",
            "Of maxmemory, without what replicas buffer; of the machine's memory where no limit is set.",
            "percentunit",
            [query(memory(), SHARD)],
            limits=limits("redis_memory_ratio"),
            top=1,
        ),
        chart(
            "Keys thrown away",
            "Evicted for want of memory, and expired because their time had come.",
            "cps",
            [
                query(REDIS.rate("closewatch_redis_evicted_keys_total", "shard"), SHARD + " evicted"),
                query(REDIS.rate("closewatch_redis_expired_keys_total", "shard"), SHARD + " expired", ref="B"),
            ],
            limits=Limits(alerts=("RedisEvictingKeys",)),
        ),
        chart(
            "Keys",
            "All keys, and those that never expire: of sessions these are a leak, or another application's.",
            "short",
            [
                query(REDIS.worst("closewatch_redis_keys", "shard"), SHARD),
                query(REDIS.worst("closewatch_redis_keys_without_expiry", "shard"), SHARD + " without expiry", ref="B"),
            ],
        ),
        chart(
            "Memory fragmentation",
            "What the process holds against what it uses; left out below 100 MB, where it means nothing.",
            "none",
            [query(REDIS.worst("closewatch_redis_memory_fragmentation_ratio", "shard"), SHARD)],
            none="Nothing uses more than 100 MB.",
        ),
    ]


def _clients() -> list[Panel]:
    hits = f"sum by ({TARGET}) ({REDIS.rate('closewatch_redis_keyspace_hits_total', 'shard')})"
    misses = f"sum by ({TARGET}) ({REDIS.rate('closewatch_redis_keyspace_misses_total', 'shard')})"
    return [
        chart(
            "Clients against the limit",
            "Connected clients of what the server takes. At 100 % new ones are rejected.",
            "percentunit",
            [query(full(), SHARD)],
            limits=Limits(((NEARLY_FULL, ORANGE),), ("RedisDown",)),
            top=1,
        ),
        chart(
            "Rejected connections",
            "No place for another client, or somebody from another machine kept out by protected mode.",
            "cps",
            [query(REDIS.rate("closewatch_redis_rejected_connections_total", "shard"), SHARD)],
            limits=Limits(alerts=("RedisRejectingConnections",)),
        ),
        chart(
            "Hit ratio",
            "Reads that found their key, of all reads. A fall after a restart or an eviction is a cache that warms up.",
            "percentunit",
            [query(f"{hits} / ({hits} + {misses})", NAME)],
            none="Nothing is read.",
            top=1,
        ),
        chart(
            "Commands",
            "Commands carried out, and clients that wait in a blocking one.",
            "short",
            [
                query(REDIS.rate("closewatch_redis_commands_total", "shard"), SHARD + " a second"),
                query(REDIS.worst("closewatch_redis_blocked_clients", "shard"), SHARD + " blocked", ref="B"),
            ],
        ),
    ]


def _safety() -> list[Panel]:
    return [
        chart(
            "Writes refused",
            "1 while the master refuses writes, by why; reads and PING still work.",
            "none",
            [query(REDIS.worst("closewatch_redis_writes_refused", "reason", "shard"), SHARD + " {{reason}}")],
            limits=Limits(alerts=("RedisWritesRefused",)),
            top=1,
        ),
        chart(
            "Age of the last snapshot",
            "With changes since then a restart loses them, unless the append-only file is on.",
            "s",
            [query(REDIS.age("closewatch_redis_rdb_last_save_timestamp_seconds", "member"), MEMBER)],
            limits=Limits(alerts=("RedisPersistenceFailing",)),
        ),
        chart(
            "Changes not in a snapshot",
            "What a restart would lose of a server without an append-only file.",
            "short",
            [query(REDIS.worst("closewatch_redis_rdb_changes_since_last_save", "member"), MEMBER)],
        ),
    ]


def _replication() -> list[Panel]:
    return [
        chart(
            "Members by role",
            "A master and its replicas; of a cluster, all of its masters.",
            "short",
            [query(REDIS.worst("closewatch_redis_members", "role"), NAME + " {{role}}")],
            limits=Limits(alerts=("RedisReplicationBroken",)),
        ),
        chart(
            "Replication link",
            "1 while the replica hears its master. Without it, a failover loses what was written since.",
            "none",
            [query(REDIS.worst("closewatch_redis_replication_link_up", "member"), MEMBER)],
            none="Nothing has a replica.",
            top=1,
        ),
        chart(
            "Replica behind its master",
            "What the master has sent and the replica has not confirmed.",
            "bytes",
            [query(REDIS.worst("closewatch_redis_replica_lag_bytes", "replica"), NAME + " {{replica}}")],
            none="Nothing has a replica.",
        ),
        chart(
            "Silence of the master",
            "How long a replica has not heard its master; a live one is heard at least every ten seconds.",
            "s",
            [query(REDIS.age("closewatch_redis_replication_last_io_timestamp_seconds", "member"), MEMBER)],
            none="Nothing has a replica.",
        ),
    ]


def _delays() -> list[Panel]:
    return [
        chart(
            "Slow commands",
            "Commands slower than the server's own limit (slowlog-log-slower-than, 10 ms by default).",
            "cps",
            [query(REDIS.rate("closewatch_redis_slow_commands_total", "shard"), SHARD)],
        ),
        chart(
            "Latency events",
            "How long the newest events took, by class; where latency-monitor-threshold is set.",
            "s",
            [query(REDIS.worst("closewatch_redis_latency_last_seconds", "event", "shard"), SHARD + " {{event}}")],
            none="None was noted, or the latency monitor is off.",
        ),
    ]


def _doors() -> list[Panel]:
    exposed = REDIS.worst("closewatch_redis_exposed", "exposure", "member")
    return [
        chart(
            "Denied attempts",
            "Logins refused, and commands, keys and channels denied. Who it was is in the server's ACL log.",
            "cps",
            [query(REDIS.rate("closewatch_redis_access_denied_total", "attempt"), NAME + " {{attempt}}")],
            limits=Limits(alerts=("RedisAccessDenied",)),
            none="No server counts them (7.0 and later do).",
        ),
        table(
            "Exposures",
            "What would let others in, by member. A wide bind is normal in a container with a password and a policy.",
            [query(f"{exposed} == 1", table=True)],
            [
                Column("target", "Redis"),
                Column("exposure", "Exposure"),
                Column("member", "Member"),
                Column("tenant", "Tenant"),
                Column("cell", "Cell"),
                Column("environment", "Environment"),
            ],
            hidden=("Value",),
            none="Nothing is exposed, as far as it can be told.",
            alerts=("RedisExposed",),
        ),
    ]
