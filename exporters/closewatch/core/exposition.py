"""Samples as the text that Prometheus reads. The official client writes it; this adds the target's labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder

from closewatch.core.families import TARGET_LABELS, Family, Sample
from closewatch.core.labels import clean


class Labelled(NamedTuple):
    """Samples of one target, with the labels that go on all of them."""

    labels: Mapping[str, str]
    samples: Iterable[Sample]


class _Once:
    """What the client's encoders call a registry: something that can be collected."""

    def __init__(self, families: Iterable[Any]) -> None:
        self._families = families

    def collect(self) -> Iterable[Any]:
        return self._families


def exposition(groups: Iterable[Labelled], accept: str = "", more: Iterable[Any] = ()) -> tuple[bytes, str]:
    """The exposition text and its content type, as the `Accept` header asks for.

    `more` are families of
    the official client's own, such as those about the process.
    """
    by_family: dict[Family, list[tuple[Mapping[str, str], Sample]]] = {}
    for labels, samples in groups:
        for sample in samples:
            if sample.value is not None:
                by_family.setdefault(sample.family, []).append((labels, sample))
    encode, content_type = choose_encoder(accept)
    return encode(_Once([*(_family(family, rows) for family, rows in by_family.items()), *more])), content_type


def _family(family: Family, rows: list[tuple[Mapping[str, str], Sample]]) -> Any:
    # A tenant's label is left out where there is none, so rows of one family may differ in their target labels.
    make = CounterMetricFamily if family.type == "counter" else GaugeMetricFamily
    metric = make(family.name, family.help, labels=[])
    name = family.name
    for labels, sample in rows:
        all_labels = {label: labels[label] for label in TARGET_LABELS if label in labels}
        all_labels.update(zip(family.labels, map(clean, sample.labels), strict=True))
        metric.add_sample(name, {key: value for key, value in all_labels.items() if value}, sample.value or 0.0)
    return metric
