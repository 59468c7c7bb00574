"""The web configuration file: what is accepted, what is refused with which words, and reading it again."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from closewatch.core.problems import ConfigError
from closewatch.core.web.tls import is_allowed
from closewatch.core.web.webconfig import load
from tests.server.web.certificates import Authority
from tests.unit.core.web_configs import CERTIFICATE, HASH, write

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "web-config.yml"


def refused(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(write(folder, text))
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def test_the_example(folder):
    shutil.copy(EXAMPLE, folder / "web.yml")
    settings = load(folder / "web.yml")
    assert settings.context is not None
    assert settings.context.verify_mode is ssl.CERT_REQUIRED
    assert settings.context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert list(settings.users) == ["prometheus"]
    assert settings.headers["X-Frame-Options"] == "deny"


def test_promtool_accepts_the_example(folder, promtool):
    shutil.copy(EXAMPLE, folder / "web.yml")
    subprocess.run([promtool, "check", "web-config", folder / "web.yml"], check=True, capture_output=True)


def test_hashes_are_not_printed(folder):
    settings = load(write(folder, f"basic_auth_users: {{a: {HASH}}}"))
    assert HASH not in repr(settings)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "web.yml: the file is empty; expected keys and values in YAML"),
        (
            "tls_config: {}",
            (
                "web.yml:1: tls_config: unknown key; allowed: tls_server_config, http_server_config, basic_auth_users;"
                ' did you mean "tls_server_config"?'
            ),
        ),
        ("basic_auth_users:\n  a: plain-test-secret", "web.yml:2: basic_auth_users.a: expected a bcrypt hash"),
        (
            f"basic_auth_users:\n  a: {HASH.replace('$04$', '$31$')}",
            "web.yml:2: basic_auth_users.a: the cost of the hash must be from 4 to 16; 10 is usual",
        ),
        (
            f"basic_auth_users:\n  'a:b': {HASH}",
            'web.yml:2: basic_auth_users["a:b"]: expected a user name: printable, without a colon',
        ),
        (f"basic_auth_users:\n  a: {HASH}\n  a: {HASH}", "web.yml:3: basic_auth_users.a: this key is here twice"),
        ("tls_server_config:\n  cert_file: tls.crt", "web.yml:1: tls_server_config.key_file: is missing"),
        (
            "tls_server_config:\n  cert_file: no.crt\n  key_file: tls.key",
            "web.yml:2: tls_server_config.cert_file: no.crt: the file does not exist",
        ),
        (
            "tls_server_config:\n  cert_file: tls.crt\n  key_file: tls.crt",
            "web.yml:3: tls_server_config.key_file: tls.crt: holds no private key in PEM form",
        ),
        (
            "tls_server_config:\n  cert_file: tls.key\n  key_file: tls.key",
            "web.yml:2: tls_server_config.cert_file: tls.key: holds no certificate in PEM form",
        ),
        (
            "tls_server_config:\n  cert_file: clients.crt\n  key_file: tls.key",
            "web.yml:3: tls_server_config.key_file: tls.key: the key does not belong to the certificate in cert_file",
        ),
        (
            f"tls_server_config:\n  {CERTIFICATE}  client_auth_type: RequireAnyClientCert",
            (
                'web.yml:4: tls_server_config.client_auth_type: "RequireAnyClientCert": not allowed; allowed: '
                "NoClientCert, RequestClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert"
            ),
        ),
        (
            f"tls_server_config:\n  {CERTIFICATE}  client_auth_type: RequireAndVerifyClientCert",
            "web.yml:1: tls_server_config: client_auth_type RequireAndVerifyClientCert needs client_ca_file",
        ),
        (
            f"tls_server_config:\n  {CERTIFICATE}  client_ca_file: clients.crt",
            "web.yml:1: tls_server_config: client_ca_file needs client_auth_type RequireAndVerifyClientCert",
        ),
        (
            (
                f"tls_server_config:\n  {CERTIFICATE}  client_auth_type: VerifyClientCertIfGiven\n"
                "  client_ca_file: clients.crt\n  client_allowed_sans: [a]"
            ),
            "web.yml:1: tls_server_config: client_allowed_sans needs client_auth_type RequireAndVerifyClientCert",
        ),
        (
            (
                f"tls_server_config:\n  {CERTIFICATE}  client_auth_type: RequireAndVerifyClientCert\n"
                "  client_ca_file: tls.key"
            ),
            "web.yml:5: tls_server_config.client_ca_file: tls.key: holds no certificate in PEM form",
        ),
        (
            f"tls_server_config:\n  {CERTIFICATE}  min_version: TLS13\n  max_version: TLS12",
            "web.yml:1: tls_server_config: min_version is newer than max_version",
        ),
        (
            f"tls_server_config:\n  {CERTIFICATE}  min_version: TLS9",
            'web.yml:4: tls_server_config.min_version: "TLS9": not allowed; allowed: TLS10, TLS11, TLS12, TLS13',
        ),
        (
            f"tls_server_config:\n  {CERTIFICATE}  cipher_suites: [RC4]",
            'web.yml:4: tls_server_config.cipher_suites[0]: "RC4": unknown or unsafe; allowed: TLS_AES_128_GCM_SHA256',
        ),
        (
            "http_server_config:\n  headers: {X-Powered-By: closewatch}",
            'web.yml:2: http_server_config.headers: "X-Powered-By": allowed: Content-Security-Policy,',
        ),
        (
            "http_server_config:\n  headers: {X-Frame-Options: allow}",
            'web.yml:2: http_server_config.headers: "X-Frame-Options": allowed: deny, sameorigin',
        ),
        (
            'http_server_config:\n  headers: {Content-Security-Policy: "a\\nSet-Cookie: b"}',
            'web.yml:2: http_server_config.headers: "Content-Security-Policy": expected plain text on one line',
        ),
    ],
)
def test_what_is_refused_is_said_with_its_place(folder, text, expected):
    (line,) = refused(folder, text)
    assert line.startswith(expected)
    assert "plain-test-secret" not in line
    assert HASH not in line


def test_an_encrypted_key_is_refused_and_nobody_is_asked(folder):
    Authority(folder).issue("locked", password=b"pass phrase")
    assert refused(folder, "tls_server_config: {cert_file: locked.crt, key_file: locked.key}") == [
        (
            "web.yml:1: tls_server_config.key_file: locked.key: the key has a pass phrase;"
            " give one without, readable by this user only"
        )
    ]


def test_cipher_suites_by_their_names_in_go(folder):
    suites = "[TLS_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]"
    text = f"tls_server_config:\n  {CERTIFICATE}  cipher_suites: {suites}\n  prefer_server_cipher_suites: false\n"
    context = load(write(folder, text)).context
    assert context is not None
    names = {suite["name"] for suite in context.get_ciphers() if suite["protocol"] != "TLSv1.3"}
    assert names == {"ECDHE-ECDSA-AES256-GCM-SHA384"}


def test_all_of_go_s_safe_suites_are_known_to_openssl(folder):
    from closewatch.core.web import tls

    for name in tls._SUITES:
        assert load(write(folder, f"tls_server_config:\n  {CERTIFICATE}  cipher_suites: [{name}]\n")).context


def test_headers_that_are_blank_are_not_sent(folder):
    text = "http_server_config: {http2: true, headers: {X-Frame-Options: '', X-XSS-Protection: '0'}}"
    assert load(write(folder, text)).headers == {"X-XSS-Protection": "0"}


@pytest.mark.parametrize(
    ("names", "allowed", "expected"),
    [
        ((("DNS", "a.example"),), (), True),
        ((("DNS", "a.example"),), ("a.example",), True),
        ((("DNS", "b.example"), ("email", "a@b.example")), ("a@b.example",), True),
        ((("URI", "spiffe://x/prometheus"),), ("spiffe://x/prometheus",), True),
        ((("IP Address", "10.0.0.1"),), ("10.0.0.1",), True),
        ((("IP Address", "0:0:0:0:0:0:0:1"),), ("::1",), True),
        ((("DNS", "*.example"),), ("a.example",), False),
        ((("DNS", "a.example"),), ("b.example",), False),
        ((("DirName", "a.example"),), ("a.example",), False),
        ((), ("a.example",), False),
    ],
)
def test_names_of_a_client_certificate_match_exactly(names, allowed, expected):
    assert is_allowed({"subjectAltName": names}, allowed) is expected
