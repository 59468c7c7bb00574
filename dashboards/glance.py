"""The first screen: what fires, what doesn't answer and why, and what can't be measured.

A figure is 0 only while closewatch is scraped (`or 0 * ANY`): a dead watcher must not look like a quiet night.
"""

from __future__ import annotations

from dashboards import state
from dashboards.parts import (
    GREEN,
    ORANGE,
    RED,
    TARGET,
    YELLOW,
    Column,
    Panel,
    both,
    chart,
    number,
    only,
    query,
    table,
    timeline,
)

ANY = 'count(closewatch_target_up{environment=~"$environment"})'
ONLY_THIS = only("Only this target")
# Targets whose tenant isn't active or that are outside of their hours: they may be down, and alerts are silent.
QUIET = f"max by ({TARGET}, kind) (closewatch_target_expected) == 0"
DOWN = f"(max by ({TARGET}) ({both('closewatch_target_up')}) == 0)"

SEVERITIES = {"critical": ("critical", RED), "warning": ("warning", ORANGE)}
KINDS = {
    "postgresql": ("PostgreSQL", "text"),
    "pgbouncer": ("PgBouncer", "text"),
    "odoo": ("Odoo", "text"),
    "redis": ("Redis", "text"),
    "certificates": ("certificates", "text"),
    "backups": ("backups", "text"),
    "restores": ("restore plan", "text"),
}
EXPECTED = {"0": ("no", "text"), "1": ("yes", RED)}
MODES = {"observe": ("observed only, sent to nobody", YELLOW)}
# Why there is no answer, in words that say where to look. The keys are the closed set of reasons.
REASONS = {
    "refused": ("refused: nothing listens at this address", RED),
    "unreachable": ("unreachable: network, name or firewall", RED),
    "timeout": ("timeout: no answer in time", RED),
    "authentication": ("authentication: user, password or pg_hba.conf", ORANGE),
    "permission": ("permission: a grant is missing", ORANGE),
    "missing": ("missing: a table or column is not there", YELLOW),
    "database_missing": ("database_missing: dropped or renamed", ORANGE),
    "not_found": ("not_found: the folder, bucket or program is not there", ORANGE),
    "throttled": ("throttled: asked too often, tried again later", YELLOW),
    "clock": ("clock: this host's clock is wrong", ORANGE),
    "locked": ("locked: held by an upgrade or another session", ORANGE),
    "too_many_connections": ("too_many_connections: no slot is free", RED),
    "starting": ("starting: the server starts or recovers", YELLOW),
    "shutting_down": ("shutting_down: the server stops", RED),
    "tls": ("tls: certificate or protocol", ORANGE),
    "no_primary": ("no_primary: no member accepts writes", RED),
    "over_budget": ("over_budget: answers too slowly, left out for a while", YELLOW),
    "busy": ("busy: the previous question still runs", YELLOW),
    "read_only_violation": ("read_only_violation: a question tried to write", RED),
    "connection_lost": ("connection_lost: cut in the middle of an answer", RED),
    "invalid_answer": ("invalid_answer: not what was expected", ORANGE),
    "secret": ("secret: the password can't be read, see the log of closewatch", ORANGE),
    "records": ("records: the record store can't be read", ORANGE),
    "server_error": ("server_error: the server refused the question", ORANGE),
    "error": ("error: see the log of closewatch", ORANGE),
}


def firing(matchers: str = "") -> str:
    """The alerts of what is chosen: those of its tenants and targets, and the shared ones of its servers."""
    alerts = 'ALERTS{alertstate="firing",@alert' + (f",{matchers}" if matchers else "")
    return f'({alerts},tenant=~"$tenant",target=~"($target)|"}} or {alerts},tenant="",target=~"($server)|"}})'


def zero_unless_blind(expr: str) -> str:
    """A count that is 0 when there is nothing to count, and missing when closewatch is."""
    return f"{expr} or 0 * {ANY}"


