from pathlib import Path

import pytest

from sandbox.capture import ssh_settings
from sandbox.capture.ssh_settings import parse_settings, settings_of
from sandbox.errors import CommandError, UsageError


def test_what_ssh_says_is_taken() -> None:
    found = parse_settings(
        "anna@prod",
        [
            "user anna",
            "hostname 10.0.0.5",
            "port 2222",
            "identityfile ~/.ssh/%r_key",
            "identityfile /keys/%h",
            "identitiesonly yes",
            "proxyjump gate,inner:2200",
            "userknownhostsfile ~/.ssh/known_hosts /etc/known",
            "globalknownhostsfile none",
            "hostkeyalias production",
            "connecttimeout 7",
        ],
    )
    assert (found.alias, found.hostname, found.port, found.user) == (
        "prod", "10.0.0.5", 2222, "anna",
    )  # fmt: skip
    assert found.identity_files == (
        Path("~/.ssh/anna_key").expanduser(), Path("/keys/10.0.0.5"),
    )  # fmt: skip
    assert found.identities_only
    assert found.jumps == ("gate", "inner:2200")
    assert found.known_hosts == (Path("~/.ssh/known_hosts").expanduser(), Path("/etc/known"))
    assert found.host_key_alias == "production"
    assert found.connect_timeout_s == 7


def test_a_proxy_command_gets_its_tokens() -> None:
    found = parse_settings("prod", ["hostname h", "port 22", "proxycommand nc -x p %h %p 100%%"])
    assert found.proxy_command == "nc -x p h 22 100%"
    assert parse_settings("prod", ["proxycommand none"]).proxy_command is None


def test_another_agent_or_none() -> None:
    assert parse_settings("prod", []).agent is None
    assert parse_settings("prod", ["identityagent SSH_AUTH_SOCK"]).agent is None
    assert parse_settings("prod", ["identityagent none"]).agent == "none"


@pytest.mark.parametrize("target", ["", "-oProxyCommand=touch /tmp/x", "a b", "a\nb"])
def test_what_is_no_host(target: str) -> None:
    with pytest.raises(UsageError):
        settings_of(target)


def test_without_ssh_the_configuration_is_read_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_ssh(*_: object, **__: object) -> None:
        raise CommandError("`ssh` is not there", returncode=127)

    monkeypatch.setattr(ssh_settings, "run", no_ssh)
    config = tmp_path / "config"
    config.write_text(
        "Host prod\n  HostName 10.1.1.1\n  User anna\n  Port 2200\n  ProxyJump gate\n"
    )
    found = settings_of("prod", config)
    assert (found.hostname, found.user, found.port, found.jumps) == (
        "10.1.1.1", "anna", 2200, ("gate",),
    )  # fmt: skip
    assert settings_of("otto@prod", config).user == "otto"
    assert found.known_hosts
