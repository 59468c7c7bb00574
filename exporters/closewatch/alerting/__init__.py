"""The shipped rules and runbooks, made ready for an installation: its own addresses, observe mode, plain pages."""

from __future__ import annotations

from closewatch.alerting.rules import GRAFANA_BASE, RUNBOOK_BASE, load, render, rendered, shortened
from closewatch.alerting.runbooks import build_runbooks

__all__ = ["GRAFANA_BASE", "RUNBOOK_BASE", "build_runbooks", "load", "render", "rendered", "shortened"]