def panels() -> list[Panel]:
    """Figures, then what is wrong by name, then when it was."""
    figures = [*_alert_figures(), *_target_figures(), *_watching_figures()]
    return [*figures, state.panel(), *_alert_panels(), *_failures(), _outages()]


def _alert_figures() -> list[Panel]:
    critical, warning = firing('severity="critical"'), firing('severity="warning"')
    return [
        number(
            "Critical alerts",
            "Incidents that fire now. No data: closewatch is not scraped, so nobody knows.",
            [query(zero_unless_blind(f"count({critical})"), "critical", instant=True)],
            steps=[(1, RED)],
        ),
        number(
            "Warnings",
            "Alerts for working hours that fire now.",
            [query(zero_unless_blind(f"count({warning})"), "warning", instant=True)],
            steps=[(1, ORANGE)],
        ),
    ]


def _target_figures() -> list[Panel]:
    return [
        _up_and_down("What tenants share", '@server,tenant=""'),
        _up_and_down("What is a tenant's", '@tenant,tenant!=""'),
    ]


def _up_and_down(title: str, scope: str) -> Panel:
    """How many targets don't answer, beside how many do."""
    up = f"max by ({TARGET}, kind) (closewatch_target_up{{{scope}}})"
    down = f"{up} == 0 unless on ({TARGET}, kind) {QUIET}"
    return number(
        title,
        "How many don't answer and should, and how many answer. Which ones and why stands below.",
        [
            query(zero_unless_blind(f"count({down})"), "down", ref="A", instant=True),
            query(zero_unless_blind(f"count({up} == 1)"), "up", ref="B", instant=True),
        ],
        steps=[(1, RED)],
        size=(4, 4),
        plain="B",
    )


def _watching_figures() -> list[Panel]:
    failing = f"max by ({TARGET}, kind, collector) ({both('closewatch_collector_success')}) == 0"
    expected = f"max by ({TARGET}, kind) ({both('closewatch_target_expected')}) == 1"
    unwatched = f"max by ({TARGET}, kind, reason) (closewatch_unwatched{{@server}})"
    loaded = 'min(closewatch_config_last_reload_successful{job="closewatch"})'
    return [
        number(
            "Failing collectors",
            "What can't be measured although its target answers. Which ones and why stands below.",
            [query(zero_unless_blind(f"count(({failing}) unless on ({TARGET}) {DOWN})"), "failing", instant=True)],
            steps=[(1, ORANGE)],
        ),
        number(
            "Expected but missing",
            "Targets of the inventory of which Prometheus has no result at all: not scraped, or lost from discovery.",
            [
                query(
                    zero_unless_blind(f"count(({expected}) unless on ({TARGET}, kind) {both('closewatch_target_up')})"),
                    "missing",
                    instant=True,
                )
            ],
            steps=[(1, ORANGE)],
        ),
        number(
            "Nobody watches",
            "Databases that discovery sees and that no rule of the configuration matches, or that refuse connections.",
            [query(zero_unless_blind(f"sum({unwatched})"), "unwatched", instant=True)],
            steps=[(1, YELLOW)],
            size=(2, 4),
        ),
        number(
            "closewatch",
            "The process as Prometheus sees it, and whether it runs with the newest configuration.",
            [query(f'min(up{{job="closewatch"}}) + ({loaded} or vector(0))', "closewatch", instant=True)],
            steps=[(1, ORANGE), (2, GREEN)],
            base=RED,
            words={"0": ("down", RED), "1": ("old config", ORANGE), "2": ("up", GREEN)},
            size=(2, 4),
        ),
    ]


