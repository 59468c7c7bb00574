"""The values of the chart: its schema knows each of them, and what is wrong is refused by name."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from tests.helm.chart import CHART, RENDERERS, VALUES, Helm, RefusedError, by_library

SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(params=RENDERERS, ids=lambda render: str(render.__name__))
def helm(request: pytest.FixtureRequest) -> Helm:
    found: Helm = request.param
    return found


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"replicaCount": 1}, "replicaCount"),
        ({"image": {"name": "x"}}, "name"),
        ({"image": {"tag": "latest"}}, "/image/tag"),
        ({"image": {"digest": "latest"}}, "/image/digest"),
        ({"replicas": "1"}, "/replicas"),
        ({"web": {"scheme": "ftp"}}, "/web/scheme"),
        ({"service": {"port": 0}}, "/service/port"),
        ({"existingSecret": "With Space"}, "/existingSecret"),
        ({"networkPolicy": {"databases": []}}, "databases"),
        ({"deployments": "many"}, "/deployments"),
        ({"mounts": [{"name": "a", "path": "/a"}]}, "/mounts/0"),
        ({"mounts": [{"name": "a", "path": "a", "secret": "a"}]}, "/mounts/0/path"),
        ({"mounts": [{"name": "a", "path": "/a", "secret": "a", "configMap": "b"}]}, "/mounts/0"),
        ({"alerting": {"labels": {"tenant": "acme"}}}, "invalid propertyName 'tenant'"),
        ({"alertmanagerConfig": {"receivers": {"page": {}}}}, "/alertmanagerConfig/receivers/page"),
        ({"scrape": {"interval": "15"}}, "/scrape/interval"),
        ({"prometheusOperator": {"enabled": "yes"}}, "/prometheusOperator/enabled"),
        ({"alerting": {"mode": "silent"}}, "/alerting/mode"),
        ({"alerting": {"runbookBase": "wiki.example.com"}}, "/alerting/runbookBase"),
        ({"alerting": {"overrides": {"PostgresqlDown": {"expr": "1"}}}}, "expr"),
        ({"alerting": {"overrides": {"PostgresqlDown/info": {"for": "1m"}}}}, "PostgresqlDown/info"),
        ({"alerting": {"overrides": {"PostgresqlDown": {"for": "soon"}}}}, "/alerting/overrides/PostgresqlDown/for"),
        ({"alerting": {"overrides": {"PostgresqlDown": {"labels": {"severity": "x"}}}}}, "severity"),
        ({"alerting": {"overrides": {"PostgresqlGone": {"for": "1m"}}}}, "there is no alert PostgresqlGone"),
        ({"alerting": {"overrides": {"PostgresqlDown/warning": {"for": "1m"}}}}, "no alert PostgresqlDown/warning"),
        ({"alerting": {"skipGroups": ["closewatch-nothing"]}}, "there is no group closewatch-nothing"),
        (
            {"prometheusOperator": {"enabled": True}, "scrape": {"timeout": "20s"}},
            "scrape.timeout 20s is longer than scrape.interval 15s",
        ),
    ],
)
def test_wrong_values_are_refused_by_name(helm: Helm, values: dict[str, Any], named: str) -> None:
    with pytest.raises(RefusedError) as refused:
        helm(values)

    assert named in str(refused.value).replace(".", "/") or named in str(refused.value)


def test_the_schema_knows_every_value_and_nothing_else() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))

    assert sorted(_keys(SCHEMA)) == sorted([*_keys_of(values, SCHEMA), "global"])
    assert all(closed is False for closed in _closed(SCHEMA))


def _keys(schema: dict[str, Any], path: str = "") -> list[str]:
    found = []
    for key, each in schema["properties"].items():
        found += _keys(each, f"{path}{key}.") if "properties" in each else [f"{path}{key}"]
    return found


def _keys_of(values: dict[str, Any], schema: dict[str, Any], path: str = "") -> list[str]:
    found = []
    for key, value in values.items():
        deeper = "properties" in schema["properties"].get(key, {})
        found += _keys_of(value, schema["properties"][key], f"{path}{key}.") if deeper else [f"{path}{key}"]
    return found


def _closed(schema: dict[str, Any]) -> list[Any]:
    found = [schema.get("additionalProperties")]
    for each in schema["properties"].values():
        if "properties" in each:
            found += _closed(each)
    return found


def test_helm_can_keep_the_release(tmp_path: Path) -> None:
    """Helm keeps the chart and what it made, packed, in a Secret: at most 1 MiB, of which half is left for growth."""
    values = VALUES["kube-prometheus-stack"]
    with tarfile.open(helm_python.package(CHART, destination=tmp_path)) as tar:
        files = {each.name: (tar.extractfile(each) or io.BytesIO()).read() for each in tar.getmembers()}
    release = {
        "chart": {name: base64.b64encode(content).decode() for name, content in files.items()},
        "manifest": json.dumps(by_library(values)),
    }

    kept = base64.b64encode(gzip.compress(json.dumps(release).encode()))

    assert len(kept) < 512 * 1024
