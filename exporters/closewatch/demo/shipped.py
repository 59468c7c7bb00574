"""The shipped rules and the shipped Alertmanager configuration, as they are found by an installed program or a checkout."""

from __future__ import annotations

import re
from pathlib import Path

import closewatch


def _f(kind):
    here = Path(closewatch.__file__).parent
    for p in (here / "_data" / "alerting" / kind, here.parents[1] / "alerting" / kind):
        if p.exists():
            return p


def alertmanager_config() -> str:
    return (_f("alertmanager") / "alertmanager.yml").read_text()


def alertmanager_templates() -> dict[str, str]:
    return {f"templates/{p.name}": p.read_text() for p in (_f("alertmanager") / "templates").glob("*.tmpl")}


def _short(m):
    n = int(m[2]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[m[3]]
    return f"{m[1]}{max(1, round(n / 30))}s"


def rules() -> dict[str, str]:
    return {
        p.name: re.sub(r"(\b(?:for|keep_firing_for): )(\d+)([smhd])", _short, p.read_text())
        for p in _f("rules").glob("*.yml")
    }
