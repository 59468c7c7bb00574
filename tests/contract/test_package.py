"""What is installed: the wheel has everything that the program reads, and one name at its top."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = {"alerting/rules/*.yml", "alerting/runbooks/*.md", "alerting/alertmanager/**/*", "dashboards/*.json"}


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (wheel,) = folder.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_one_name_at_the_top(names: set[str]) -> None:
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"closewatch"}


def test_every_module_and_query_file(names: set[str]) -> None:
    package = ROOT / "exporters" / "closewatch"
    wanted = {path for path in package.rglob("*") if path.suffix in {".py", ".sql", ".typed"}}
    assert {f"closewatch/{path.relative_to(package)}" for path in wanted} <= names


@pytest.mark.parametrize("pattern", sorted(DATA))
def test_rules_runbooks_routes_and_dashboards(pattern: str, names: set[str]) -> None:
    wanted = {f"closewatch/_data/{path.relative_to(ROOT)}" for path in ROOT.glob(pattern) if path.is_file()}
    assert wanted
    assert wanted <= names
