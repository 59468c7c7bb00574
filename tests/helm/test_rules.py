"""What the chart installs of rules and dashboards is what is in alerting/ and dashboards/, but for the values."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from tests.helm.chart import CHART, RENDERERS, ROOT, VALUES, Helm, RefusedError, find, rule_files

RULES = {path.name: yaml.safe_load(path.read_text("utf-8")) for path in sorted((ROOT / "alerting/rules").glob("*.yml"))}
OPERATOR = {"prometheusOperator": {"enabled": True}}
NOTIFY = {"alerting": {"mode": "notify"}}


@pytest.fixture(params=RENDERERS, ids=lambda render: str(render.__name__))
def helm(request: pytest.FixtureRequest) -> Helm:
    found: Helm = request.param
    return found


@pytest.mark.parametrize("how", [OPERATOR, {}], ids=["PrometheusRule", "ConfigMap"])
def test_in_notify_mode_the_rules_are_the_files(helm: Helm, how: dict[str, Any]) -> None:
    assert rule_files(helm(how | NOTIFY)) == RULES


@pytest.mark.parametrize("how", [OPERATOR, {}], ids=["PrometheusRule", "ConfigMap"])
def test_by_default_every_alert_is_marked_and_nothing_else_changes(helm: Helm, how: dict[str, Any]) -> None:
    expected = copy.deepcopy(RULES)
    for rule in _alerts(expected):
        rule["labels"]["closewatch_mode"] = "observe"

    assert rule_files(helm(how)) == expected


def test_overrides_change_what_they_name(helm: Helm) -> None:
    values = VALUES["kube-prometheus-stack"]
    expected = copy.deepcopy(RULES)
    for name, file in expected.items():
        text = yaml.safe_dump(file, width=10**6)
        text = text.replace("https://docs.closewatch.example/runbooks", "https://wiki.example.com/runbooks")
        expected[name] = yaml.safe_load(
            text.replace("https://docs.closewatch.example/grafana", "https://grafana.example.com")
        )
    for file in expected.values():
        file["groups"] = [group for group in file["groups"] if group["name"] != "closewatch-delivery"]
        for group in file["groups"]:
            group["rules"] = [rule for rule in group["rules"] if rule.get("alert") != "OdooQueueJobsFailed"]
    for rule in _alerts(expected):
        if rule["alert"] == "PostgresqlStandbyMissing":
            rule["for"] = "10m"
            rule["labels"]["team"] = "dba"
        if rule["alert"] == "PostgresqlReplicationLagging" and rule["labels"]["severity"] == "critical":
            rule["keep_firing_for"] = "15m"
            rule["labels"]["severity"] = "warning"

    found = rule_files(helm(values))

    assert found == {name: file for name, file in expected.items() if file["groups"]}
    assert "docs.closewatch.example" not in str(found)


@pytest.mark.parametrize("values", [OPERATOR | NOTIFY, OPERATOR, VALUES["kube-prometheus-stack"]])
def test_prometheus_loads_what_is_installed(helm: Helm, values: dict[str, Any], promtool: Path, tmp_path: Path) -> None:
    files = _write(rule_files(helm(values)), tmp_path)

    done = subprocess.run([promtool, "check", "rules", *files], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_tests_pass_on_what_is_installed(helm: Helm, promtool: Path, tmp_path: Path) -> None:
    """The rules are equal, see above; so a few short tests show that they are still read the same."""
    _write(rule_files(helm(OPERATOR | NOTIFY)), tmp_path)
    (tmp_path / "tests").mkdir()
    names = ("odoo_copies.yml", "odoo_operations_jobs.yml", "backups_access.yml")
    copies = [shutil.copy(ROOT / "alerting/tests" / name, tmp_path / "tests") for name in names]

    done = subprocess.run(
        [promtool, "test", "rules", *copies], capture_output=True, text=True, check=False, cwd=tmp_path / "tests"
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_an_override_changes_its_alert_and_no_other(helm: Helm, promtool: Path, tmp_path: Path) -> None:
    """The rules' own tests pass when they expect what was overridden, and don't when they know nothing of it."""
    overrides = {"PostgresqlStandbyMissing": {"labels": {"team": "dba"}}}
    _write(rule_files(helm(OPERATOR | {"alerting": {"mode": "notify", "overrides": overrides}})), tmp_path)
    text = _test_of("PostgresqlStandbyMissing")
    (tmp_path / "tests").mkdir()
    path = tmp_path / "tests" / "standby.yml"
    outcomes = []
    for expected in (text, _expecting(text, "PostgresqlStandbyMissing", "team: dba")):
        path.write_text(expected, encoding="utf-8")
        done = subprocess.run([promtool, "test", "rules", path], capture_output=True, text=True, check=False)
        outcomes.append((done.returncode, done.stdout + done.stderr))

    (before, complaint), (after, output) = outcomes
    assert before != 0
    assert "team" in complaint
    assert after == 0, output


def _expecting(text: str, alert: str, label: str) -> str:
    """A test file where each firing of an alert has one label more. As text: YAML 1.1 reads the series 0x10 as 16."""
    lines, of = [], ""
    for line in text.splitlines(keepends=True):
        lines.append(line)
        if "alertname: " in line:
            of = line.split("alertname: ")[1].strip()
        if line.strip() in {"exp_labels:", "- exp_labels:"} and of == alert:
            lines.append(f"{' ' * line.index('exp_labels')}  {label}\n")
    return "".join(lines)


def _test_of(alert: str) -> str:
    """A test file with one case alone, the first in which an alert fires."""
    paths = sorted((ROOT / "alerting/tests").glob("*.yml"), key=lambda path: path.stat().st_size)
    text = next(text for path in paths if f"alertname: {alert}\n" in (text := path.read_text("utf-8")))
    head, *cases = re.split(r"^(?=  - name:)", text, flags=re.MULTILINE)
    return head + next(case for case in cases if f"alertname: {alert}\n" in case and "exp_labels:" in case)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("groups: [\n", "rules/postgresql.yml is not a rule file: error converting YAML"),
        ("rules: []\n", "rules/postgresql.yml is not a rule file: it has no groups"),
        ("", "rules/postgresql.yml is missing or empty"),
    ],
)
def test_a_broken_rule_file_is_not_installed(helm: Helm, copied: Path, text: str, complaint: str) -> None:
    (copied / "rules/postgresql.yml").write_text(text, encoding="utf-8")

    with pytest.raises(RefusedError, match=complaint):
        helm({}, chart=copied)


def test_a_chart_copied_without_its_links_is_not_installed(helm: Helm, copied: Path) -> None:
    shutil.rmtree(copied / "rules")

    with pytest.raises(RefusedError, match="copied without following its links"):
        helm({}, chart=copied)


def test_dashboards_are_the_files(helm: Helm) -> None:
    found: dict[str, str] = {}
    for each in helm({}):
        if each["metadata"]["labels"].get("grafana_dashboard") == "1":
            found |= each["data"]

    assert found == {path.name: path.read_text("utf-8") for path in (ROOT / "dashboards").glob("*.json")}


def test_runbooks_of_ones_own_are_what_dashboards_lead_to(helm: Helm) -> None:
    config = find(helm(VALUES["kube-prometheus-stack"]), "ConfigMap", "watch-closewatch-dashboard-overview")
    before = (ROOT / "dashboards/closewatch-overview.json").read_text("utf-8")

    after = config["data"]["closewatch-overview.json"]

    assert "https://docs.closewatch.example/runbooks" in before
    assert after == before.replace("https://docs.closewatch.example/runbooks", "https://wiki.example.com/runbooks")
    assert config["metadata"]["annotations"] == {"grafana_folder": "Finance", "example.com/owner": "platform"}


def test_the_routing_fragment_is_the_file(helm: Helm) -> None:
    data = find(helm({}), "ConfigMap", "watch-closewatch-routing")["data"]
    folder = ROOT / "alerting/alertmanager"

    assert data == {
        path.name: path.read_text("utf-8")
        for path in [folder / "routing-fragment.yml", *(folder / "templates").glob("*.tmpl")]
    }


def test_a_package_carries_the_files_instead_of_links(tmp_path: Path) -> None:
    archive = helm_python.package(CHART, destination=tmp_path)

    with tarfile.open(archive) as tar:
        members = {each.name.removeprefix("closewatch/"): each for each in tar.getmembers()}
        texts = {name: tar.extractfile(each) for name, each in members.items()}
        contents = {name: file.read() for name, file in texts.items() if file}
    assert all(each.isfile() for each in members.values())
    for folder, link in (
        ("alerting/rules", "rules"),
        ("dashboards", "dashboards"),
        ("alerting/alertmanager", "alertmanager"),
    ):
        files = [path for path in (ROOT / folder).rglob("*") if path.suffix in {".yml", ".json", ".tmpl"}]
        assert files
        for path in files:
            assert contents[f"{link}/{path.relative_to(ROOT / folder)}"] == path.read_bytes()
    assert not [name for name in members if name.endswith((".py", ".pyc")) or name.startswith("ci/")]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The chart with files in the place of its links, to be broken."""
    return Path(shutil.copytree(CHART, tmp_path / "closewatch", ignore=shutil.ignore_patterns("*.py", "__pycache__")))


def _alerts(files: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for file in files.values() for group in file["groups"] for rule in group["rules"] if "alert" in rule]


def _write(files: dict[str, Any], folder: Path) -> list[Path]:
    (folder / "rules").mkdir()
    paths = []
    for name, content in files.items():
        paths.append(folder / "rules" / name)
        paths[-1].write_text(yaml.safe_dump(content), encoding="utf-8")
    return paths
