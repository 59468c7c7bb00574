"""Where the files are that are shipped beside the code: inside of an installed package, or in the checkout."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from pathlib import Path

_PACKAGE = Path(str(resources.files("closewatch")))


def find_data(name: str) -> Path:
    """A shipped file or folder by its path in the repository, such as `alerting/rules`.

    Raises FileNotFoundError where this installation doesn't have it.
    """
    installed, checkout = _PACKAGE / "_data" / name, _PACKAGE.parents[1] / name
    for path in (installed, checkout):
        if path.exists():
            return path
    raise FileNotFoundError(f"{name} is not part of this installation: neither {installed} nor {checkout} is there")


@cache
def rules_hash() -> str | None:
    """SHA-256 over the shipped rule files, in the order of their names: `cat alerting/rules/*.yml | sha256sum`."""
    try:
        files = sorted(find_data("alerting/rules").glob("*.yml"))
    except FileNotFoundError:
        return None
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
