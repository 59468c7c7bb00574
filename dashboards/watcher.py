"""closewatch itself: can what stands above be believed? Scrapes in time, answers fresh, clocks equal, all seen."""

from __future__ import annotations

from dashboards.limits import limits
from dashboards.parts import TARGET, Limits, Panel, both, chart, query

SERIES = f"{TARGET}, kind, collector"
NAME = "{{environment}} {{target}}"
MOST = 15


def panels() -> list[Panel]:
    """Time, freshness, what is not seen, and whether alerts get out."""
    return [*_time(), *_trust(), *_whole(), *_delivery()]


def _time() -> list[Panel]:
    duration = f"max by ({SERIES}) ({both('closewatch_collector_duration_seconds')})"
    scrapes = f"{both('scrape_duration_seconds')}"
    return [
        chart(
            "Collector duration",
            "The slowest questions, each with its target: what watching costs there.",
            "s",
            [query(f"topk({MOST}, {duration})", NAME + " {{collector}}")],
        ),
        chart(
            "Scrape duration",
            "The slowest scrapes as Prometheus measures them. Near the scrape timeout, results begin to go missing.",
            "s",
            [query(f"topk({MOST}, max by ({TARGET}) ({scrapes}))", NAME)],
        ),
        chart(
            "Series by target",
            "How many series each target gives. A jump means a name that multiplies.",
            "short",
            [query(f"topk({MOST}, max by ({TARGET}) ({both('scrape_samples_post_metric_relabeling')}))", NAME)],
        ),
    ]


def _trust() -> list[Panel]:
    success = f"max by ({SERIES}) ({both('closewatch_collector_last_success_timestamp_seconds')})"
    every = f"max by ({SERIES}) ({both('closewatch_collector_interval_seconds')})"
    return [
        chart(
            "Failing collectors by reason",
            "Why something could not be measured, over time; targets that are down count with all their collectors.",
            "none",
            [
                query(
                    f"count by (reason) (max by ({SERIES}, reason) ({both('closewatch_collector_failure')}))",
                    "{{reason}}",
                )
            ],
            none="No collector reports a failure.",
            stacked=True,
            limits=Limits(alerts=("ClosewatchCollectorFailing",)),
        ),
        chart(
            "Age of slow results, in intervals",
            "What is too dear for each scrape is kept for a while. Above 3 intervals it is dropped rather than shown.",
            "none",
            [query(f"topk({MOST}, (time() - {success}) / on ({SERIES}) {every})", NAME + " {{collector}}")],
            limits=limits("collector_age_intervals"),
        ),
        chart(
            "Clock difference",
            "How far each server's clock is from closewatch's. Ages are wrong by this much.",
            "s",
            [query(f"max by ({TARGET}) (abs(closewatch_postgresql_clock_offset_seconds{{@server}}))", NAME)],
            limits=limits("postgresql_clock_offset_seconds"),
        ),
    ]


def _whole() -> list[Panel]:
    return [
        chart(
            "Watched and expected targets",
            "How many targets answer, how many the inventory expects, and how many databases nobody watches.",
            "none",
            [
                query(f"count(max by ({TARGET}, kind) ({both('closewatch_target_up')}) == 1)", "answering"),
                query(
                    f"count(max by ({TARGET}, kind) ({both('closewatch_target_expected')}) == 1)", "expected", ref="B"
                ),
                query(f"sum(max by ({TARGET}, kind, reason) (closewatch_unwatched{{@server}}))", "unwatched", ref="C"),
            ],
            limits=Limits(
                alerts=("ClosewatchTargetMissing", "ClosewatchDatabaseUnwatched", "ClosewatchLabelsOverwritten")
            ),
            size=(6, 8),
        ),
        chart(
            "Discovery",
            "1 while the databases of a server could be listed; below it the inventory may be incomplete.",
            "none",
            [query(f"min by ({TARGET}) (closewatch_discovery_success{{@server}})", NAME)],
            none="Discovery is not used.",
            top=1,
            limits=Limits(alerts=("ClosewatchCollectorFailing",)),
            size=(6, 8),
        ),
    ]


def _delivery() -> list[Panel]:
    failures = 'sum(rate(prometheus_rule_evaluation_failures_total{rule_group=~".*closewatch-.*"}[$__rate_interval]))'
    dropped = "sum(rate(prometheus_notifications_dropped_total[$__rate_interval]))"
    return [
        chart(
            "Versions and configuration",
            "Which version each process runs, and the age of its configuration.",
            "s",
            [
                query(
                    "time() - max by (instance, version) (closewatch_config_last_reload_success_timestamp_seconds"
                    " * on (instance) group_left (version) closewatch_build_info)",
                    "{{instance}} {{version}}",
                )
            ],
            limits=Limits(alerts=("ClosewatchConfigReloadFailed", "ClosewatchExporterDown")),
            size=(6, 8),
        ),
        chart(
            "Rules and notifications",
            "Evaluations of closewatch's rules that failed, and notifications that Prometheus could not deliver.",
            "cpm",
            [
                query(f"60 * {failures}", "failed evaluations"),
                query(f"60 * {dropped}", "lost notifications", ref="B"),
            ],
            none="Prometheus doesn't scrape itself.",
            limits=Limits(alerts=("ClosewatchRulesFailing", "ClosewatchNotificationsFailing")),
            size=(6, 8),
        ),
    ]
