"""Records: what scheduled checks found, kept so that nobody can change, remove or invent a result unnoticed.

Append-only, one chain for each (check, kind, target); docs/decisions/0001 has the format.
"""

from closewatch.core.records.record import Chain, Record
from closewatch.core.records.store import Lease, LeaseLost, Store, StoreError

__all__ = ["Chain", "Lease", "LeaseLost", "Record", "Store", "StoreError"]
