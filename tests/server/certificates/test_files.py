"""Files of every kind, good and broken: each has its facts or its right reason."""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization

from closewatch.core.secrets import Secret
from closewatch.sources.certificates.source import Places
from tests.server.certificates.authority import CA, DAY, key, key_pem, with_sha1
from tests.server.certificates.conftest import Rows, rows_of

ROOT = CA("Files")
MIDDLE = CA("Files, below", ROOT)
LEAF = MIDDLE.issue()
NOBODY = 65_534
JKS = bytes.fromhex("feedfeed00000002") + b"\0" * 200
REQUEST = b"-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n"

Make = Callable[[Path], object]


def _write(data: bytes) -> Make:
    return lambda path: path.write_bytes(data)


def _circle(path: Path) -> None:
    path.symlink_to(path.with_name("other"))
    path.with_name("other").symlink_to(path)


GOOD: dict[str, Make] = {
    "PEM": _write(LEAF.pem),
    "PEM, chain": _write(LEAF.chain_pem),
    "PEM behind text, CRLF": _write(b"subject=/CN=x\r\n" + LEAF.pem.replace(b"\n", b"\r\n")),
    "PEM behind its key": _write(LEAF.key_pem + LEAF.chain_pem),
    "PEM before its key": _write(LEAF.pem + LEAF.key_pem),
    "trusted PEM": _write(LEAF.pem.replace(b" CERTIFICATE", b" X509 CERTIFICATE")),
    "DER": _write(LEAF.der),
    "PKCS#12": _write(LEAF.p12(b"right password")),
}

BAD: dict[str, tuple[Make, str]] = {
    "empty": (_write(b""), "empty"),
    "blank": (_write(b"\n \n"), "empty"),
    "PEM cut off": (_write(LEAF.pem[:200]), "truncated"),
    "PEM cut off in its first line": (_write(LEAF.pem[:14]), "truncated"),
    "PEM cut off in its chain": (_write(LEAF.chain_pem[:-100]), "truncated"),
    "PEM with damaged base64": (_write(LEAF.pem[:100] + b"?" + LEAF.pem[101:]), "malformed"),
    "PEM with other content": (_write(LEAF.pem.replace(b"\nMII", b"\nMIJ", 1)), "malformed"),
    "DER cut off": (_write(LEAF.der[:-1]), "truncated"),
    "DER cut off in its header": (_write(LEAF.der[:3]), "truncated"),
    "DER damaged": (_write(LEAF.der[:4] + b"\x30\x03\x02\x01\x63" + LEAF.der[9:]), "malformed"),
    "a key": (_write(LEAF.key_pem), "no_certificate"),
    "a request": (_write(REQUEST), "no_certificate"),
    "Java keystore": (_write(JKS), "unknown_kind"),
    "text": (_write(b"hello\n"), "unknown_kind"),
    "an image": (_write(b"\x89PNG\r\n\x1a\n" + bytes(500)), "unknown_kind"),
    "PKCS#12, other password": (_write(LEAF.p12(b"another password")), "password"),
    "PKCS#12 damaged": (_write(b"\x30\x82\x01\x00\x02\x01\x03" + bytes(253)), "malformed"),
    "10 MB": (_write(b"-----BEGIN CERTIFICATE-----\n" + b"A" * 10_000_000), "too_large"),
    "thousands of certificates": (_write(LEAF.pem * 1_001), "too_many_certificates"),
    "gone": (lambda path: None, "gone"),
    "a link that leads nowhere": (lambda path: path.symlink_to("nowhere"), "gone"),
    "a circle of links": (_circle, "circle"),
    "a pipe": (os.mkfifo, "not_a_file"),
    "an empty folder": (Path.mkdir, "no_certificate"),
}


def _one(path: Path, tmp_path: Path) -> Rows:
    (tmp_path / "password").write_text("right password\n")
    return rows_of(Places(files=[path], password=Secret(file=tmp_path / "password")))


@pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in GOOD.items()])
def test_every_kind_is_read(make: Make, tmp_path: Path) -> None:
    make(tmp_path / "it")
    row = _one(tmp_path / "it", tmp_path)["file", str(tmp_path / "it")]
    assert (row["failure"], row["not_after"], row["problems"]) == (None, LEAF.not_after, ())


@pytest.mark.parametrize(("make", "reason"), [pytest.param(*case, id=name) for name, case in BAD.items()])
def test_what_is_broken_has_its_reason(make: Make, reason: str, tmp_path: Path) -> None:
    make(tmp_path / "it")
    row = _one(tmp_path / "it", tmp_path)["file", str(tmp_path / "it")]
    assert (row["failure"], row.get("not_after")) == (reason, None)


