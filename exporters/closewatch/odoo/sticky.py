"""Which of many names get series of their own: the largest, without two of a size that take turns."""

from __future__ import annotations

from collections.abc import Mapping

from closewatch.core.collectors import Memory


def largest(sizes: Mapping[str, float], most: int, memory: Memory, key: str) -> list[str]:
    """The `most` largest, largest first. One that was among them the last time (`memory[key]`) counts double."""
    before = memory.get(key, ())
    ranked = sorted(sizes, key=lambda name: (-sizes[name] * (2 if name in before else 1), name not in before, name))
    memory[key] = names = ranked[:most]
    return names
