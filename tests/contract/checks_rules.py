"""Rules: in the form that the design asks for, read from the files. Metrics and runbooks have checks of their own.

`check(root)` gives one sentence for each thing that is wrong in a tree; an empty list means that all is well.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import promql_parser

from closewatch.alerting.rules import GRAFANA_BASE, RUNBOOK_BASE, seconds
from tests.contract import checks_rule_tests
from tests.contract.promql import (
    Labels,
    Threshold,
    Unbounded,
    literals,
    matchers,
    result_labels,
    selectors,
    thresholds,
    walk,
)
from tests.contract.tree import Rule, rules

TARGET = frozenset({"environment", "cell", "tenant", "target"})
OWN = {
    "PostgresqlReplicationLagging": {"measure"},
    "PostgresqlReplicationLinkDown": {"member"},
    "PostgresqlReplayPaused": {"member"},
    **{f"PostgresqlSlot{what}": {"slot"} for what in ("RetainsWal", "Lost")},
    "PostgresqlTransactionOpenTooLong": {"activity"},
    "PostgresqlTransactionIdWraparound": {"counter"},
    "PostgresqlXminHorizonHeld": {"holder"},
    **{f"Postgresql{what}": {"measure"} for what in ("AutovacuumBehind", "StorageFilling")},
    "PostgresqlRiskyAccessRule": {"risk"},
    "PostgresqlUnexpectedSessions": {"program"},
    "PostgresqlBreakGlassUsed": {"role"},
    "PostgresqlDurabilityOff": {"setting"},
    "PgbouncerClientsWaiting": {"database"},
    "OdooQueueJobsStuck": {"phase"},
    "OdooJobsSlow": {"method"},
    **{f"Certificate{what}": {"source", "certificate"} for what in ("Expiring", "Invalid", "NotReloaded")},
    **{f"Backup{what}": {"type"} for what in ("Shrunk", "Slow")},
    "BackupTampering": {"sign"},
    **{f"ClosewatchTarget{what}": {"kind"} for what in ("Missing", "Unreadable")},
    **{f"Closewatch{what}": {"kind", "collector"} for what in ("CollectorFailing", "ResultsTooOld")},
    "ClosewatchDatabaseUnwatched": {"kind", "reason"},
    "ClosewatchNotificationsFailing": {"integration"},
    **{f"ClosewatchCheck{what}": {"check"} for what in ("Silent", "Inconclusive")},
    "ClosewatchRecordsNotCopied": {"copy"},
    **{f"AlertmanagerCritical{what}": {"alert"} for what in ("Silenced", "Untold")},
}
"""The labels by which an alert of a target is several; nothing else of a series may make an alert of its own."""
ALLOWED = {
    "severity": {"critical", "warning"},
    "domain": {"availability", "integrity", "confidentiality", "recoverability"},
    "audience": {"platform", "service", "security", "executive"},
    "layer": {"storage", "database", "cache", "application", "ingress", "user", "platform"},
}
LAYERS = {
    "postgresql": "database", "pgbouncer": "database", "odoo": "application", "redis": "cache",
    "certificates": "ingress", "backups": "storage", "buckets": "storage", "recovery": "storage",
    "restores": "storage", "closewatch": "platform", "alertmanager": "platform",
}  # fmt: skip
ANNOTATIONS = {"summary", "description", "impact", "runbook_url", "dashboard_url"}
SCRAPE = {"job", "instance", "pod", "namespace", "container", "endpoint", "service", "node"}
LITERALS = {"closewatch:odoo_shared:cell": {2.0, 0.5}, "closewatch:restore_source_idle:target": {80.0, 300.0}}
"""Numbers that nobody tunes: a cell's fault, what an idle PostgreSQL writes. 0 and 1 are states, not limits."""
WITHOUT_VALUE = {"PostgresqlReplicationLinkDown", "PostgresqlBreakGlassUsed"}
"""Alerts with a threshold whose value isn't always a number to show: a link that is down has no silence."""
UNITS = {
    "seconds": 1, "minute": 60, "minutes": 60, "hour": 3600, "hours": 3600, "days": 86400, "GiB": 2**30, "%": 0.01,
    "million": 1e6, "billion": 1e9,
}  # fmt: skip
LIMIT = re.compile(r"\blimit (\d[\d.]*)(?: (seconds|minutes?|hours?|days|GiB|%|million|billion)(?!\w))?")
TEMPLATE = re.compile(r"{{.*?}}")
OWN_ACCESS = re.compile(r'closewatch_target_failure{kind="(\w+)",reason=~"([^"]+)"}')
LONG_FOR = 1800
SHORTEST_HOLD = 120


