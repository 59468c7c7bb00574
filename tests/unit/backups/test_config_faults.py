"""Faulty configurations of backups: one fault a file in tests/config/backups, with what a user reads at its top."""

from __future__ import annotations

from pathlib import Path

import pytest

from closewatch.core.config import ConfigError
from closewatch.kinds import load

FAULTY = sorted((Path(__file__).parents[2] / "config" / "backups").glob("bad_*.yml"))


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [str(problem).replace(f"{path.parent}/", "") for problem in caught.value.problems]


def test_there_are_some():
    assert len(FAULTY) > 10


@pytest.mark.parametrize("path", FAULTY, ids=lambda path: path.stem)
def test_one_fault_gives_the_message_in_its_file(path: Path):
    expected = [line.removeprefix("#! ") for line in path.read_text().splitlines() if line.startswith("#! ")]
    assert len(expected) == 1
    said = problems(path)
    assert said == expected
    assert "plain-test-secret" not in "\n".join(said)
