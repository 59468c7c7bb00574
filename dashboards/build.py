"""Write the dashboards' JSON, or check that it is what the Python here would write.

python -m dashboards.build            write dashboards/*.json
python -m dashboards.build --check    exit 1 and name each file that differs
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.pages import PAGES

FOLDER = Path(__file__).resolve().parent
DASHBOARDS: dict[str, Callable[[], Dashboard]] = {f"{page.uid}.json": page.build for page in PAGES}
REPAIR = "python -m dashboards.build"


def render(dashboard: Dashboard) -> str:
    """The dashboard's JSON as it is committed."""
    return json.dumps(dashboard, cls=JSONEncoder, indent=2, ensure_ascii=False) + "\n"


def drift(folder: Path) -> list[str]:
    """What differs between the folder and the code: files missing, stale, or written by nobody."""
    problems = []
    for name, build in DASHBOARDS.items():
        path = folder / name
        if not path.is_file():
            problems.append(f"{name} is missing; run: {REPAIR}")
        elif path.read_text(encoding="utf-8") != render(build()):
            problems.append(f"{name} is not what the code writes; run: {REPAIR}")
    written = {path.name for path in folder.glob("*.json")}
    return problems + [f"{name} is written by no code of dashboards/" for name in sorted(written - set(DASHBOARDS))]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0 when all is well."""
    parser = argparse.ArgumentParser(prog=REPAIR, description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="compare, write nothing, exit 1 on a difference")
    if parser.parse_args(arguments).check:
        problems = drift(FOLDER)
        print("\n".join(problems), file=sys.stderr, end="\n" if problems else "")
        return 1 if problems else 0
    for name, build in DASHBOARDS.items():
        (FOLDER / name).write_text(render(build()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
