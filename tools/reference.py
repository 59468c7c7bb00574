"""Writes docs/reference, and the table of exporters in README.md, or checks that they are what the code says.

python -m tools.reference            write
python -m tools.reference --check    exit 1 and name each page that differs
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools import reference_alerts, reference_configuration, reference_metrics

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- exporters: begin -->", "<!-- exporters: end -->"
NOTE = "<!-- Written by `make docs`; change the code or the rules instead. -->\n\n"


def pages(root: Path) -> dict[Path, str]:
    """Each page with what it should say."""
    folder = root / "docs" / "reference"
    readme = root / "README.md"
    return {
        readme: _with_block(readme.read_text(encoding="utf-8"), reference_metrics.overview()),
        folder / "metrics.md": NOTE + reference_metrics.render(),
        folder / "alerts.md": NOTE + reference_alerts.render(root),
        folder / "configuration.md": NOTE + reference_configuration.render(),
    }


def _with_block(text: str, block: str) -> str:
    """The text with the block between the two marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md lacks the lines {BEGIN} and {END}")
    return f"{before}{begin}\n{block}{end}{after}"


def drift(root: Path) -> list[str]:
    """A sentence for each page that is not fresh."""
    return [
        f"{path.relative_to(root)} is not what the code says: make docs"
        for path, text in pages(root).items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def main() -> int:
    """The command: 0 when all is well."""
    parser = argparse.ArgumentParser(prog="python -m tools.reference", description="The references, from the code.")
    parser.add_argument("--check", action="store_true", help="compare, write nothing, exit 1 on a difference")
    if parser.parse_args().check:
        problems = drift(ROOT)
        print("\n".join(problems), end="\n" if problems else "", file=sys.stderr)
        return 1 if problems else 0
    for path, text in pages(ROOT).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
