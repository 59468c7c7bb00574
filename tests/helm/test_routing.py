"""The AlertmanagerConfig sends what the routing fragment sends, within what such a resource can do."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helm.chart import RENDERERS, ROOT, VALUES, Helm, RefusedError, find, notes, rule_files

FRAGMENT = yaml.safe_load((ROOT / "alerting/alertmanager/routing-fragment.yml").read_text("utf-8"))
BASE = {"audience": "platform", "domain": "availability", "environment": "production"}
ALERTS = {
    "page": BASE | {"severity": "critical"},
    "ticket": BASE | {"severity": "warning"},
    "security": BASE | {"severity": "critical", "audience": "security", "domain": "confidentiality"},
    "service": BASE | {"severity": "warning", "audience": "service"},
    "cause": BASE | {"severity": "critical", "cause": "true"},
    "executive": BASE | {"severity": "warning", "audience": "executive"},
    "staging": BASE | {"severity": "critical", "environment": "staging"},
    "observed": BASE | {"severity": "critical", "closewatch_mode": "observe"},
    "another's": {"severity": "critical"},
}


@pytest.fixture(params=RENDERERS, ids=lambda render: str(render.__name__))
def helm(request: pytest.FixtureRequest) -> Helm:
    found: Helm = request.param
    return found


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_goes_where_the_fragment_sends_it(helm: Helm, name: str, amtool: Path, tmp_path: Path) -> None:
    custom = find(helm(VALUES["alertmanager-config"]), "AlertmanagerConfig")
    resource = as_the_operator_does(custom)
    shipped = FRAGMENT["route"]["routes"][0]
    named = [{"name": each["name"]} for each in FRAGMENT["receivers"]]

    found = _receivers(amtool, tmp_path, [resource], ALERTS[name] | {"namespace": "monitoring"})

    assert found == _receivers(amtool, tmp_path, [{"route": shipped, "receivers": named}], ALERTS[name])
    assert ("closewatch-" in found) == (name != "another's")


@pytest.mark.parametrize("name", ALERTS)
def test_what_is_sent_is_sent_to_the_records_too(helm: Helm, name: str, amtool: Path, tmp_path: Path) -> None:
    """Two resources, in the order that the operator chooses: what is observed, or another's, is not recorded."""
    objects = helm(VALUES["receiver"])
    routed, recorded = (
        as_the_operator_does(find(objects, "AlertmanagerConfig", f"watch-closewatch{end}")) for end in ("", "-records")
    )
    labels = ALERTS[name] | {"namespace": "monitoring"}

    told = _receivers(amtool, tmp_path, [routed], labels)

    for both in ([routed, recorded], [recorded, routed]):
        found = set(_receivers(amtool, tmp_path, both, labels).split(","))
        assert found - {"closewatch-records"} == set(told.split(","))
        assert ("closewatch-records" in found) == (name not in {"observed", "another's"})


def test_the_operators_own_matcher_is_met(helm: Helm, amtool: Path, tmp_path: Path) -> None:
    """With OnNamespace the rules carry the namespace that the operator asks for; without it nothing would match."""
    objects = helm(VALUES["alertmanager-config"])
    labels = [
        rule["labels"]
        for file in rule_files(objects).values()
        for group in file["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]

    assert {(each["namespace"], each["team"]) for each in labels} == {("monitoring", "finance-platform")}
    resource = as_the_operator_does(find(objects, "AlertmanagerConfig"))
    assert _receivers(amtool, tmp_path, [resource], ALERTS["page"]) == "null"


def test_with_the_strategy_none_no_namespace_is_added(helm: Helm) -> None:
    values = VALUES["alertmanager-config"]
    none = values | {"alertmanagerConfig": values["alertmanagerConfig"] | {"matcherStrategy": "None"}}

    assert "namespace" not in str(
        [group["rules"][-1]["labels"] for group in rule_files(helm(none))["odoo.yml"]["groups"]]
    )


def test_what_hides_what_is_the_fragments(helm: Helm) -> None:
    rules = find(helm(VALUES["alertmanager-config"]), "AlertmanagerConfig")["spec"]["inhibitRules"]

    assert [
        {
            "source_matchers": [_text(each) for each in rule["sourceMatch"]],
            "target_matchers": [_text(each) for each in rule["targetMatch"]],
            "equal": rule["equal"],
        }
        for rule in rules
    ] == FRAGMENT["inhibit_rules"]


@pytest.mark.parametrize(
    ("receivers", "complaint"),
    [
        ({}, "alertmanagerConfig.receivers.ticket is missing"),
        ({"ticket": {"webhookConfigs": []}}, "alertmanagerConfig.receivers.page is missing"),
        ({"pager": {"webhookConfigs": []}}, "no route leads to pager"),
    ],
)
def test_nobody_is_left_out(helm: Helm, receivers: dict[str, Any], complaint: str) -> None:
    values = {"alertmanagerConfig": {"enabled": True, "receivers": receivers}}

    with pytest.raises(RefusedError, match=re.escape(complaint)):
        helm(values)


def test_the_notes_say_what_it_cant_do() -> None:
    said = notes(VALUES["alertmanager-config"])

    for part in (
        'namespace="monitoring" alone',
        "continue: true",
        "told a\n        second time",
        "point 3",
        "templates",
    ):
        assert part in said


def as_the_operator_does(custom: dict[str, Any]) -> dict[str, Any]:
    """The route and receivers as they end in Alertmanager: with the namespace's matcher, and going on to the next."""
    route = _route(custom["spec"]["route"])
    route["matchers"] = [*route["matchers"], f'namespace="{custom["metadata"]["namespace"]}"']
    return {
        "route": route | {"continue": True},
        "receivers": [{"name": r["name"]} for r in custom["spec"]["receivers"]],
    }


def _route(route: dict[str, Any]) -> dict[str, Any]:
    renamed = {re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", key): value for key, value in route.items()}
    renamed["matchers"] = [_text(each) for each in route["matchers"]]
    if "routes" in route:
        renamed["routes"] = [_route(each) for each in route["routes"]]
    return renamed


def _text(matcher: dict[str, str]) -> str:
    return f'{matcher["name"]}{matcher["matchType"]}"{matcher["value"]}"'


def _receivers(amtool: Path, folder: Path, parts: list[dict[str, Any]], labels: dict[str, str]) -> str:
    """Who is told, less the stack's own catch-all, to whom an AlertmanagerConfig's alerts go on in any case."""
    config = {
        "route": {"receiver": "null", "routes": [part["route"] for part in parts]},
        "receivers": [{"name": "null"}, *(one for part in parts for one in part["receivers"])],
    }
    path = folder / "alertmanager.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [
        str(amtool),
        "config",
        "routes",
        "test",
        f"--config.file={path}",
        *(f"{k}={v}" for k, v in labels.items()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()