def check(root: Path) -> list[str]:
    """Everything that is wrong with the rules."""
    found = list(rules(root))
    if not any(rule.alert for rule in found):
        return ["alerting/rules has no alert"]
    problems: list[str] = []
    for each in (names, labels, texts, aggregation, limits, durations, quiet):
        problems += each(found)
    return [*problems, *holding(found), *reasons(root, found), *checks_rule_tests.check(root)]


def concern(rule: Rule) -> str:
    """The concern that the rule's file is named for: odoo.yml, odoo_operations.yml."""
    return Path(rule.place.split(":")[0]).stem.split("_")[0]


def parsed(rule: Rule) -> promql_parser.Expr:
    return promql_parser.parse(rule.expr)


def names(found: Sequence[Rule]) -> Iterator[str]:
    """An alert's name begins with its concern, a recording rule's is level:metric:operation."""
    for rule in found:
        pattern = (
            rf"{concern(rule).capitalize().removesuffix('s')}s?[A-Z][A-Za-z]+"
            if rule.alert
            else r"closewatch:\w+(:\w+)?"
        )
        if not re.fullmatch(pattern, rule.name):
            yield f"{rule.place}: the name doesn't fit {pattern}"


def labels(found: Sequence[Rule]) -> Iterator[str]:
    """The labels that routes and inhibition rest on."""
    for rule in found:
        given = rule.body.get("labels", {})
        if rule.name == "closewatch:finding" and (
            set(given) != {"finding", "domain", "layer"} or given["domain"] not in ALLOWED["domain"]
        ):
            yield f"{rule.place}: a finding has the labels finding, domain and layer"
        if not rule.alert:
            continue
        for label, allowed in ALLOWED.items():
            if given.get(label) not in allowed:
                yield f"{rule.place}: {label} is {given.get(label)!r}, not one of {', '.join(sorted(allowed))}"
        if given.get("layer") != LAYERS.get(concern(rule)):
            yield f"{rule.place}: layer is {given.get('layer')!r}, that of its concern is {LAYERS.get(concern(rule))!r}"
        if more := set(given) - set(ALLOWED) - {"cause"} - OWN.get(rule.name, set()):
            yield f"{rule.place}: has labels that nothing declares: {', '.join(sorted(more))}"
        cause = (given.get("cause"), given.get("severity"), given.get("domain"))
        if cause[0] is not None and cause != ("true", "critical", "availability"):
            yield f'{rule.place}: cause is "true", and only on a critical alert of availability'


def texts(found: Sequence[Rule]) -> Iterator[str]:
    """What people read: all of it there, short enough for a phone, with links that follow the name."""
    for rule in found:
        if not rule.alert:
            continue
        given = rule.body.get("annotations", {})
        if set(given) != ANNOTATIONS:
            yield f"{rule.place}: the annotations are {', '.join(sorted(ANNOTATIONS))}, not {', '.join(sorted(given))}"
            continue
        if "{{" in given["summary"] + given["impact"]:
            yield f"{rule.place}: summary and impact are the same for every target: no templates"
        if len(given["summary"]) > 70 or given["summary"].endswith("."):
            yield f"{rule.place}: the summary is a line of at most 70 characters without a full stop"
        if any(len(TEMPLATE.sub("x" * 8, given[name])) > 400 for name in ("description", "impact")):
            yield f"{rule.place}: description and impact have at most 400 characters"
        if given["runbook_url"] != f"{RUNBOOK_BASE}/{rule.name}":
            yield f"{rule.place}: runbook_url is not {RUNBOOK_BASE}/{rule.name}"
        if not given["dashboard_url"].startswith(f"{GRAFANA_BASE}/d/closewatch-"):
            yield f"{rule.place}: dashboard_url doesn't lead to the overview"


