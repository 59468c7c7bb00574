"""Values with restore tests, and what is looked at in the objects that they make."""

from __future__ import annotations

from typing import Any

from tests.helm.chart import VALUES, Object

RESTORES = VALUES["restores"]
PATH = {"path": "/var/lib/closewatch/records.db"}
DUMP = {"dump": {"folder": {"path": "/backups"}}}
VERIFIED = {"kind": "backups", "name": "repo", "barman": {"server": "main"}, "verify": {}}


def planned(name: str = "books", *, plan: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Values with one plan."""
    target = {"kind": "restores", "name": name, "origin": DUMP, "database": "acme"} | (plan or {})
    config = {"environment": "production", "records": PATH, "targets": [target]}
    return {"config": config, "records": {"size": "1Gi"}} | more


def pod_of(job: Object) -> Object:
    """The spec of a CronJob's pod."""
    spec: Object = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return spec


def volumes_of(pod: Object) -> dict[str, Object]:
    """A pod's volumes by name."""
    return {each["name"]: {key: value for key, value in each.items() if key != "name"} for each in pod["volumes"]}