def test_a_file_that_may_not_be_read() -> None:
    """Root may read everything, so root's tests read as nobody."""
    me = os.geteuid()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "it"
        path.write_bytes(LEAF.pem)
        path.chmod(0 if me else 0o600)
        os.seteuid(me or NOBODY)
        try:
            found = rows_of(Places(files=[path]))
        finally:
            os.seteuid(me)
    assert found["file", str(path)]["failure"] == "permission"


@pytest.mark.parametrize(
    ("data", "problems"),
    [
        pytest.param(MIDDLE.issue(end=-DAY / 2).pem, ("expired",), id="expired"),
        pytest.param(MIDDLE.issue(start=DAY).pem, ("not_yet_valid",), id="not yet valid"),
        pytest.param(MIDDLE.issue(kind="rsa1024").pem, ("weak_key",), id="RSA 1024"),
        pytest.param(MIDDLE.issue(kind="p192").pem, ("weak_key",), id="P-192"),
        pytest.param(MIDDLE.issue(kind="dsa").pem, ("weak_key",), id="DSA"),
        pytest.param(with_sha1(ROOT).pem, ("weak_signature",), id="SHA-1"),
    ],
)
def test_what_is_wrong_with_the_certificate_of_a_file(data: bytes, problems: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "it.pem").write_bytes(data)
    assert _one(tmp_path / "it.pem", tmp_path)["file", str(tmp_path / "it.pem")]["problems"] == problems


def test_of_a_chain_the_first_counts_and_the_others_are_told_apart(tmp_path: Path) -> None:
    short = CA("Ends soon", ROOT, end=5 * DAY)
    leaf = short.issue()
    (tmp_path / "chain.pem").write_bytes(leaf.chain_pem)
    row = _one(tmp_path / "chain.pem", tmp_path)["file", str(tmp_path / "chain.pem")]
    assert row["not_after"] == leaf.not_after
    assert row["chain_not_after"] == short.certificate.not_valid_after_utc.timestamp()


def test_of_trusted_authorities_the_next_to_end_counts(tmp_path: Path) -> None:
    authorities = [CA("Ended", end=-DAY), CA("Next", end=100 * DAY), CA("Later", end=900 * DAY)]
    (tmp_path / "bundle.crt").write_bytes(b"".join(each.pem for each in authorities))
    row = _one(tmp_path / "bundle.crt", tmp_path)["file", str(tmp_path / "bundle.crt")]
    assert row["not_after"] == authorities[1].certificate.not_valid_after_utc.timestamp()
    assert (row["chain_not_after"], row["problems"]) == (None, ())


def test_a_folder_is_read_with_its_subfolders_and_only_what_looks_like_a_certificate(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "one.pem").write_bytes(LEAF.pem)
    (tmp_path / "a" / "b" / "two.CRT").write_bytes(LEAF.pem)
    (tmp_path / "a" / "b" / "privkey.pem").write_bytes(LEAF.key_pem)
    (tmp_path / "a" / "b" / "README").write_bytes(b"text")
    (tmp_path / "a" / "b" / "broken.der").write_bytes(LEAF.der[:50])
    (tmp_path / "a" / ".hidden.pem").write_bytes(LEAF.pem)
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path / "a", target_is_directory=True)
    found = _one(tmp_path / "a", tmp_path)
    names = {name.removeprefix(f"{tmp_path}/a/"): row["failure"] for (_, name), row in found.items()}
    assert names == {"one.pem": None, "b/two.CRT": None, "b/broken.der": "truncated"}


def test_patterns_and_what_is_left_out(tmp_path: Path) -> None:
    for site in ("one", "two", "old"):
        (tmp_path / site).mkdir()
        (tmp_path / site / "fullchain.pem").write_bytes(LEAF.chain_pem)
    found = rows_of(Places(files=[tmp_path / "*" / "fullchain.pem", tmp_path / "none*"], ignore=["*/old/*"]))
    assert {name.removeprefix(f"{tmp_path}/"): row["failure"] for (_, name), row in found.items()} == {
        "one/fullchain.pem": None,
        "two/fullchain.pem": None,
        "none*": "gone",
    }


def test_no_key_is_kept(tmp_path: Path) -> None:
    """Neither in what is remembered of the files, nor in what is told."""
    (tmp_path / "both.pem").write_bytes(LEAF.pem + LEAF.key_pem)
    secret = key("ec").private_numbers().private_value
    body = base64.b64encode(key("ec").private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ))  # fmt: skip
    told = repr(_one(tmp_path / "both.pem", tmp_path))
    assert str(secret) not in told
    assert body.decode()[:40] not in told
    assert key_pem(key("ec")) == LEAF.key_pem  # it was this key
    assert LEAF.certificate.fingerprint(hashes.SHA256()).hex() not in told
