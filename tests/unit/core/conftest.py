"""Fixtures of the core's tests."""

from __future__ import annotations

import pytest

from tests.server.web.certificates import Authority


@pytest.fixture
def folder(tmp_path):
    """With tls.crt, tls.key and clients.crt, as the example has them."""
    authority = Authority(tmp_path, "clients")
    authority.issue("tls", "localhost")
    return tmp_path
