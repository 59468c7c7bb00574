"""Renders the chart, by the program `helm` where there is one on PATH and by Helm's library in any case."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import helm_python
import yaml
from helm_python.errors import HelmError

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "closewatch"
VALUES: dict[str, dict[str, Any]] = {"defaults": {}} | {
    path.name.removesuffix("-values.yaml"): yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((CHART / "ci").glob("*-values.yaml"))
}
Object = dict[str, Any]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """As Helm and Kubernetes read YAML, to whom a lone = is text; YAML 1.1 gave it a type that nobody uses."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda _, node: node.value)


class RefusedError(Exception):
    """Helm would not render: a value that the schema refuses, or a template that fails."""


class Helm(Protocol):
    """Renders a chart."""

    def __call__(
        self, values: dict[str, Any], *, name: str = "watch", namespace: str = "monitoring", chart: Path = CHART
    ) -> list[Object]:
        """The objects that an installation would create. Raises RefusedError."""


def by_library(
    values: dict[str, Any], *, name: str = "watch", namespace: str = "monitoring", chart: Path = CHART
) -> list[Object]:
    """Render by the library in the wheel helm-python-sdk."""
    return [
        item
        for path, text in _files(values, name, namespace, chart).items()
        if not path.endswith("NOTES.txt")
        for item in yaml.load_all(text, _Loader)
        if item
    ]


def notes(values: dict[str, Any], *, name: str = "watch", namespace: str = "monitoring", chart: Path = CHART) -> str:
    """What Helm says after the installation."""
    files = _files(values, name, namespace, chart)
    return next(text for path, text in files.items() if path.endswith("NOTES.txt"))


def _files(values: dict[str, Any], name: str, namespace: str, chart: Path) -> dict[str, str]:
    return _rendered(json.dumps(values), name, namespace, chart)


@cache
def _rendered(values: str, name: str, namespace: str, chart: Path) -> dict[str, str]:
    """Rendered once for all tests: no test changes a chart after it was rendered."""
    try:
        with helm_python.Chart.load(chart) as loaded:
            return loaded.render(json.loads(values), name=name, namespace=namespace)
    except HelmError as error:
        raise RefusedError(str(error)) from None


def by_program(
    values: dict[str, Any], *, name: str = "watch", namespace: str = "monitoring", chart: Path = CHART
) -> list[Object]:
    """Render by the program."""
    command = ["helm", "template", name, str(chart), "--namespace", namespace, "--values", "-"]
    done = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RefusedError(done.stderr)
    return [item for item in yaml.load_all(done.stdout, _Loader) if item]


RENDERERS = [by_library, *([by_program] if shutil.which("helm") else [])]


def find(objects: list[Object], kind: str, name: str | None = None) -> Object:
    """The only object of a kind, and of a name."""
    found = [each for each in objects if each["kind"] == kind and name in {None, each["metadata"]["name"]}]
    if len(found) != 1:
        raise LookupError(f"{len(found)} objects of kind {kind} and name {name}")
    return found[0]


def every(objects: list[Object], kind: str) -> list[Object]:
    """All objects of a kind."""
    return [each for each in objects if each["kind"] == kind]


def serving(objects: list[Object]) -> list[Object]:
    """The Deployments of the exporter."""
    found = [
        each
        for each in every(objects, "Deployment")
        if each["spec"]["template"]["spec"]["containers"][0]["args"][0] == "serve"
    ]
    assert found
    return found


def pods(objects: list[Object]) -> list[Object]:
    """What each of these makes: labels, annotations and the pod's spec."""
    return [each["spec"]["template"] for each in serving(objects)]


def lane(objects: list[Object]) -> list[Object]:
    """The same of the scheduled lane: workers and restore tests."""
    found = [each["spec"]["template"] for each in every(objects, "Deployment") if each not in serving(objects)]
    return found + [each["spec"]["jobTemplate"]["spec"]["template"] for each in every(objects, "CronJob")]


def containers(objects: list[Object]) -> list[Object]:
    """The container of each exporter."""
    found: list[Object] = [each for pod in pods(objects) for each in pod["spec"]["containers"]]
    assert len(found) == len(pods(objects))
    return found


def container(objects: list[Object]) -> Object:
    """The container that runs closewatch, where one runs everything."""
    [found] = containers(objects)
    return found


def granted(objects: list[Object]) -> dict[tuple[str, str], list[Any]]:
    """Rights in the Kubernetes API by namespace and the account that has them."""
    rules = {
        (each["metadata"]["namespace"], each["metadata"]["name"]): each["rules"] for each in every(objects, "Role")
    }
    return {
        (each["metadata"]["namespace"], subject["name"]): rules[each["metadata"]["namespace"], each["roleRef"]["name"]]
        for each in every(objects, "RoleBinding")
        for subject in each["subjects"]
    }


def rule_files(objects: list[Object]) -> dict[str, Any]:
    """The installed rules by file name, from PrometheusRules or from the ConfigMap."""
    found = {
        each["metadata"]["name"].removeprefix("watch-closewatch-").replace("-", "_") + ".yml": each["spec"]
        for each in objects
        if each["kind"] == "PrometheusRule"
    }
    for each in objects:
        if each["kind"] == "ConfigMap" and each["metadata"]["name"].endswith("-rules"):
            found |= {name: yaml.safe_load(text) for name, text in each["data"].items()}
    return found