def _recorded(found: Sequence[Rule]) -> tuple[dict[str, Labels], list[str]]:
    """The labels of each recorded series; a rule may read what is recorded before it, or itself."""
    known: dict[str, Labels] = {}
    problems: list[str] = []
    for _ in range(2):  # a second time for what other files record
        problems = []
        for rule in found:
            if rule.alert:
                continue
            try:
                result = result_labels(parsed(rule), {rule.name: frozenset(), **known})
            except Unbounded as error:
                problems.append(f"{rule.place}: {error}")
                continue
            known[rule.name] = known.get(rule.name, frozenset()) | result | set(rule.body.get("labels", {}))
    return known, problems


def aggregation(found: Sequence[Rule]) -> Iterator[str]:
    """Every result is bounded by an aggregation: an exporter that restarts, or a second one, changes no alert."""
    known, problems = _recorded(found)
    yield from problems
    for name, recorded in known.items():
        if recorded & SCRAPE:
            yield f"{name}: carries {', '.join(sorted(recorded & SCRAPE))}, which a restart changes"
    for rule in found:
        if not rule.alert:
            continue
        try:
            result = result_labels(parsed(rule), known)
        except Unbounded as error:
            yield f"{rule.place}: {error}"
            continue
        own = OWN.get(rule.name, set()) - set(rule.body.get("labels", {}))
        if result != (wanted := TARGET | own):
            yield f"{rule.place}: its result is by {', '.join(sorted(result))}, not by {', '.join(sorted(wanted))}"


def _of(rule: Rule) -> str:
    """The severity whose overrides a rule takes: its own, and the warning's for what has none."""
    return str(rule.body.get("labels", {}).get("severity", "warning"))


def _behind(rule: Rule, found: Sequence[Rule]) -> Iterator[Rule]:
    """The rule, and the recorded conditions that it reads, chosen by the labels that it matches."""
    yield rule
    for selector in selectors(parsed(rule)):
        wanted = {label: value.removeprefix("Equal ") for label, value in matchers(selector).items()}
        for other in found:
            if other.name == selector.name and wanted and wanted.items() <= other.body.get("labels", {}).items():
                yield other


def limits(found: Sequence[Rule]) -> Iterator[str]:
    """Thresholds have the form that an override can't break, and the text says what the expression does."""
    defaults: dict[str, set[float]] = {}
    for rule in found:
        mine = defaults.setdefault(rule.place + _of(rule) + str(rule.body.get("labels")), set())
        for threshold in thresholds(parsed(rule), _of(rule)):
            if not isinstance(threshold, Threshold):
                yield f"{rule.place}: {threshold}"
            elif threshold.default:
                mine.add(threshold.default)
        for number in set(literals(parsed(rule))) - {0.0, 1.0} - LITERALS.get(rule.name, set()):
            yield f"{rule.place}: {number:g} can't be overridden: write it as a threshold"
    for rule in found:
        if not rule.alert or set(rule.body.get("annotations", {})) != ANNOTATIONS:
            continue
        behind = [defaults[r.place + _of(r) + str(r.body.get("labels"))] for r in _behind(rule, found)]
        expected = {round(number, 6) for each in behind for number in each}
        text = rule.body["annotations"]["description"]
        said = {round(float(number) * UNITS.get(unit, 1), 6) for number, unit in LIMIT.findall(text)}
        if said != expected:
            yield f"{rule.place}: the description says the limits {sorted(said)}, the expression has {sorted(expected)}"
        if expected and "$value" not in text and rule.name not in WITHOUT_VALUE:
            yield f"{rule.place}: the description doesn't say the value"


