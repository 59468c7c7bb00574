"""The fragment for stacks with an Alertmanager of their own, merged into a tree like kube-prometheus-stack's."""

from __future__ import annotations

import copy

import pytest
import yaml

from closewatch.engines.process import wait_until
from tests.alertmanager import shipped
from tests.alertmanager.posting import post
from tests.alertmanager.test_routes import CASES, PRODUCTION, ask, check

# Our own words for what that stack does by default: nothing is sent until the user adds a route; and such routes.
STACK = yaml.safe_load("""
route:
  group_by: [namespace]
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 12h
  receiver: "null"
  routes:
    - matchers: ['alertname = "Watchdog"']
      receiver: "null"
    - matchers: ['severity = critical']
      receiver: pager
    - matchers: ['severity =~ "warning|info"']
      receiver: chat
inhibit_rules:
  - source_matchers: ['severity = critical']
    target_matchers: ['severity =~ warning|info']
    equal: [namespace, alertname]
  - source_matchers: ['severity = warning']
    target_matchers: ['severity = info']
    equal: [namespace, alertname]
  - source_matchers: ['alertname = InfoInhibitor']
    target_matchers: ['severity = info']
    equal: [namespace]
  - target_matchers: ['alertname = InfoInhibitor']
receivers:
  - name: "null"
  - name: pager
    webhook_configs: [{url: "http://127.0.0.1:9/pager"}]
  - name: chat
    webhook_configs: [{url: "http://127.0.0.1:9/chat"}]
""")
QUEUE = {"alertname": "OdooQueueStalled", "layer": "application", "audience": "platform", **PRODUCTION}
ACME = QUEUE | {"severity": "critical", "tenant": "acme", "target": "acme"}
BOLT = QUEUE | {"severity": "warning", "tenant": "bolt", "target": "bolt"}
POD = {"alertname": "KubePodCrashLooping", "namespace": "shop"}


def stack(*, changed: bool = True) -> shipped.Config:
    """The merged configuration; `changed` is step 3 of the explanation."""
    tree = copy.deepcopy(STACK)
    if changed:
        tree["inhibit_rules"][0]["source_matchers"].append('audience=""')
    return shipped.merged(tree, shipped.load("routing-fragment.yml"))


@pytest.fixture
def merged_file(tmp_path):
    text = yaml.safe_dump(stack()).replace("templates/*.tmpl", f"{shipped.FOLDER}/templates/*.tmpl")
    (tmp_path / "alertmanager.yml").write_text(text)
    return tmp_path / "alertmanager.yml"


def test_the_fragment_holds_what_the_whole_configuration_holds():
    whole, fragment = shipped.load(), shipped.load("routing-fragment.yml")
    [route] = fragment["route"]["routes"]
    matchers = route.pop("matchers")
    assert route == whole["route"]
    assert [part for part in matchers if part.startswith("audience=~")]
    assert [part for part in matchers if part.startswith("domain=~")]
    for part in ("inhibit_rules", "receivers", "templates"):
        assert fragment[part] == whole[part]
    assert set(fragment) == set(whole)


def test_its_examples_are_those_of_the_whole_configuration():
    whole, fragment = (
        yaml.safe_load(shipped.with_examples(name)) for name in ("alertmanager.yml", "routing-fragment.yml")
    )
    assert fragment["receivers"] == whole["receivers"]
    assert fragment["route"]["routes"][0]["routes"] == whole["route"]["routes"]


def test_amtool_accepts_the_merged_tree(amtool, merged_file):
    assert not check(amtool, merged_file)


@pytest.mark.parametrize(
    "case", [name for name, (labels, _) in CASES.items() if labels.get("audience", "dba") != "dba"]
)
def test_closewatch_alerts_go_where_they_go_alone(amtool, merged_file, case):
    labels, receivers = CASES[case]
    assert ask(amtool, merged_file, PRODUCTION | labels) == receivers


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ({"severity": "critical"}, "pager"),
        ({"severity": "warning"}, "chat"),
        ({"severity": "warning", "domain": "dns"}, "chat"),
        ({"severity": "critical", "audience": "dba", "domain": "availability"}, "pager"),
        ({"alertname": "Watchdog", "severity": "none"}, "null"),
    ],
)
def test_the_alerts_of_others_go_where_they_went_before(amtool, merged_file, labels, receiver):
    assert ask(amtool, merged_file, labels) == {receiver}


def test_without_the_fragment_the_alerts_land_in_routes_by_severity(amtool, tmp_path):
    """What the explanation warns of."""
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(STACK))
    assert ask(amtool, tmp_path / "alertmanager.yml", ACME | {"closewatch_mode": "observe"}) == {"pager"}


@pytest.mark.parametrize(("changed", "hidden"), [(True, False), (False, True)])
def test_a_critical_of_one_tenant_against_the_warning_of_another(alertmanager, sink, changed, hidden):
    """Unless the stack's own rule is changed as the explanation says, the one hides the other."""
    server = alertmanager(shipped.recorded(shipped.shortened(stack(changed=changed)), sink), shipped.TEMPLATES)
    post(server, [ACME, BOLT, ACME | {"severity": "warning"}])

    def inhibited() -> dict[tuple[str, str], bool]:
        alerts = ((each["labels"], each["status"]) for each in server.alerts())
        return {(labels["tenant"], labels["severity"]): bool(status["inhibitedBy"]) for labels, status in alerts}

    wait_until(lambda: inhibited().get(("acme", "warning")), 30, "the critical hides its own warning")
    assert inhibited()["bolt", "warning"] is hidden


def test_the_stacks_own_alerts_are_sent_and_hidden_as_before(alertmanager, sink):
    server = alertmanager(shipped.recorded(shipped.shortened(stack()), sink), shipped.TEMPLATES)
    post(
        server,
        [
            POD | {"severity": "critical", "pod": "a"},
            POD | {"severity": "warning", "pod": "b"},
            POD | {"severity": "warning", "namespace": "mail"},
            {"alertname": "InfoInhibitor", "namespace": "shop", "severity": "none"},
            {"alertname": "CPUThrottlingHigh", "namespace": "shop", "severity": "info"},
            ACME,
        ],
    )
    sink.wait(1, "pager")
    sink.wait(1, "closewatch-page")
    [mail] = sink.wait(1, "chat")
    assert [each["labels"].get("namespace") for each in mail.alerts] == ["mail"]
    assert [each["labels"]["pod"] for each in sink.notifications("pager")[0].alerts] == ["a"]
    assert {each.channel for each in sink.notifications()} == {"pager", "chat", "closewatch-page"}
    states = {
        (each["labels"]["alertname"], each["labels"]["severity"]): each["status"]["state"] for each in server.alerts()
    }
    assert states["CPUThrottlingHigh", "info"] == "suppressed"
