"""The examples of the documents work as they stand: a reader pastes them."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from _pytest.mark import ParameterSet
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from closewatch.core.web import webconfig
from closewatch.kinds import load

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def examples(key: str) -> list[ParameterSet]:
    """The YAML of the pages that has this key at its top."""
    return [
        pytest.param(text, id=f"{page.stem}-{number}")
        for page in PAGES
        for number, text in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")), 1)
        if key in yaml.safe_load(text)
    ]


def write(folder: Path, text: str) -> Path:
    file = folder / "example.yml"
    file.write_text(text, encoding="utf-8")
    return file


def test_every_example_is_tried_below() -> None:
    keys = ("targets", "scrape_configs", "groups", "basic_auth_users")
    tried = sum(len(examples(key)) for key in keys)
    assert tried == sum(len(BLOCK.findall(page.read_text(encoding="utf-8"))) for page in PAGES)


@pytest.mark.parametrize("text", examples("targets"))
def test_a_configuration(text: str, tmp_path: Path) -> None:
    assert load(write(tmp_path, text)).targets


@pytest.mark.parametrize("path", sorted((ROOT / "docs/examples").glob("*.yml")), ids=lambda path: str(path.name))
def test_a_file_with_an_example(path: Path) -> None:
    if "targets:" in path.read_text(encoding="utf-8"):
        assert load(path).targets
    else:
        assert path.name == "web-config.yml"  # tried in tests/unit/core/test_web_config.py


@pytest.mark.parametrize("text", examples("scrape_configs"))
def test_a_configuration_of_prometheus(text: str, tmp_path: Path, promtool: Path) -> None:
    subprocess.run([promtool, "check", "config", write(tmp_path, text)], check=True, capture_output=True, timeout=30)


@pytest.mark.parametrize("text", examples("groups"))
def test_a_rule_file(text: str, tmp_path: Path, promtool: Path) -> None:
    subprocess.run([promtool, "check", "rules", write(tmp_path, text)], check=True, capture_output=True, timeout=30)


@pytest.mark.parametrize("text", examples("basic_auth_users"))
def test_a_web_configuration(text: str, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "example")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    now = dt.datetime.now(dt.UTC)
    certificate = made.not_valid_before(now).not_valid_after(now + dt.timedelta(days=1)).sign(key, hashes.SHA256())
    for file in ("server.crt", "ca.crt"):
        (tmp_path / file).write_bytes(certificate.public_bytes(Encoding.PEM))
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "server.key").write_bytes(plain)
    settings = webconfig.load(write(tmp_path, text))
    assert settings.certificate_required
    assert list(settings.users) == ["prometheus"]