def durations(found: Sequence[Rule]) -> Iterator[str]:
    """A cause comes before what it hides and goes after it; a long wait survives an exporter's restart."""
    for rule in found:
        if not rule.alert:
            continue
        wait, hold = seconds(rule.body.get("for", "0s")), seconds(rule.body.get("keep_firing_for", "0s"))
        if hold < SHORTEST_HOLD:
            yield f"{rule.place}: keep_firing_for is shorter than an exporter's restart (2m)"
        held = any(
            isinstance(node, promql_parser.Call) and node.func.name == "last_over_time" and "[10m]" in str(node)
            for node in walk(parsed(rule))
        )
        if wait >= LONG_FOR and not held:
            yield f"{rule.place}: an exporter's restart starts this long `for` anew: use last_over_time(...[10m])"


def holding(found: Sequence[Rule]) -> Iterator[str]:
    """Inhibition works only while the cause fires: against each alert of availability in the layers above."""
    above = ["storage", "database", "cache", "application", "ingress", "user"]

    def numbers(rule: Rule) -> tuple[float, float]:
        return seconds(rule.body.get("for", "0s")), seconds(rule.body.get("keep_firing_for", "0s"))

    available = [r for r in found if r.alert and r.body["labels"].get("domain") == "availability"]
    for cause in (rule for rule in available if rule.body["labels"].get("cause") == "true"):
        layer = above.index(cause.body["labels"]["layer"])
        for rule in available:
            if rule.body["labels"].get("layer") in above[layer + 1 :]:
                (first, last), (wait, hold) = numbers(cause), numbers(rule)
                if first >= wait or last <= hold:
                    yield f"{rule.place}: must wait longer, and be held shorter, than its cause {cause.name}"


def quiet(found: Sequence[Rule]) -> Iterator[str]:
    """Nobody is called for a neutralised copy, nor for a tenant that isn't active or is outside of its hours."""
    for rule in found:
        if not rule.alert or concern(rule) != "odoo":
            continue
        behind = [r for r in _behind(rule, found) if not r.name.startswith("closewatch:odoo_shared")]
        asked = [r for r in behind if any(s.name == "closewatch:odoo_condition:target" for s in selectors(parsed(r)))]
        for other in (r for r in behind if r not in asked):
            if "unless on (environment, cell, tenant, target)\nclosewatch:odoo_quiet:target" not in other.expr:
                yield f"{rule.place}: fires for copies and for tenants that nobody expects: unless ... odoo_quiet"


def reasons(root: Path, found: Sequence[Rule]) -> Iterator[str]:
    """What is no outage in one alert is another alert: both list the same reasons, and only such as there are."""
    module = ast.parse((root / "exporters/closewatch/core/reasons.py").read_text(encoding="utf-8"))
    (enum,) = (node for node in module.body if isinstance(node, ast.ClassDef) and node.name == "Reason")
    known = {ast.literal_eval(line.value) for line in enum.body if isinstance(line, ast.Assign)}
    listed: Mapping[str, set[tuple[str, str]]] = {
        rule.name: set(OWN_ACCESS.findall(rule.expr)) for rule in found if OWN_ACCESS.search(rule.expr)
    }
    told = listed.get("ClosewatchTargetUnreadable", set())
    for name, left_out in listed.items():
        if not left_out <= told:
            yield f"{name}: leaves out reasons of which ClosewatchTargetUnreadable doesn't tell"
    if told != {pair for name, pairs in listed.items() if name != "ClosewatchTargetUnreadable" for pair in pairs}:
        yield "ClosewatchTargetUnreadable: tells of reasons that no outage leaves out"
    for word in sorted({word for _, words in told for word in words.split("|")} - known):
        yield f"ClosewatchTargetUnreadable: {word} is no reason that closewatch gives"
