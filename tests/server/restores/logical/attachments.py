"""A filestore with made-up attachments, and what `ir_attachment` says of them."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path
from typing import Any

Rows = list[tuple[Any, ...]]


def make(root: Path, count: int = 300, seed: int = 7, largest: int = 20_000) -> Rows:
    """So many files; gives the rows in the order of their names."""
    chance = random.Random(seed)
    rows: Rows = []
    for _ in range(count):
        data = chance.randbytes(chance.randint(1, largest))
        digest = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        path = root / digest[:2] / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        rows.append((f"{digest[:2]}/{digest}", digest, len(data), False))
    return sorted(rows)


TABLE = """CREATE TABLE ir_attachment
(id serial, type text DEFAULT 'binary', store_fname text, checksum text, file_size int, db_datas bytea)"""
