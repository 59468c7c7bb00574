"""The search for secrets in the suite's output is a check that can fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.secrets import NEVER_SHOWN


@pytest.mark.parametrize(
    ("printed", "code"),
    [(NEVER_SHOWN, 1), ("nothing of note", 0), ("read-from-the-file", 1)],
    ids=["known", "none", "read"],
)
def test_a_test_that_prints_a_secret_fails(
    tmp_path: Path, pytestconfig: pytest.Config, printed: str, code: int
) -> None:
    (tmp_path / "secret").write_text("read-from-the-file")
    test = tmp_path / "test_leak.py"
    test.write_text(
        "from pathlib import Path\nfrom closewatch.core.secrets import Secret\n"
        "def test_it():\n"
        f"    Secret(file=Path({str(tmp_path / 'secret')!r})).read()\n"
        f"    print({printed!r})\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tests.fixtures.secrets",
        "--rootdir",
        str(tmp_path),
        str(test),
    ]
    done = subprocess.run(command, cwd=pytestconfig.rootpath, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stdout
    assert NEVER_SHOWN not in done.stdout
