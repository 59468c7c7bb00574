"""What the tests of the web configuration share: parts of files, written in one step."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

HASH = "$2b$04$ZEZTPv4HgVwcWdwQ.ICCUetml/StPFfzkPP8xPU0aPbgZhNcs5HR6"  # of the password right
CERTIFICATE = "cert_file: tls.crt\n  key_file: tls.key\n"
_times = itertools.count(1)


def write(folder: Path, text: str) -> Path:
    """Written in one step, as a careful tool does, and with another time each time."""
    new = folder / "web.yml.new"
    new.write_text(text)
    os.utime(new, ns=(next(_times), next(_times)))
    return new.rename(folder / "web.yml")
