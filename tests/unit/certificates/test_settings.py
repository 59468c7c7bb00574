"""What may be configured of certificates, and how a fault in it is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from closewatch.certificates.settings import CertificatesTarget
from closewatch.core.problems import ConfigError
from closewatch.kinds import load

COMMON = {"kind": "certificates", "name": "front"}


def _of(**settings: Any) -> CertificatesTarget:
    return CertificatesTarget.model_validate({**COMMON, **settings}, context={"folder": Path("/etc/closewatch")})


def test_paths_are_relative_to_the_configuration_and_ports_those_of_the_protocol() -> None:
    target = _of(
        files=["ssl/*.pem"],
        endpoints=[
            {"address": "odoo.example.com", "stored": "odoo.pem"},
            {"address": "[2001:db8::1]", "protocol": "postgresql", "name": "pg", "hosts": ["pg.example.com"]},
            {"address": "mail.example.com:587", "protocol": "smtp"},
        ],
    )
    assert target.files == (Path("/etc/closewatch/ssl/*.pem"),)
    assert [(one.label, str(one.place)) for one in target.endpoints] == [
        ("odoo.example.com", "odoo.example.com:443"),
        ("pg", "[2001:db8::1]:5432"),
        ("mail.example.com:587", "mail.example.com:587"),
    ]
    assert target.endpoints[0].stored == Path("/etc/closewatch/odoo.pem")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "nothing to watch"),
        ({"files": ["/etc/**/x.pem"]}, "name the folder instead"),
        ({"secrets": [{"namespace": "odoo"}]}, "kubernetes is missing"),
        ({"endpoints": [{"address": "a"}, {"address": "a"}]}, "the same name"),
        ({"endpoints": [{"address": "/run/socket"}]}, "a Unix socket"),
        ({"endpoints": [{"address": "https://a"}]}, "is not an address"),
        ({"endpoints": [{"address": "a", "protocol": "ftp"}]}, "allowed: tls, postgresql"),
        ({"endpoints": [{"address": "a", "hosts": ["a/b"]}]}, "hosts"),
        ({"files": ["a"], "limit": 5_000}, "1500"),
        ({"files": ["a"], "password": "secret"}, "file"),
    ],
)
def test_what_is_wrong_is_said(settings: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = tmp_path / "closewatch.yml"
    path.write_text(yaml.safe_dump({"environment": "test", "targets": [{**COMMON, **settings}]}))
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert words in str(caught.value)
