"""The collector `base`."""

from __future__ import annotations

import pytest

from closewatch.odoo.base import BASE
from tests.unit.odoo.reading import read


def row(base: str | None = "18.0.1.3", *, pending: int = 0, neutralized: bool = False) -> dict:
    return {"base": base, "pending": pending, "neutralized": neutralized}


def info(base: str) -> str:
    return read(BASE, row(base))[0]


def test_a_database_in_production():
    assert read(BASE, row()) == [
        "info{version='18.0',base='18.0.1.3'} 1",
        "neutralized 0",
        "modules_pending 0",
    ]


def test_a_neutralised_copy_in_an_upgrade():
    assert read(BASE, row(pending=3, neutralized=True))[1:] == ["neutralized 1", "modules_pending 3"]


@pytest.mark.parametrize(
    ("base", "version"),
    [
        ("15.0.1.3", "15.0"),
        ("19.0.1.3", "19.0"),
        ("saas~18.2.1.3", "saas~18.2"),
        ("saas-17.4.1.3", "saas-17.4"),
        ("18.0", "18.0"),
        ("18.0+e.1.3", "18.0"),
    ],
)
def test_the_series_is_what_comes_before_the_modules_own_version(base: str, version: str):
    assert info(base) == f"info{{version={version!r},base={base!r}}} 1"


@pytest.mark.parametrize(
    "base",
    [
        "",
        "18",
        "eighteen",
        'x"} 1\nevil 1',
        "18.0.1.3<script>",
        "18.0" + ".1" * 30,
        "9" * 64,
        "18.0.1.3\n",
        "\uff11\uff18.0.1.3",
    ],
)
def test_a_version_in_another_form_is_unknown(base: str):
    assert info(base) == "info{version='unknown',base='unknown'} 1"


def test_a_database_that_is_being_created_has_no_version():
    assert read(BASE, row(None, pending=120)) == ["neutralized 0", "modules_pending 120"]
