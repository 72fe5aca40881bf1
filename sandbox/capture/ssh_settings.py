"""What the user's ssh configuration says of a host, as ssh itself reads it."""

import getpass
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import paramiko

from sandbox.errors import CommandError, UsageError
from sandbox.run import run

_DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
_NONE = "none"


@dataclass(frozen=True)
class SshSettings:
    """How to reach one host."""

    alias: str
    """As the user typed it, without the user."""
    hostname: str
    port: int
    user: str
    identity_files: tuple[Path, ...]
    identities_only: bool = False
    agent: str | None = None
    """The agent's socket when it is not that of SSH_AUTH_SOCK; `none` for none."""
    jumps: tuple[str, ...] = ()
    """`[user@]host[:port]`, the nearest first."""
    proxy_command: str | None = None
    known_hosts: tuple[Path, ...] = ()
    host_key_alias: str | None = None
    connect_timeout_s: float = 15.0
    config: Path | None = None
    """The ssh_config that said so; jump hosts are in it too. None: the user's own."""


def settings_of(target: str, config: Path | None = None) -> SshSettings:
    """The settings for `[USER@]HOST`, from `ssh -G` where there is ssh, else from ~/.ssh/config.

    Args:
        target: `[USER@]HOST`.
        config: the ssh_config to read instead of the user's own.

    Raises:
        UsageError: ssh does not understand the name, or the configuration is wrong.
    """
    if not target or target.startswith("-") or any(char.isspace() for char in target):
        raise UsageError(f"`{target}` is not a host", hint="[USER@]HOST, as ssh takes it")
    try:
        file = ("-F", config) if config is not None else ()
        said = run(("ssh", *file, "-G", "--", target), timeout_s=15).stdout
    except CommandError as error:
        if error.returncode == 127:  # noqa: PLR2004  (not installed)
            return _from_file(target, config)
        raise UsageError(
            f"ssh does not understand `{target}`", details=error.details or error.message
        ) from error
    return parse_settings(target, said.splitlines(), config)


def parse_settings(target: str, lines: Iterable[str], config: Path | None = None) -> SshSettings:
    """The settings from what `ssh -G` prints: `keyword value`, one a line."""
    found: dict[str, list[str]] = {}
    for line in lines:
        key, _, value = line.strip().partition(" ")
        found.setdefault(key.lower(), []).append(value)

    def one(key: str, otherwise: str = "") -> str:
        return found.get(key, [otherwise])[0]

    alias = target.rpartition("@")[2]
    hostname, user = one("hostname", alias), one("user") or getpass.getuser()
    tokens = {"h": hostname, "n": alias, "p": one("port", "22"), "r": user}
    timeout = one("connecttimeout", _NONE)
    known = [*found.get("userknownhostsfile", []), *found.get("globalknownhostsfile", [])]
    proxy = one("proxycommand", _NONE)
    jump = one("proxyjump", _NONE)
    agent = one("identityagent", "SSH_AUTH_SOCK")
    return SshSettings(
        alias=alias,
        hostname=hostname,
        port=int(one("port", "22")),
        user=user,
        identity_files=tuple(_path(name, tokens) for name in found.get("identityfile", [])),
        identities_only=one("identitiesonly") == "yes",
        agent=None if agent == "SSH_AUTH_SOCK" else str(_path(agent, tokens)),
        jumps=() if jump == _NONE else tuple(jump.split(",")),
        proxy_command=None if proxy == _NONE else _expanded(proxy, tokens),
        known_hosts=tuple(
            _path(name, tokens) for names in known for name in names.split() if name != _NONE
        ),
        host_key_alias=one("hostkeyalias") or None,
        connect_timeout_s=float(timeout) if timeout.isdecimal() else 15.0,
        config=config,
    )


def _from_file(target: str, chosen: Path | None) -> SshSettings:
    """By paramiko's own reading of ~/.ssh/config, which knows no Include."""
    user, _, alias = target.rpartition("@")
    path = chosen if chosen is not None else Path("~/.ssh/config").expanduser()
    config = paramiko.SSHConfig()
    if path.is_file():
        try:
            config = paramiko.SSHConfig.from_path(str(path))
        except paramiko.ConfigParseError as error:
            raise UsageError(f"{path} is wrong: {error}") from error
    said = config.lookup(alias)
    lines = [f"user {user}"] if user else []
    for key, value in said.items():
        values = value if isinstance(value, list) else [str(value)]
        lines += [f"{key} {each}" for each in values if not (key == "user" and user)]
    if "identityfile" not in said:
        lines += [f"identityfile ~/.ssh/{name}" for name in _DEFAULT_KEYS]
    if "userknownhostsfile" not in said:
        lines += ["userknownhostsfile ~/.ssh/known_hosts /etc/ssh/ssh_known_hosts"]
    return parse_settings(target, lines, chosen)


def _path(name: str, tokens: dict[str, str]) -> Path:
    return Path(_expanded(name, tokens)).expanduser()


def _expanded(text: str, tokens: dict[str, str]) -> str:
    """With the %-tokens of ssh in place; those that we do not know stay as they are."""
    known = {**tokens, "d": str(Path.home()), "u": getpass.getuser(), "%": "%"}
    out, rest = "", text
    while "%" in rest:
        before, _, after = rest.partition("%")
        letter, rest = after[:1], after[1:]
        out += before + known.get(letter, f"%{letter}")
    return out + rest
