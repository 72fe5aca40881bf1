from pathlib import Path

import pytest

from sandbox.capture import ssh_settings
from sandbox.capture.ssh_settings import host_and_port, parse_settings, settings_of
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


def test_what_ssh_leaves_to_the_login_is_put_in_once() -> None:
    found = parse_settings(
        "prod",
        [
            "hostname 10.0.0.5",
            "user anna",
            "identityfile ${DIR}/%h",
            "identityfile /100%%h/$DIR/~",
            "identityfile none",
            "certificatefile ${DIR}/%n-cert.pub",
        ],
        environment={"DIR": "/%h/${HOME}/my keys"},
    )
    assert found.identity_files == (
        Path("/%h/${HOME}/my keys/10.0.0.5"), Path("/100%h/$DIR/~"),
    )  # fmt: skip
    assert found.certificate_files == (Path("/%h/${HOME}/my keys/prod-cert.pub"),)


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(UsageError, match="needs NOWHERE, which is not set"):
        parse_settings("prod", ["identityfile ${NOWHERE}/key"], environment={})


def test_what_ssh_has_put_in_is_taken_literally(tmp_path: Path) -> None:
    known = tmp_path / "known hosts 100%h"
    known.touch()
    found = parse_settings(
        "prod",
        [
            "hostname 100%h",
            f"userknownhostsfile /a/%h {known} ${{HOME}}/b",
            "identityagent /run/%u agent/${HOME}",
        ],
    )
    assert found.hostname == "100%h"
    assert found.known_hosts == (Path("/a/%h"), known, Path("${HOME}/b"))
    assert found.agent == "/run/%u agent/${HOME}"


def test_a_proxy_command_keeps_what_is_the_shells() -> None:
    line = "proxycommand exec 3>&1; nc '%h' \"$GATE\" ~ ${HOME} 100%% %q"
    found = parse_settings("prod", ["hostname h", line], environment={})
    assert found.proxy_command == "exec 3>&1; nc 'h' \"$GATE\" ~ ${HOME} 100% %q"


@pytest.mark.parametrize(
    ("word", "host", "port"),
    [
        ("gate", "gate", None),
        ("anna@gate:2200", "anna@gate", 2200),
        ("ssh://anna@gate:2200/", "anna@gate", 2200),
        ("anna@[::1]:23", "anna@::1", 23),
        ("[fe80::1]", "fe80::1", None),
        ("user@realm@gate", "user@realm@gate", None),
    ],
)
def test_the_port_of_a_jump_host(word: str, host: str, port: int | None) -> None:
    assert host_and_port(word) == (host, port)


def test_another_agent_or_none() -> None:
    assert parse_settings("prod", []).agent is None
    assert parse_settings("prod", ["identityagent SSH_AUTH_SOCK"]).agent is None
    assert parse_settings("prod", ["identityagent none"]).agent == "none"
    named = {"MY_AGENT": "/run/agent"}
    assert parse_settings("prod", ["identityagent $MY_AGENT"], environment=named).agent == (
        "/run/agent"
    )
    assert parse_settings("prod", ["identityagent $MY_AGENT"], environment={}).agent == "none"


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


def test_without_ssh_what_stands_for_something_else_is_put_in_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_ssh(*_: object, **__: object) -> None:
        raise CommandError("`ssh` is not there", returncode=127)

    monkeypatch.setattr(ssh_settings, "run", no_ssh)
    monkeypatch.setenv("KEYS", "/my keys")
    config = tmp_path / "config"
    config.write_text(
        "Host prod\n  HostName %h.lan\n  IdentityFile ${KEYS}/100%%%h\n"
        "  ProxyCommand nc ~ %h %p 100%%\n  Port 77\n",
        encoding="utf-8",
    )
    found = settings_of("prod", config)
    assert (found.hostname, found.port) == ("prod.lan", 77)
    assert found.identity_files == (Path("/my keys/100%prod.lan"),)
    assert found.proxy_command == "nc ~ prod.lan 77 100%"
    assert settings_of("prod", config, 78).port == 78
