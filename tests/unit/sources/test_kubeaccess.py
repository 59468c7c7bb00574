"""Logins to Kubernetes: from a pod and by kubeconfig, and what is refused in words that show nothing of it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources.kubernetes import access as kubeaccess
from closewatch.sources.kubernetes.access import KubernetesLogin, access
from tests.fixtures.kubeapi import _make_certificate

SECRET = "token-that-nobody-sees"


def kubeconfig(
    folder: Path, cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None
) -> KubernetesLogin:
    content = {
        "current-context": "here",
        "contexts": [
            {"name": "here", "context": {"cluster": "it", "user": "me"}},
            {"name": "there", "context": {"cluster": "lost", "user": "me"}},
        ],
        "clusters": [{"name": "it", "cluster": {"server": "https://kube.example:6443/prefix/", **(cluster or {})}}],
        "users": [{"name": "me", "user": {"token": SECRET} if user is None else user}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return KubernetesLogin(kubeconfig=path)


def refusal(login: KubernetesLogin) -> str:
    with pytest.raises(Unavailable) as caught:
        access(login)
    assert caught.value.reason is Reason.SECRET
    assert SECRET not in str(caught.value)
    return caught.value.detail


def test_a_token_and_a_place(tmp_path: Path) -> None:
    found = access(kubeconfig(tmp_path))
    assert (found.host, found.port, found.prefix, found.token) == ("kube.example", 6443, "/prefix", SECRET)
    assert SECRET not in repr(found)


def test_a_client_certificate_as_data_and_as_files(tmp_path: Path) -> None:
    pem = _make_certificate(tmp_path).read_bytes()
    data = base64.b64encode(pem).decode()
    inline = {"client-certificate-data": data, "client-key-data": data}
    assert access(kubeconfig(tmp_path, {"certificate-authority-data": data}, inline)).token == ""
    files = {"client-certificate": "server.pem", "client-key": "server.pem"}
    assert access(kubeconfig(tmp_path, {"certificate-authority": "server.pem"}, files)).token == ""


@pytest.mark.parametrize(
    ("cluster", "user", "words"),
    [
        ({"server": "http://kube.example"}, None, "not an https address"),
        ({"insecure-skip-tls-verify": True}, None, "insecure-skip-tls-verify"),
        ({"proxy-url": "http://proxy"}, None, "proxy-url"),
        ({"certificate-authority": "not-there"}, None, "can't be read"),
        ({"certificate-authority-data": "%%"}, None, "not base64"),
        ({"certificate-authority-data": "YWJj"}, None, "not PEM"),
        ({}, {"exec": {"command": "aws"}}, "'exec'"),
        ({}, {"auth-provider": {}}, "'auth-provider'"),
        ({}, {"username": "me", "password": SECRET}, "'username'"),
        ({}, {"token": f"{SECRET}\r\nHost: x"}, "characters that no token has"),
        ({}, {"tokenFile": "not-there"}, "does not exist"),
        ({}, {"client-certificate-data": "YWJj", "client-key-data": "YWJj"}, "not PEM"),
    ],
)
def test_what_is_refused(tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any] | None, words: str) -> None:
    assert words in refusal(kubeconfig(tmp_path, cluster, user))


@pytest.mark.parametrize(
    "content",
    ["", "[]", "a: [", f"token: {SECRET}: x", "contexts: 3", "current-context: nowhere", "x" * 1_100_000, "\x00"],
)
def test_a_file_that_is_no_kubeconfig(tmp_path: Path, content: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(content)
    assert refusal(KubernetesLogin(kubeconfig=path))


def test_a_file_that_is_no_file(tmp_path: Path) -> None:
    assert "can't be read" in refusal(KubernetesLogin(kubeconfig=tmp_path / "not-there"))
    assert refusal(KubernetesLogin(kubeconfig=tmp_path))
    kubeconfig(tmp_path)
    assert "no such cluster" in refusal(KubernetesLogin(kubeconfig=tmp_path / "kubeconfig", context="there"))


def test_a_context_needs_a_file() -> None:
    with pytest.raises(ValidationError, match="name the file too"):
        KubernetesLogin(context="here")


def test_from_a_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubeaccess, "SERVICE_ACCOUNT", tmp_path)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert "not in a pod" in refusal(KubernetesLogin())
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    assert "can't be read" in refusal(KubernetesLogin())
    _make_certificate(tmp_path).rename(tmp_path / "ca.crt")
    (tmp_path / "token").write_text(SECRET)
    found = access(KubernetesLogin())
    assert (found.host, found.port, found.server_name, found.token) == ("10.96.0.1", 443, "10.96.0.1", SECRET)
    (tmp_path / "token").write_text("another-token-now")
    assert access(KubernetesLogin()).token == "another-token-now"
