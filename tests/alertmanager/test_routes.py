"""Who gets what: the shipped configuration as amtool reads it, and what must hold of its text."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from closewatch.engines.binaries import find_all
from tests.alertmanager import shipped

LAYERS = ["storage", "database", "cache", "application", "ingress", "user"]
PRODUCTION = {"domain": "availability", "environment": "production", "cell": "pg-07"}

# Labels besides PRODUCTION's, and who is told.
CASES = {
    "a cause on a shared server: on-call, and the service owners it hits": (
        {"severity": "critical", "audience": "platform", "layer": "database", "cause": "true", "target": "pg-07"},
        {"closewatch-page", "closewatch-service"},
    ),
    "an incident that is no cause: on-call only": (
        {"severity": "critical", "audience": "platform", "layer": "application", "tenant": "acme", "target": "acme"},
        {"closewatch-page"},
    ),
    "a ledger that doesn't add up: on-call and the service owner": (
        {"severity": "critical", "audience": "service", "domain": "integrity", "tenant": "acme"},
        {"closewatch-page", "closewatch-service"},
    ),
    "a platform warning: a ticket": ({"severity": "warning", "audience": "platform"}, {"closewatch-ticket"}),
    "a service owner's warning: notified, nobody paged": (
        {"severity": "warning", "audience": "service", "tenant": "acme"},
        {"closewatch-service"},
    ),
    "a security incident: security's own on-call": (
        {"severity": "critical", "audience": "security", "domain": "confidentiality"},
        {"closewatch-security-page"},
    ),
    "a security warning": ({"severity": "warning", "audience": "security"}, {"closewatch-security"}),
    "an executive's warning": ({"severity": "warning", "audience": "executive"}, {"closewatch-executive"}),
    "a critical risk: someone is awake for it too": (
        {"severity": "critical", "audience": "executive"},
        {"closewatch-page", "closewatch-executive"},
    ),
    "observe mode sends nowhere, whatever the severity": (
        {"severity": "critical", "audience": "platform", "cause": "true", "closewatch_mode": "observe"},
        {"closewatch-observe"},
    ),
    "observe mode of a security alert": (
        {"severity": "critical", "audience": "security", "closewatch_mode": "observe"},
        {"closewatch-observe"},
    ),
    "a test system wakes nobody": (
        {"severity": "critical", "audience": "platform", "cause": "true", "environment": "staging"},
        {"closewatch-ticket"},
    ),
    "without audience, critical still wakes someone": ({"severity": "critical"}, {"closewatch-page"}),
    "without severity, someone still sees it": ({"audience": "platform"}, {"closewatch-ticket"}),
    "an unknown audience, someone still sees it": ({"severity": "warning", "audience": "dba"}, {"closewatch-ticket"}),
}


def ask(amtool: Path, file: Path, labels: dict[str, str]) -> set[str]:
    """The receivers that amtool names for an alert."""
    command = [amtool, "config", "routes", "test", f"--config.file={file}", *(f"{k}={v}" for k, v in labels.items())]
    return set(
        subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip().split(",")
    )


def check(amtool: Path, file: Path) -> str:
    """What `amtool check-config` says, or "" when all is well."""
    said = subprocess.run([amtool, "check-config", file], capture_output=True, text=True, timeout=30, check=False)
    return "" if said.returncode == 0 else said.stdout + said.stderr


@pytest.mark.usefixtures("amtool")
def test_every_amtool_at_hand_accepts_the_configuration():
    for program in find_all("amtool"):
        assert not check(program, shipped.FOLDER / "alertmanager.yml"), program


@pytest.mark.parametrize("case", CASES)
def test_alert_reaches(amtool, case):
    labels, receivers = CASES[case]
    assert ask(amtool, shipped.FOLDER / "alertmanager.yml", PRODUCTION | labels) == receivers


def test_a_case_reaches_every_receiver():
    reached = set().union(*(receivers for _, receivers in CASES.values()))
    assert reached == {each["name"] for each in shipped.load()["receivers"]}


def test_the_examples_work_once_their_mark_is_taken_away(amtool, tmp_path):
    file = tmp_path / "alertmanager.yml"
    file.write_text(shipped.with_examples().replace("templates/*.tmpl", f"{shipped.FOLDER}/templates/*.tmpl"))
    assert not check(amtool, file)
    labels = PRODUCTION | {"severity": "critical", "audience": "platform"}
    assert ask(amtool, file, labels | {"tenant": "acme"}) == {"acme-page"}
    assert ask(amtool, file, labels | {"tenant": "bolt"}) == {"closewatch-page"}


def test_one_fault_in_one_layer_is_one_message():
    grouped = [each["group_by"] for each in shipped.routes(shipped.load()["route"]) if "group_by" in each]
    assert grouped == [["environment", "cell", "tenant", "layer"]]


def test_pages_come_fast_and_are_repeated_and_nothing_is_muted():
    pages = [each for each in shipped.routes(shipped.load()["route"]) if each["receiver"].endswith("-page")]
    assert len(pages) == 2
    for page in pages:
        assert (page["group_wait"], page["group_interval"], page["repeat_interval"]) == ("30s", "5m", "2h")
    text = (shipped.FOLDER / "alertmanager.yml").read_text("utf-8")
    assert "time_intervals" not in text


def test_every_sending_receiver_also_says_that_it_is_over():
    for receiver in shipped.load()["receivers"]:
        for kind, integrations in receiver.items():
            if kind in ("slack_configs", "email_configs"):
                assert all(each["send_resolved"] is True for each in integrations), receiver["name"]


def test_secrets_are_files():
    secret = re.compile(r"(?:^|_)(?:password|secret|token|key|credentials|api_url)$")

    def keys(part: object) -> list[str]:
        if isinstance(part, dict):
            return [str(key) for key in part] + [key for value in part.values() for key in keys(value)]
        return [key for value in part for key in keys(value)] if isinstance(part, list) else []

    for text in (shipped.with_examples(), shipped.with_examples("routing-fragment.yml")):
        assert not [key for key in keys(yaml.safe_load(text)) if secret.search(key)]
        for file in re.findall(r"_file: (\S+)", text):
            assert file.startswith(shipped.SECRETS)


def matchers(texts: list[str]) -> dict[str, tuple[str, set[str]]]:
    """Label -> (operator, values) of a list of matchers."""
    found = {}
    for text in texts:
        name, operator, value = re.fullmatch(r'(\w+)(=~|!=|=)"([^"]*)"', text).groups()
        found[name] = (operator, set(value.split("|")))
    return found


def test_inhibition_is_written_out_for_every_layer_and_both_tiers():
    """From each layer to each layer above, once for a tenant's own cause and once for a shared one."""
    pairs = set()
    for rule in shipped.load()["inhibit_rules"][1:]:
        source, target = matchers(rule["source_matchers"]), matchers(rule["target_matchers"])
        assert source["cause"] == ("=", {"true"})
        assert source["domain"] == target["domain"] == ("=", {"availability"})
        [layer] = source["layer"][1]
        assert all(LAYERS.index(layer) < LAYERS.index(above) for above in target["layer"][1])
        shared = source["tenant"] == ("=", {""})
        assert rule["equal"] == (["environment", "cell"] if shared else ["environment", "tenant"])
        pairs |= {(layer, above, shared) for above in target["layer"][1]}
    above = {(low, high) for low in LAYERS for high in LAYERS[LAYERS.index(low) + 1 :]}
    assert pairs == {(low, high, shared) for low, high in above for shared in (True, False)}


def test_what_must_be_equal_is_never_empty_and_observe_mode_hides_nothing():
    critical_hides_warning, *layers = shipped.load()["inhibit_rules"]
    for rule in layers:
        source, target = matchers(rule["source_matchers"]), matchers(rule["target_matchers"])
        for label in rule["equal"]:
            assert source[label] == target[label] == ("!=", {""})
    assert critical_hides_warning["equal"] == ["alertname", "environment", "cell", "tenant", "target"]
    for rule in (critical_hides_warning, *layers):
        assert matchers(rule["source_matchers"])["closewatch_mode"] == ("!=", {"observe"})


def test_no_alert_is_both_source_and_target_of_a_rule():
    for rule in shipped.load()["inhibit_rules"]:
        source, target = matchers(rule["source_matchers"]), matchers(rule["target_matchers"])
        apart = [
            label
            for label in source.keys() & target.keys()
            if "!" not in source[label][0] + target[label][0] and not source[label][1] & target[label][1]
        ]
        assert apart, rule
