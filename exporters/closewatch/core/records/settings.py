"""What the core knows of the records' configuration; `closewatch.records` says where they and their copies are."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence

from pydantic import Field

from closewatch.core.records.copies import Copy
from closewatch.core.records.store import Store
from closewatch.core.secrets import Secret
from closewatch.core.settings import Model


class RecordsSettings(Model):
    """Where results of scheduled checks are kept as evidence."""

    keep_months: int = Field(24, ge=1, le=240, description="So long what a check found is kept; that it ran stays.")
    signing_key: Secret | None = Field(
        None, description="The private key (Ed25519, PEM) that signs each day's heads: `closewatch records key`."
    )

    @abstractmethod
    def store(self, *, read_only: bool) -> Store:
        """The store, opened. Raises StoreError."""

    @abstractmethod
    def copiers(self) -> Mapping[str, Callable[[], Copy]]:
        """By the name of each copy of the signed heads, what makes the way to copy."""

    @abstractmethod
    def copied_heads(self, name: str) -> Sequence[tuple[str, str]]:
        """The signed heads (document, signature) as a copy has them, the oldest first. Raises CopyError."""
