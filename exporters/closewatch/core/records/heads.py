"""Each day's heads: for every chain its last number and hash, signed, and kept also where this host can't delete them.

A record is proved by its chain up to a signed head; a chain that was removed as a whole is missed by the next list.
Ed25519 (RFC 8032) by the package `cryptography`, an extra: only who signs or verifies needs it.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from closewatch.core.records.canonical import canonical
from closewatch.core.records.record import FIRST, Chain, digest
from closewatch.core.records.store import Store, StoreError

SCHEMA = 1


class KeyProblem(Exception):
    """A key that can't be used, in our own words."""


def _need_package() -> None:
    try:
        import cryptography.hazmat.primitives.asymmetric.ed25519  # noqa: F401, PLC0415 - an extra
    except ModuleNotFoundError:
        raise KeyProblem("needs the package cryptography; install it: pip install 'closewatch[records]'") from None


def document(store: Store, day: str, signed: str) -> str:
    """The heads of all chains as they are now, in canonical form, after those of the day before."""
    before = store.newest_head()
    chains = []
    for chain in store.chains():
        newest = store.newest(chain)[0]
        names = {"check": chain.check, "kind": chain.kind, "target": chain.target}
        chains.append({**names, "sequence": newest.sequence, "hash": newest.hash})
    previous = FIRST if before is None else digest(before[0])
    return canonical({"schema": SCHEMA, "day": day, "signed": signed, "chains": chains, "previous": previous})


def sign_due(store: Store, key: str, now: dt.datetime) -> str | None:
    """Sign for the day that has ended (UTC), once. Gives the day, or None. Raises KeyProblem, StoreError."""
    day = (now.astimezone(dt.UTC) - dt.timedelta(days=1)).date().isoformat()
    newest = store.newest_head()
    if newest is not None and (last := json.loads(newest[0])["day"]) >= day:
        if last > now.astimezone(dt.UTC).date().isoformat():
            raise StoreError(
                f"{last} is signed already, and lies ahead: a clock was wrong; nothing is signed until then"
            )
        return None
    text = document(store, day, now.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z"))
    signature = sign(text, key)
    try:
        store.keep_head(day, text, signature)
    except StoreError:
        newest = store.newest_head()
        if newest is None or json.loads(newest[0])["day"] < day:
            raise
        return None  # another worker was faster
    return day


def sign(text: str, key: str) -> str:
    """The signature in Base64. `key` is a private key in PEM. Raises KeyProblem."""
    _need_package()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        found = load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError):
        raise KeyProblem("is no private key in PEM without a password") from None
    if not isinstance(found, Ed25519PrivateKey):
        raise KeyProblem("is no Ed25519 key; `closewatch records key` makes one")
    return base64.b64encode(found.sign(text.encode())).decode()


def signed_by(text: str, signature: str, public_key: str) -> bool:
    """Whether the holder of the key signed the text. Raises KeyProblem."""
    _need_package()
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    try:
        found = load_pem_public_key(public_key.encode())
    except ValueError:
        raise KeyProblem("is no public key in PEM") from None
    if not isinstance(found, Ed25519PublicKey):
        raise KeyProblem("is no Ed25519 key")
    try:
        found.verify(base64.b64decode(signature, validate=True), text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def new_key() -> tuple[str, str]:
    """A new pair: private and public key in PEM. Raises KeyProblem."""
    _need_package()
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def faults(store: Store, public_key: str, copied: Sequence[tuple[str, str]] = ()) -> Iterator[str]:
    """What is wrong with the signed heads, or with the chains that they name; nothing where all is well.

    `copied` are the heads as they are elsewhere: then these count, and the store's have to be the same.
    """
    kept = store.heads()
    previous, last = FIRST, ""
    hashes: dict[Chain, dict[int, str]] = {}
    for text, signature in copied or kept:
        heads = _parsed(text)
        if heads is None:
            yield "a document of signed heads has another form"
            continue
        if not signed_by(text, signature, public_key):
            yield f"the heads of {heads.day} were not signed by this key, or were changed"
        if heads.previous != previous:
            yield f"the heads of {heads.day} do not follow those of the day before: some were removed or put in"
        if heads.day <= last:
            yield f"the heads of {heads.day} are older than those before them"
        if copied and (text, signature) not in kept:
            yield f"the heads of {heads.day} are in the copy, and in the store they are gone, or are others"
        previous, last = digest(text), heads.day
        for chain, sequence, hash_ in heads.ends:
            if chain not in hashes:
                hashes[chain] = {record.sequence: record.hash for record in store.records(chain) if record.whole}
            if hashes[chain].get(sequence) != hash_:
                yield f"{chain}: record {sequence} of the heads of {heads.day} is gone, or is another"


@dataclass(frozen=True, slots=True)
class _Heads:
    """One day's document."""

    day: str
    previous: str
    ends: Sequence[tuple[Chain, int, str]]


def _parsed(text: str) -> _Heads | None:
    try:
        heads = json.loads(text)
        ends = [
            (Chain(str(one["check"]), str(one["kind"]), str(one["target"])), int(one["sequence"]), str(one["hash"]))
            for one in heads["chains"]
        ]
        return _Heads(str(heads["day"]), str(heads["previous"]), ends)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
