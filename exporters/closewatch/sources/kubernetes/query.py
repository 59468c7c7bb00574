"""A question to the Kubernetes API. Pure data: collectors declare it, `sources.kubeaside` asks it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CustomObject:
    """One custom object, by its kind; which one it is comes from the target's configuration.

    Its answer is one row, {"object": the object as it is}.
    """

    group: str
    version: str
    plural: str
