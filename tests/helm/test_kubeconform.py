"""The chart's objects before kubeconform, where that is on PATH and can have its schemas: custom resources too."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from tests.helm.chart import VALUES, Object, by_library

CATALOG = "https://raw.githubusercontent.com/datreeio/CRDs-catalog/main"
CUSTOM = CATALOG + "/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json"


@pytest.mark.skipif(not shutil.which("kubeconform"), reason="kubeconform is not on PATH")
def test_kubeconform_takes_it() -> None:
    objects = [each for values in VALUES.values() for each in by_library(values)]
    if any("failed downloading schema" in each["msg"] for each in complaints(objects[:1])):
        pytest.skip("kubeconform can't download its schemas from here")

    assert complaints(objects) == []


def complaints(objects: list[Object]) -> list[dict[str, Any]]:
    """What it says is wrong, an entry for each object."""
    command = ["kubeconform", "-strict", "-output", "json", "-schema-location", "default", "-schema-location", CUSTOM]
    done = subprocess.run(
        command,
        input="\n---\n".join(json.dumps(each) for each in objects),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)["resources"]
    return found
