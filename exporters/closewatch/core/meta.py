"""The families that every target has, whatever kind it is, and those of the process itself."""

from __future__ import annotations

from closewatch.core.families import Family, Gauge

TARGET_UP = Gauge(
    "closewatch_target_up", "Whether the target answered and can do what it is for (1) or not (0).", ("kind",)
)
TARGET_FAILURE = Gauge(
    "closewatch_target_failure",
    "Why the target is not up, as a word of a closed set; present, with value 1, only while it is not.",
    ("kind", "reason"),
)
COLLECTOR_SUCCESS = Gauge(
    "closewatch_collector_success",
    "Whether the collector's newest run succeeded (1) or not (0).",
    ("kind", "collector"),
)
COLLECTOR_FAILURE = Gauge(
    "closewatch_collector_failure",
    "Why the collector's newest run failed, as a word of a closed set; present, with value 1, only while it fails.",
    ("kind", "collector", "reason"),
)
COLLECTOR_DURATION = Gauge(
    "closewatch_collector_duration_seconds", "How long the collector's newest run took.", ("kind", "collector")
)
COLLECTOR_LAST_SUCCESS = Gauge(
    "closewatch_collector_last_success_timestamp_seconds",
    "When the collector last succeeded: the time of the values that it shows.",
    ("kind", "collector"),
)
COLLECTOR_INTERVAL = Gauge(
    "closewatch_collector_interval_seconds",
    "How often a collector of the slow lane asks; its values are dropped when older than three intervals.",
    ("kind", "collector"),
)
CHECK_INTERVAL = Gauge(
    "closewatch_check_interval_seconds", "How often the scheduled check is to run, as configured.", ("check",)
)
CHECK_LAST_RUN = Gauge(
    "closewatch_check_last_run_timestamp_seconds",
    "When the scheduled check last ended, whatever its result; absent while it never ran.",
    ("check",),
)
CHECK_LAST_PASSED = Gauge(
    "closewatch_check_last_passed_timestamp_seconds",
    "When the scheduled check last ended well; absent while it never did.",
    ("check",),
)
CHECK_PASSED = Gauge(
    "closewatch_check_passed",
    "Whether the newest run of the scheduled check passed (1) or failed (0); absent where that is not known.",
    ("check",),
)
CHECK_FAILURE = Gauge(
    "closewatch_check_failure_info",
    "Why the newest run did not pass, as a word of a closed set; present, with value 1, only while it is so.",
    ("check", "reason"),
)
CHECK_FAMILIES: tuple[Family, ...] = (CHECK_INTERVAL, CHECK_LAST_RUN, CHECK_LAST_PASSED, CHECK_PASSED, CHECK_FAILURE)
TARGET_FAMILIES: tuple[Family, ...] = (
    TARGET_UP,
    TARGET_FAILURE,
    COLLECTOR_SUCCESS,
    COLLECTOR_FAILURE,
    COLLECTOR_DURATION,
    COLLECTOR_LAST_SUCCESS,
    COLLECTOR_INTERVAL,
)

BUILD_INFO = Gauge("closewatch_build_info", "The version of closewatch that runs; always 1.", ("version",))
TARGET_EXPECTED = Gauge(
    "closewatch_target_expected",
    "The inventory: 1 where the target is expected to answer now, 0 where its tenant isn't active or is out of hours.",
    ("kind",),
)
DISCOVERY_SUCCESS = Gauge(
    "closewatch_discovery_success",
    "Whether the databases of the server were listed (1), or the known population may be incomplete (0).",
    ("kind",),
)
RELOAD_SUCCESSFUL = Gauge(
    "closewatch_config_last_reload_successful",
    "Whether the newest configuration, and web configuration, could be loaded (1), or an older one is in use (0).",
)
RELOAD_TIMESTAMP = Gauge(
    "closewatch_config_last_reload_success_timestamp_seconds", "When the configuration in use was loaded."
)
RECORDS_UNREADABLE = Gauge(
    "closewatch_records_unreadable",
    "Whether the record store can't be read (1): what scheduled checks found is not shown; absent without a store.",
)
RECORDS_UNWRITABLE = Gauge(
    "closewatch_records_unwritable",
    "Whether the record store can't be written to (1), whoever does: gone, read-only for its owner, or on a "
    "full disk; absent without a store.",
)
HEADS_SIGNED = Gauge(
    "closewatch_records_heads_signed_timestamp_seconds",
    "The end of the newest day whose records are signed; absent where none is.",
)
HEADS_COPIED = Gauge(
    "closewatch_records_heads_copied_timestamp_seconds",
    "The end of the newest day whose signed records are in the copy; 0 while none is.",
    ("copy",),
)
COVERAGE = Gauge(
    "closewatch_restore_test_coverage_ratio",
    "Share of the watched Odoo databases of the cell that a passed restore test brought back within its interval.",
)
PROCESS_FAMILIES: tuple[Family, ...] = (
    COVERAGE,
    RECORDS_UNREADABLE,
    RECORDS_UNWRITABLE,
    HEADS_SIGNED,
    HEADS_COPIED,
    BUILD_INFO,
    TARGET_EXPECTED,
    DISCOVERY_SUCCESS,
    RELOAD_SUCCESSFUL,
    RELOAD_TIMESTAMP,
)

UNWATCHED = Gauge(
    "closewatch_unwatched",
    "Things that discovery sees and nobody watches, by kind and by why; what the configuration ignores is not counted.",
    ("kind", "reason"),
)

FAMILIES: tuple[Family, ...] = (*TARGET_FAMILIES, *CHECK_FAMILIES, *PROCESS_FAMILIES, UNWATCHED)