def _alert_panels() -> list[Panel]:
    since = f"1000 * (ALERTS_FOR_STATE{{@alert}} and ignoring (alertstate) {firing()})"
    runbook = ("Runbook", "${runbooks}/${__value.text}")
    return [
        table(
            "What to look at first",
            "What fires now, the worst first. The name leads to the runbook: what it means, what to check, what to do.",
            [query(since, table=True)],
            [
                Column("severity", "Severity", width=90, texts=SEVERITIES, solid=True),
                Column("alertname", "Alert", link=runbook),
                Column("target", "Target", link=ONLY_THIS),
                Column("tenant", "Tenant"),
                Column("cell", "Cell"),
                Column("environment", "Environment"),
                Column("domain", "Endangers", width=120),
                Column("Value", "Since", unit="dateTimeFromNow", width=130),
                Column("closewatch_mode", "Mode", texts=MODES),
            ],
            hidden=("alertstate", "audience", "layer", "cause"),
            none="No alert is firing.",
            sort=("Severity", False),
            size=(17, 8),
        ),
        chart(
            "Alerts over time",
            "How many fired, by severity and by what they endanger.",
            "none",
            [query(f"count by (severity, domain) ({firing()})", "{{severity}} {{domain}}")],
            none="No alert fired.",
            size=(7, 8),
            stacked=True,
        ),
    ]


def _failures() -> list[Panel]:
    series = f"{TARGET}, kind, collector"
    failing = f"max by ({series}, reason) ({both('closewatch_collector_failure')}) unless on ({TARGET}) {DOWN}"
    success = f"max by ({series}) ({both('closewatch_collector_last_success_timestamp_seconds')})"
    last = f"(({failing}) * on ({series}) group_left () {success} * 1000) or 0 * ({failing})"
    targets = f"max by ({TARGET}, kind, reason) ({both('closewatch_target_failure')})"
    expected = f"max by ({TARGET}, kind) ({both('closewatch_target_expected')})"
    where = [
        Column("target", "Target", link=ONLY_THIS),
        Column("kind", "Kind", texts=KINDS),
        Column("tenant", "Tenant"),
        Column("cell", "Cell"),
        Column("environment", "Environment"),
    ]
    return [
        table(
            "Targets that don't answer",
            "Why nothing is known of them; not expected: the tenant isn't active, or it is outside of its hours.",
            [
                query(targets, ref="A", table=True),
                query(f"{expected} and on ({TARGET}, kind) ({targets})", ref="B", table=True),
            ],
            [
                where[0],
                Column("reason", "Reason", width=310, texts=REASONS),
                Column("Value #B", "Expected", texts=EXPECTED, width=80),
                *where[1:],
            ],
            hidden=("Value #A",),
            none="No target reports a failure.",
            alerts=("PostgresqlDown", "OdooDatabaseUnavailable", "ClosewatchTargetUnreadable"),
            size=(12, 7),
        ),
        table(
            "Collectors that fail although the target answers",
            "What can't be measured there, why, and when it last could. Missing grants: `closewatch check --connect`.",
            [query(last, table=True)],
            [
                where[0],
                Column("collector", "Collector"),
                Column("reason", "Reason", width=310, texts=REASONS),
                Column("Value", "Last success", unit="dateTimeFromNow", width=130, texts={"0": ("never", ORANGE)}),
                *where[2:],
            ],
            hidden=("kind",),
            none="No collector reports a failure.",
            alerts=("ClosewatchCollectorFailing", "ClosewatchResultsTooOld"),
            size=(12, 7),
        ),
    ]


def _outages() -> Panel:
    key = f"kind, {TARGET}"
    up = f"max by ({key}) ({both('closewatch_target_up')})"
    lowest = "min_over_time(closewatch_target_up{%s}[$__range] @ end()) == 0"
    ever = f"({lowest % '@tenant'} or {lowest % '@server'})"
    return timeline(
        "Outages",
        "Each target that was down at some time of what is shown: when it began, and whether it is over.",
        [query(f"{up} and on ({key}) {ever}", "{{kind}} {{environment}} {{target}}")],
        {"0": ("down", RED), "1": ("up", GREEN)},
        none="No target was down in this time.",
    )
