"""A target: something watched, with the labels that all of its series carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from closewatch.core.families import TARGET_LABELS
from closewatch.core.labels import clean


@dataclass(frozen=True, slots=True)
class Target:
    """`labels` are environment, cell, tenant, target, less the absent ones; `settings` is the kind's own model."""

    kind: str
    name: str
    labels: Mapping[str, str]
    settings: Any = None

    @classmethod
    def of(
        cls,
        kind: str,
        name: str,
        *,
        environment: str,
        cell: str | None = None,
        tenant: str | None = None,
        settings: Any = None,
    ) -> Target:
        """A target from its parts; parts that are None give no label."""
        parts = {"environment": environment, "cell": cell, "tenant": tenant, "target": name}
        labels = {label: clean(value) for label in TARGET_LABELS if (value := parts[label])}
        return cls(kind, name, labels, settings)

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"
