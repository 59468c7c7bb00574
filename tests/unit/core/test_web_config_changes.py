"""The web configuration file is read again when it changes; what is bad, or takes protection away, is not taken up."""

from __future__ import annotations

import bcrypt
import pytest

from closewatch.core.web.webconfig import WebConfig
from tests.server.web.certificates import Authority
from tests.unit.core.web_configs import CERTIFICATE, HASH, write


def test_a_changed_password_is_taken_up(folder):
    other = bcrypt.hashpw(b"other", bcrypt.gensalt(4)).decode()
    config = WebConfig(write(folder, f"basic_auth_users: {{a: {HASH}}}"))
    assert config.current() is config.current()
    write(folder, f"basic_auth_users: {{a: {other}}}")
    assert config.current().users == {"a": other}
    assert config.ok


@pytest.mark.parametrize(
    "bad", ["", "basic_auth_users: {a: plain}", "tls_server_config: {cert_file: x, key_file: y}", "[", None]
)
def test_a_bad_new_file_keeps_the_old_one_until_it_is_repaired(folder, bad):
    path = write(folder, f"basic_auth_users: {{a: {HASH}}}")
    config = WebConfig(path)
    path.unlink() if bad is None else write(folder, bad)
    assert config.current().users == {"a": HASH}
    assert not config.ok
    write(folder, f"basic_auth_users: {{b: {HASH}}}")
    assert config.ok
    assert config.current().users == {"b": HASH}


def test_a_bad_file_is_read_once_and_not_at_every_request(folder, monkeypatch):
    from closewatch.core.web import webconfig

    config = WebConfig(write(folder, f"basic_auth_users: {{a: {HASH}}}"))
    read, times = webconfig.read, []

    def counting(path):
        times.append(path)
        return read(path)

    monkeypatch.setattr(webconfig, "read", counting)
    write(folder, "[")
    for _ in range(5):
        config.current()
    assert len(times) == 1


def test_a_certificate_that_comes_before_its_key_is_taken_up_with_the_key(folder):
    authority = Authority(folder)
    config = WebConfig(write(folder, f"tls_server_config:\n  {CERTIFICATE}"))
    first = config.current().context
    certificate, key = authority.issue("next")
    certificate.rename(folder / "tls.crt")
    assert config.current().context is first
    assert not config.ok
    key.rename(folder / "tls.key")
    assert config.ok
    assert config.current().context is not first


def test_files_that_a_new_configuration_names_are_watched_though_it_is_bad_for_now(folder):
    config = WebConfig(write(folder, f"tls_server_config:\n  {CERTIFICATE}"))
    write(folder, "tls_server_config: {cert_file: later.crt, key_file: later.key}")
    assert not config.ok
    Authority(folder).issue("later")
    assert config.ok


def test_a_file_behind_a_changing_link_is_taken_up(folder):
    """As Kubernetes mounts a Secret: the link to the folder changes, the names stay."""
    authority = Authority(folder)
    for name in ("one", "two"):
        (folder / name).mkdir()
        for path in authority.issue("tls"):
            path.rename(folder / name / path.name)
    (folder / "data").symlink_to("one")
    config = WebConfig(write(folder, "tls_server_config: {cert_file: data/tls.crt, key_file: data/tls.key}"))
    first = config.current().context
    (folder / "data.new").symlink_to("two")
    (folder / "data.new").rename(folder / "data")
    assert config.current().context is not first
    assert config.ok


def test_a_running_server_does_not_take_protection_away(folder):
    text = (
        f"tls_server_config:\n  {CERTIFICATE}  client_auth_type: RequireAndVerifyClientCert\n"
        f"  client_ca_file: clients.crt\n  client_allowed_sans: [a]\nbasic_auth_users: {{a: {HASH}}}\n"
    )
    config = WebConfig(write(folder, text))
    for less in (
        f"basic_auth_users: {{a: {HASH}}}",
        text.replace(f"basic_auth_users: {{a: {HASH}}}", ""),
        text.replace("  client_allowed_sans: [a]\n", ""),
        f"tls_server_config:\n  {CERTIFICATE}basic_auth_users: {{a: {HASH}}}",
    ):
        write(folder, less)
        settings = config.current()
        assert settings.context is not None
        assert settings.users
        assert settings.certificate_required
        assert settings.allowed_sans
        assert not config.ok
    write(folder, text)
    assert config.ok
