"""TLS secrets of Kubernetes, and a whole target as it is configured and scraped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fixtures.kubeapi import KubeApi
from tests.fixtures.watch import Watched
from tests.server.certificates.authority import CA, DAY
from tests.server.certificates.servers import serving, tls


def _target(api: KubeApi, *secrets: dict[str, Any], **more: Any) -> dict[str, Any]:
    login = {"kubeconfig": str(api.kubeconfig)}
    return {"kind": "certificates", "name": "front", "secrets": list(secrets), "kubernetes": login, **more}


def test_each_secret_is_a_place(kube_api: KubeApi, watching: Callable[..., Watched], middle: CA) -> None:
    good, expired = middle.issue(), middle.issue(end=-DAY / 2)
    kube_api.add_secret(
        "acme", "odoo-tls", {"tls.crt": good.chain_pem, "tls.key": good.key_pem}, labels={"app": "odoo"}
    )
    kube_api.add_secret("acme", "old-tls", {"tls.crt": expired.pem, "tls.key": b"x"}, labels={"app": "odoo"})
    kube_api.add_secret("acme", "waiting", {"tls.crt": b"", "tls.key": b""}, labels={"app": "odoo"})
    kube_api.add_secret("other", "elsewhere", {"tls.crt": good.pem, "tls.key": b"x"}, labels={"app": "odoo"})
    kube_api.add_secret("acme", "unlabelled", {"tls.crt": good.pem, "tls.key": b"x"})
    facts = watching(_target(kube_api, {"namespace": "acme", "labels": "app=odoo"})).ask("front")
    assert facts.up
    ends = "certificate_not_after_timestamp_seconds"
    assert facts.one(ends, source="secret", certificate="acme/odoo-tls") == good.not_after
    assert facts.one(ends, source="secret", certificate="acme/old-tls") == expired.not_after
    assert facts.one("certificate_problem", certificate="acme/old-tls", reason="expired") == 1
    assert facts.one("certificate_unreadable", certificate="acme/waiting", reason="empty") == 1
    assert facts.one("certificate_places", source="secret") == 3


def test_a_cluster_that_denies_is_a_place_with_its_reason_and_hides_nothing(
    kube_api: KubeApi, watching: Callable[..., Watched], root: CA, middle: CA, tmp_path: Path
) -> None:
    (tmp_path / "root.pem").write_bytes(root.pem)
    kube_api.token = "another"
    with serving(tls(middle.issue())) as server:
        endpoint = {"address": str(server.address), "name": "web", "hosts": ["localhost"]}
        target = _target(kube_api, {"namespace": "acme"}, endpoints=[endpoint], trust=[str(tmp_path / "root.pem")])
        facts = watching(target).ask("front")
    assert facts.one("certificate_unreadable", certificate="acme", reason="authentication") == 1
    assert facts.one("certificate_verified", source="endpoint", certificate="web") == 1
