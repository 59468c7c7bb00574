"""PostgreSQL replication and WAL: does a standby follow, does WAL leave the server, is a slot or a page damaged?"""

from __future__ import annotations

from dashboards.limits import limits
from dashboards.measures import NAME, Measures
from dashboards.parts import ORANGE, RED, Limits, Panel, chart, query


def panels(pg: Measures) -> list[Panel]:
    """Standbys, their links and slots, the archive, damage."""
    return [*_standbys(pg), *_links(pg), *_slots(pg), *_archive(pg), *_damage(pg)]


def standbys_missing(pg: Measures) -> str:
    """How many streaming standbys are expected and not there."""
    expected, present = "closewatch_postgresql_standbys_expected", "closewatch_postgresql_standbys_streaming"
    operated = f"{pg.worst('closewatch_postgresql_cloudnativepg_instances')} - 1"
    return f"clamp_min(({operated} or {pg.worst(expected)}) - {pg.worst(present)}, 0)"


def _not_ready(pg: Measures) -> str:
    """Instances that CloudNativePG's object asks for, and that its operator says aren't ready."""
    wanted, ready = (
        "closewatch_postgresql_cloudnativepg_instances",
        "closewatch_postgresql_cloudnativepg_instances_ready",
    )
    return f"{pg.worst(wanted)} - {pg.worst(ready)}"


def _standbys(pg: Measures) -> list[Panel]:
    behind = pg.worst("closewatch_postgresql_replication_unreplayed_bytes", "member")
    return [
        chart(
            "Replication lag",
            "How far each standby is behind in what it has replayed, as the primary sees it and as the standby does.",
            "s",
            [
                query(pg.worst("closewatch_postgresql_replication_lag_seconds", "standby"), NAME + " {{standby}}"),
                query(
                    pg.worst("closewatch_postgresql_standby_replay_lag_seconds", "member"),
                    NAME + " {{member}} by itself",
                    ref="B",
                ),
            ],
            limits=limits("postgresql_replication_lag_seconds"),
        ),
        chart(
            "Replication lag in bytes",
            "WAL that a standby has not replayed yet: what the primary sees, and what lies on the standby itself.",
            "bytes",
            [
                query(pg.worst("closewatch_postgresql_replication_lag_bytes", "standby"), NAME + " {{standby}}"),
                query(behind, NAME + " {{member}} received, not replayed", ref="B"),
            ],
            limits=limits("postgresql_replication_lag_bytes"),
        ),
        chart(
            "Standbys missing",
            "Streaming standbys that are expected and not there. Above 0 there is less to fail over to.",
            "none",
            [
                query(standbys_missing(pg), NAME),
                query(_not_ready(pg), NAME + " not ready, says CloudNativePG", ref="B"),
                query(
                    f"{pg.worst('closewatch_postgresql_cloudnativepg_hibernated')} == 1", NAME + " hibernated", ref="C"
                ),
            ],
            limits=Limits(((1, ORANGE),), ("PostgresqlStandbyMissing",)),
        ),
    ]


def _links(pg: Measures) -> list[Panel]:
    return [
        chart(
            "Silence of the link",
            "How long each standby has heard nothing from the primary. An idle primary still sends a sign of life.",
            "s",
            [
                query(
                    pg.age("closewatch_postgresql_replication_last_message_timestamp_seconds", "member"),
                    NAME + " {{member}}",
                )
            ],
            none="No standby is connected, or there is none.",
            limits=limits("postgresql_replication_silence_seconds"),
            size=(6, 8),
        ),
        chart(
            "Links and replay",
            "1 while a standby is connected and, apart from that, 1 while somebody has paused its replay.",
            "none",
            [
                query(pg.worst("closewatch_postgresql_replication_link_up", "member"), NAME + " {{member}} connected"),
                query(
                    pg.worst("closewatch_postgresql_replication_replay_paused", "member"),
                    NAME + " {{member}} paused",
                    ref="B",
                ),
            ],
            none="There is no standby.",
            top=1,
            limits=Limits(alerts=("PostgresqlReplicationLinkDown", "PostgresqlReplayPaused")),
            size=(6, 8),
        ),
    ]


def _slots(pg: Measures) -> list[Panel]:
    return [
        chart(
            "WAL kept for slots",
            "What each replication slot keeps on the primary's disk. A slot that nobody reads fills it.",
            "bytes",
            [query(pg.worst("closewatch_postgresql_slot_retained_bytes", "slot"), NAME + " {{slot}}")],
            none="There are no replication slots.",
            limits=limits("postgresql_slot_retained_bytes"),
            size=(6, 8),
        ),
        chart(
            "Room left for slots",
            "WAL that may still be written before a slot is lost. Only where max_slot_wal_keep_size is set.",
            "bytes",
            [query(pg.worst("closewatch_postgresql_slot_safe_bytes", "slot"), NAME + " {{slot}}")],
            none="No slot has a limit.",
            limits=Limits(alerts=("PostgresqlSlotLost",)),
            size=(6, 8),
        ),
    ]


def _archive(pg: Measures) -> list[Panel]:
    return [
        chart(
            "WAL waiting for the archive",
            "How long the oldest complete segment waits. What waits is lost with the server.",
            "s",
            [query(pg.age("closewatch_postgresql_wal_archive_oldest_waiting_timestamp_seconds"), NAME)],
            none="Nothing waits for the archive, or archiving is off.",
            limits=limits("postgresql_wal_archive_waiting_seconds"),
        ),
        chart(
            "WAL segments waiting",
            "Complete segments that are not archived yet, 16 MB each unless configured otherwise. They fill the disk.",
            "none",
            [query(pg.worst("closewatch_postgresql_wal_archive_waiting_segments"), NAME)],
            none="Archiving is off.",
            limits=Limits(alerts=("PostgresqlWalArchiveFailing",)),
        ),
        chart(
            "Archive failures",
            "Failed attempts of archive_command or archive_library, per minute. The server log says why.",
            "cpm",
            [query(f"60 * {pg.rate('closewatch_postgresql_wal_archive_failures_total')}", NAME)],
            none="Archiving is off.",
            limits=Limits(alerts=("PostgresqlWalArchiveFailing",)),
        ),
    ]


def _damage(pg: Measures) -> list[Panel]:
    lost = pg.worst("closewatch_postgresql_slot_status", "slot", "status", matchers='status!~"reserved|extended"')
    return [
        chart(
            "Members by role",
            "What each cluster's members are, measured at every scrape: exactly one primary, and nobody unreachable.",
            "none",
            [query(pg.worst("closewatch_postgresql_members", "role"), NAME + " {{role}}")],
            limits=Limits(alerts=("PostgresqlDown", "PostgresqlSplitBrain")),
        ),
        chart(
            "Slots that are lost or nearly",
            "Slots whose WAL is no longer kept, or that were invalidated. Who reads them must be set up anew.",
            "none",
            [
                query(f"{lost} == 1", NAME + " {{slot}} {{status}}"),
                query(
                    pg.worst("closewatch_postgresql_slot_invalidated", "slot", "reason") + " == 1",
                    NAME + " {{slot}} {{reason}}",
                    ref="B",
                ),
            ],
            limits=Limits(alerts=("PostgresqlSlotLost",)),
            none="Every slot is healthy, or there is none.",
        ),
        chart(
            "Checksum failures",
            "Pages that were read damaged, since statistics were reset. Any at all: stop and find out.",
            "none",
            [query(pg.worst("closewatch_postgresql_checksum_failures_total"), NAME)],
            none="No data: checksums are off.",
            limits=Limits(((1, RED),), ("PostgresqlChecksumFailure",)),
        ),
    ]
