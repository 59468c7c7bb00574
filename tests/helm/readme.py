"""The table of values in the chart's README, written from values.schema.json and values.yaml.

python -m tests.helm.readme            write it
python -m tests.helm.readme --check    exit 1 when it is not what would be written
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "helm" / "closewatch"
START, END = "<!-- values: written by `python -m tests.helm.readme` -->\n", "<!-- end of values -->\n"


def rows(schema: dict[str, Any], values: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    """(key, default, description) of every value that can be set, in the order of values.yaml."""
    for key, default in values.items():
        known = schema["properties"][key]
        name = f"{path}{key}"
        if "properties" in known:
            yield from rows(known, default, f"{name}.")
        else:
            yield name, json.dumps(default), known["description"]


def table(chart: Path) -> str:
    """The table in Markdown."""
    schema = json.loads((chart / "values.schema.json").read_text(encoding="utf-8"))
    values = yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8"))
    lines = ["| value | default | what it is |", "| --- | --- | --- |"]
    lines += [f"| `{name}` | `{default}` | {what} |" for name, default, what in rows(schema, values)]
    return "\n".join(lines) + "\n"


def written(chart: Path) -> str:
    """The README with its table up to date."""
    text = (chart / "README.md").read_text(encoding="utf-8")
    before, rest = text.split(START)
    return before + START + table(chart) + END + rest.split(END)[1]


def main(arguments: list[str]) -> int:
    """The command."""
    path = CHART / "README.md"
    if "--check" in arguments:
        fresh = path.read_text(encoding="utf-8") == written(CHART)
        print("" if fresh else "helm/closewatch/README.md is stale; run: python -m tests.helm.readme", file=sys.stderr)
        return 0 if fresh else 1
    path.write_text(written(CHART), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
