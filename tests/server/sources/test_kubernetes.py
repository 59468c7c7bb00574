"""The Kubernetes API as it is asked: lists in pages, logins that rotate, and every bad day in time with its reason."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

import pytest

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources.kubernetes.access import KubernetesLogin
from closewatch.sources.kubernetes.api import MAX_ITEMS, PAGE, Kubernetes, TlsSecret
from tests.fixtures.kubeapi import KubeApi

GROUP = ("postgresql.cnpg.io", "v1", "clusters")
CLUSTERS = "/apis/postgresql.cnpg.io/v1/clusters"


@pytest.fixture
def kubernetes(kube_api: KubeApi) -> Kubernetes:
    return Kubernetes(KubernetesLogin(kubeconfig=kube_api.kubeconfig))


def soon(seconds: float = 9.0) -> Deadline:
    return Deadline.after(seconds)


def why(ask: Callable[[], object]) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        ask()
    assert "server's own words" not in str(caught.value)
    return caught.value


def fill(api: KubeApi, count: int, namespace: str = "books") -> None:
    for number in range(count):
        api.add_secret(namespace, f"tls-{number:04}", {"tls.crt": b"chain", "tls.key": b"key"})


def test_secrets_of_a_namespace(kube_api: KubeApi, kubernetes: Kubernetes) -> None:
    kube_api.add_secret("books", "web", {"tls.crt": b"chain", "tls.key": b"key"})
    kube_api.add_secret("books", "password", {"tls.crt": b"no"}, type="Opaque")
    kube_api.add_secret("elsewhere", "web", {"tls.crt": b"other"})
    assert kubernetes.tls_secrets(soon(), "books") == [TlsSecret("books", "web", b"chain", "1000")]
    assert {one.namespace for one in kubernetes.tls_secrets(soon(), None)} == {"books", "elsewhere"}
    assert kubernetes.tls_secrets(soon(), "empty") == []


def test_secrets_by_label(kube_api: KubeApi, kubernetes: Kubernetes) -> None:
    kube_api.add_secret("books", "a", {"tls.crt": b"a"}, labels={"app": "odoo", "tier": "web"})
    kube_api.add_secret("books", "b", {"tls.crt": b"b"}, labels={"app": "odoo", "tier": "test"})
    kube_api.add_secret("books", "c", {"tls.crt": b"c"})
    assert [one.name for one in kubernetes.tls_secrets(soon(), "books", "app=odoo,tier!=test")] == ["a"]


@pytest.mark.parametrize(
    "data", [{}, {"tls.crt": "%%%"}, {"tls.crt": None}, None], ids=["none", "text", "null", "no data"]
)
def test_a_secret_without_a_certificate_is_there_and_empty(
    kube_api: KubeApi, kubernetes: Kubernetes, data: object
) -> None:
    kube_api.add_secret("books", "web", {})["data"] = data
    assert [(one.name, one.certificate) for one in kubernetes.tls_secrets(soon(), "books")] == [("web", b"")]


def test_many_are_read_in_pages_over_one_connection(kube_api: KubeApi, kubernetes: Kubernetes) -> None:
    fill(kube_api, 2 * PAGE + 1)
    found = kubernetes.tls_secrets(soon(), "books")
    assert len({one.name for one in found}) == 2 * PAGE + 1
    assert (len(kube_api.requests), kube_api.connections) == (3, 1)


def test_what_is_kept_of_a_secret_is_not_its_key(kube_api: KubeApi, kubernetes: Kubernetes) -> None:
    fill(kube_api, 1)
    assert TlsSecret.__slots__ == ("namespace", "name", "certificate", "version")
    assert all(b"key" not in one.certificate for one in kubernetes.tls_secrets(soon(), "books"))


def test_custom_objects(kube_api: KubeApi, kubernetes: Kubernetes) -> None:
    kube_api.add(CLUSTERS, "books", "pg-07", {"status": {"readyInstances": 3}})
    assert [one["metadata"]["name"] for one in kubernetes.objects(soon(), *GROUP, "books")] == ["pg-07"]
    assert kubernetes.object(soon(), *GROUP, "books", "pg-07")["status"] == {"readyInstances": 3}
    assert why(lambda: kubernetes.object(soon(), *GROUP, "books", "gone")).reason is Reason.MISSING


def test_a_name_can_t_leave_its_place(kube_api: KubeApi, kubernetes: Kubernetes) -> None:
    why(lambda: kubernetes.object(soon(), *GROUP, "books", "../../secrets?x=1"))
    assert kube_api.requests[-1][0].endswith("/clusters/..%2F..%2Fsecrets%3Fx%3D1")


def test_an_answer_in_chunks(kube_api: KubeApi, kubernetes: Kubernetes) -> None:
    fill(kube_api, PAGE + 5)
    kube_api.fault("chunked")
    assert len(kubernetes.tls_secrets(soon(), "books")) == PAGE + 5


def test_a_rotated_token_is_read_again(kube_api: KubeApi, kubernetes: Kubernetes) -> None:
    token = kube_api.folder / "token"
    token.write_text("first-token-of-all\n")
    kube_api.write_kubeconfig(user={"tokenFile": "token"})
    kube_api.token = "second-token-of-all"
    assert why(lambda: kubernetes.tls_secrets(soon(), None)).reason is Reason.AUTHENTICATION
    token.write_text(kube_api.token)
    assert kubernetes.tls_secrets(soon(), None) == []


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("401", Reason.AUTHENTICATION),
        ("403", Reason.PERMISSION),
        ("404", Reason.MISSING),
        ("429", Reason.THROTTLED),
        ("500", Reason.SERVER_ERROR),
        ("503", Reason.SERVER_ERROR),
        ("504", Reason.TIMEOUT),
        ("302", Reason.INVALID_ANSWER),
        ("410", Reason.SERVER_ERROR),
        ("hang", Reason.TIMEOUT),
        ("half", Reason.TIMEOUT),
        ("trickle", Reason.TIMEOUT),
        ("cut", Reason.CONNECTION_LOST),
        ("mute", Reason.CONNECTION_LOST),
        ("garbage", Reason.INVALID_ANSWER),
        ("not_json", Reason.INVALID_ANSWER),
        ("cut_json", Reason.INVALID_ANSWER),
        ("array", Reason.INVALID_ANSWER),
        ("number_items", Reason.INVALID_ANSWER),
        ("text_items", Reason.INVALID_ANSWER),
        ("deep", Reason.INVALID_ANSWER),
        ("endless", Reason.INVALID_ANSWER),
        ("huge", Reason.INVALID_ANSWER),
    ],
)
def test_a_bad_answer(kube_api: KubeApi, kubernetes: Kubernetes, fault: str, reason: Reason) -> None:
    fill(kube_api, 3)
    kube_api.fault(fault)
    began = time.monotonic()
    limit = 1.0 if reason is Reason.TIMEOUT else 9.0
    failure = why(lambda: kubernetes.tls_secrets(soon(limit), "books"))
    assert (failure.reason, time.monotonic() - began < limit + 1) == (reason, True)
    kube_api.fault()
    assert len(kubernetes.tls_secrets(soon(), "books")) == 3


def test_a_list_that_expires_on_the_way_is_read_anew_once(kube_api: KubeApi, kubernetes: Kubernetes) -> None:
    fill(kube_api, PAGE + 5)
    kube_api.fault("", "410", "")
    assert len(kubernetes.tls_secrets(soon(), "books")) == PAGE + 5
    kube_api.fault("", "410", "", "410")
    assert why(lambda: kubernetes.tls_secrets(soon(), "books")).reason is Reason.SERVER_ERROR


def test_more_than_anybody_asked_for(kube_api: KubeApi, kubernetes: Kubernetes) -> None:
    for number in range(MAX_ITEMS + 1):
        kube_api.add(CLUSTERS, "books", f"c{number}", {})
    assert why(lambda: kubernetes.objects(soon(60), *GROUP, None)).reason is Reason.INVALID_ANSWER


def test_nothing_listens_and_nobody_answers_the_handshake(kube_api: KubeApi, kubernetes: Kubernetes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = {"server": f"https://127.0.0.1:{silent.getsockname()[1]}", "certificate-authority": "server.pem"}
        kube_api.write_kubeconfig(place)
        assert why(lambda: kubernetes.tls_secrets(soon(0.5), None)).reason is Reason.TIMEOUT
    assert why(lambda: kubernetes.tls_secrets(soon(2), None)).reason is Reason.REFUSED
    kube_api.write_kubeconfig({**place, "server": "https://no-such-host.invalid"})
    assert why(lambda: kubernetes.tls_secrets(soon(3), None)).reason is Reason.UNREACHABLE


def test_a_certificate_that_is_not_trusted_or_for_another_name(kube_api: KubeApi, kubernetes: Kubernetes) -> None:
    place = {"server": f"https://127.0.0.1:{kube_api.port}"}
    kube_api.write_kubeconfig(place)
    assert why(lambda: kubernetes.tls_secrets(soon(), None)).reason is Reason.TLS
    kube_api.write_kubeconfig({**place, "certificate-authority": "server.pem", "tls-server-name": "other.example"})
    assert why(lambda: kubernetes.tls_secrets(soon(), None)).reason is Reason.TLS
    assert kube_api.requests == [], "the token was shown to nobody"


def test_from_several_threads(kube_api: KubeApi, kubernetes: Kubernetes) -> None:
    fill(kube_api, 60)
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(len(kubernetes.tls_secrets(soon(), None)))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [60] * 6


def test_kubernetes_own_client_reads_what_the_stand_in_serves(kube_api: KubeApi) -> None:
    from kubernetes import client

    kube_api.add_secret("books", "web", {"tls.crt": b"chain", "tls.key": b"key"}, labels={"app": "odoo"})
    kube_api.add(CLUSTERS, "books", "pg-07", {"status": {"readyInstances": 3}})
    settings = client.Configuration(host=f"https://127.0.0.1:{kube_api.port}")
    settings.ssl_ca_cert = str(kube_api.folder / "server.pem")
    settings.api_key = {"authorization": f"Bearer {kube_api.token}"}
    with client.ApiClient(settings) as connection:
        listed = client.CoreV1Api(connection).list_namespaced_secret(
            "books", field_selector="type=kubernetes.io/tls", label_selector="app=odoo", limit=50
        )
        clusters = client.CustomObjectsApi(connection).list_namespaced_custom_object(
            GROUP[0], GROUP[1], "books", GROUP[2]
        )
        connection.rest_client.pool_manager.clear()
    assert [(one.metadata.name, one.type, sorted(one.data)) for one in listed.items] == [
        ("web", "kubernetes.io/tls", ["tls.crt", "tls.key"])
    ]
    assert clusters["items"][0]["metadata"]["name"] == "pg-07"
