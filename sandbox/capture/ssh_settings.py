"""The user's ssh configuration for a host, as ssh itself reads it.

`ssh -G` has decided which lines count (Include, Match exec), and has replaced variables and tokens
in most values; these are used unchanged. It leaves them in the names of keys and certificates and
in the ProxyCommand: these are replaced here, once, by ssh's own rules.
"""

import getpass
import hashlib
import os
import pwd
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import paramiko

from sandbox.errors import CommandError, HostError, UsageError
from sandbox.run import run

_DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
_NONE = "none"
_ASK_S = 15.0
_VARIABLE_OR_TOKEN = re.compile(r"\$\{(?P<variable>[^}]*)\}|%(?P<token>.)")


@dataclass(frozen=True)
class SshSettings:
    """How to reach one host."""

    alias: str
    """The host as the user typed it, without the user name."""
    hostname: str
    port: int
    user: str
    identity_files: tuple[Path, ...]
    certificate_files: tuple[Path, ...] = ()
    """The certificates that are named; a certificate next to its key needs no naming."""
    identities_only: bool = False
    agent: str | None = None
    """The agent's socket when it is not SSH_AUTH_SOCK; `none` for no agent."""
    jumps: tuple[str, ...] = ()
    """`[user@]host[:port]` of each jump host, the nearest first."""
    proxy_command: str | None = None
    """The command for the user's shell, with ssh's own tokens replaced."""
    passes_socket: bool = False
    """Whether the ProxyCommand only opens a connection, hands it to us, and ends."""
    known_hosts: tuple[Path, ...] = ()
    host_key_alias: str | None = None
    connect_timeout_s: float = 15.0
    config: Path | None = None
    """The ssh_config that was read; jump hosts are read from it too. None: the user's own."""


def settings_of(target: str, config: Path | None = None, port: int | None = None) -> SshSettings:
    """Find the settings for `[USER@]HOST`: from `ssh -G` if ssh is there, else from ~/.ssh/config.

    Args:
        target: `[USER@]HOST`, or `ssh://[USER@]HOST[:PORT]`.
        config: the ssh_config to read instead of the user's own.
        port: like `ssh -p`: it wins over the configuration.

    Raises:
        UsageError: ssh does not understand the name, or the configuration is wrong.
        HostError: ssh took too long to read its configuration.
    """
    if not target or target.startswith("-") or any(char.isspace() for char in target):
        raise UsageError(f"`{target}` is not a host", hint="[USER@]HOST, as ssh takes it")
    if target.startswith("ssh://"):
        target, its_port = host_and_port(target)
        port = its_port if its_port is not None else port
    options = [*(("-F", config) if config is not None else ())]
    options += [*(("-p", str(port)) if port is not None else ())]
    try:
        said = run(("ssh", *options, "-G", "--", target), timeout_s=_ASK_S).stdout
    except CommandError as error:
        if error.returncode == 127:  # noqa: PLR2004  (not installed)
            return _from_file(target, config, port)
        if error.returncode is None:
            raise HostError(
                f"ssh does not get through your configuration of `{target}`",
                details=error.details or error.message,
                hint=f"a command of `Match exec` may hang; try: ssh -G {target}",
            ) from error
        raise UsageError(
            f"ssh does not understand `{target}`", details=error.details or error.message
        ) from error
    return parse_settings(target, said.splitlines(), config)


def host_and_port(word: str) -> tuple[str, int | None]:
    """Split the `[USER@]HOST` and the port of a jump host, which may be an address in brackets."""
    rest = word.removeprefix("ssh://").rstrip("/")
    user, at, host = rest.rpartition("@")
    if host.startswith("["):
        host, _, port = host[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = host.partition(":")
    return f"{user}{at}{host}", int(port) if port.isdecimal() else None


def parse_settings(
    target: str,
    lines: Iterable[str],
    config: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> SshSettings:
    """Read the output of `ssh -G`: one `keyword value` a line.

    Raises:
        UsageError: a value names a variable that is not set.
    """
    found: dict[str, list[str]] = {}
    for line in lines:
        key, _, value = line.strip().partition(" ")
        found.setdefault(key.lower(), []).append(value)

    def one(key: str, otherwise: str = "") -> str:
        return found.get(key, [otherwise])[0]

    alias = target.rpartition("@")[2]
    user = one("user") or getpass.getuser()
    fill = _Filling(
        alias, one("hostname", alias), one("port", "22"), user,
        jump=one("proxyjump"), key_alias=one("hostkeyalias"), environment=environment,
    )  # fmt: skip

    def paths(key: str) -> tuple[Path, ...]:
        names = [name for name in found.get(key, []) if name.lower() != _NONE]
        return tuple(Path(fill.path(name)) for name in names)

    timeout = one("connecttimeout", _NONE)
    known = [*found.get("userknownhostsfile", []), *found.get("globalknownhostsfile", [])]
    proxy = one("proxycommand", _NONE)
    jump = one("proxyjump", _NONE)
    return SshSettings(
        alias=alias,
        hostname=fill.hostname,
        port=int(fill.port),
        user=user,
        identity_files=paths("identityfile"),
        certificate_files=paths("certificatefile"),
        identities_only=one("identitiesonly") == "yes",
        agent=_agent(one("identityagent", "SSH_AUTH_SOCK"), environment),
        jumps=() if jump.lower() == _NONE else tuple(jump.split(",")),
        proxy_command=None if proxy.lower() == _NONE else fill.tokens(proxy),
        passes_socket=one("proxyusefdpass") == "yes",
        known_hosts=tuple(path for names in known for path in _files(names)),
        host_key_alias=one("hostkeyalias") or None,
        connect_timeout_s=float(timeout) if timeout.isdecimal() else 15.0,
        config=config,
    )


def _agent(said: str, environment: Mapping[str, str]) -> str | None:
    """The socket of the agent; None for that of SSH_AUTH_SOCK. `$NAME` names a variable."""
    if said == "SSH_AUTH_SOCK":
        return None
    if said.startswith("$") and not said.startswith("${"):
        return environment.get(said[1:], _NONE)
    return _with_home(said)


def _with_home(text: str) -> str:
    """Expand `~` and `~USER` like ssh: by the list of users, not by HOME."""
    found = re.match(r"~([^/]*)", text)
    if found is None:
        return text
    with suppress(KeyError):
        user = pwd.getpwnam(found[1]) if found[1] else pwd.getpwuid(os.getuid())
        return user.pw_dir + text[found.end() :]
    return str(Path.home()) + text[found.end() :] if not found[1] else text


def _files(names: str) -> Iterator[Path]:
    """Split a list of files in which ssh puts blanks between names but does not quote them."""
    words = names.split(" ")
    while words:
        # The longest name of a file that exists, else the first word
        for count in range(len(words), 0, -1):
            path = Path(_with_home(" ".join(words[:count])))
            if count == 1 or path.is_file():
                if words[0] and words[0] != _NONE:
                    yield path
                words = words[count:]
                break


class _RawConfig(paramiko.SSHConfig):
    """The settings with values as the user wrote them; then replaced as for `ssh -G`."""

    TOKENS_BY_CONFIG_KEY = {  # noqa: RUF012  (so it is declared there)
        key: paramiko.SSHConfig.TOKENS_BY_CONFIG_KEY[key] for key in ("hostname", "match-exec")
    }


def _from_file(target: str, chosen: Path | None, port: int | None) -> SshSettings:
    """Read ~/.ssh/config with paramiko's own reader, which knows no Include."""
    user, _, alias = target.rpartition("@")
    path = chosen if chosen is not None else Path(_with_home("~/.ssh/config"))
    said: Mapping[str, object] = {}
    if path.is_file():
        try:
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
            said = _RawConfig.from_text(text).lookup(alias)
        except (paramiko.SSHException, OSError) as error:
            raise UsageError(f"{path} is wrong: {error}") from error
    # As in ssh: the command line comes first, and the first value counts
    lines = [f"user {user}"] if user else []
    lines += [f"port {port}"] if port is not None else []
    for key, value in said.items():
        values = value if isinstance(value, list) else [str(value)]
        lines += [f"{key} {each}" for each in values]
    if "identityfile" not in said:
        lines += [f"identityfile ~/.ssh/{name}" for name in _DEFAULT_KEYS]
    if "userknownhostsfile" not in said:
        lines += ["userknownhostsfile ~/.ssh/known_hosts /etc/ssh/ssh_known_hosts"]
    return parse_settings(target, lines, chosen)


@dataclass(frozen=True)
class _Filling:
    """The tokens in ssh's values, by ssh_config(5), TOKENS."""

    alias: str
    hostname: str
    port: str
    user: str
    jump: str
    key_alias: str
    environment: Mapping[str, str]

    def path(self, text: str) -> str:
        """Expand a file's name: `~`, `%` and `${NAME}`, each once, and nothing in the replacements.

        Raises:
            UsageError: a variable is not set; ssh refuses that too.
        """
        known = self._tokens()

        def put_in(found: re.Match[str]) -> str:
            name = found["variable"]
            if name is None:
                return known.get(found["token"], found[0])
            if name not in self.environment:
                raise UsageError(
                    f"`{text}` in your ssh configuration needs {name}, which is not set",
                    hint=f"export {name}=...",
                )
            return self.environment[name]

        return _VARIABLE_OR_TOKEN.sub(put_in, _with_home(text))

    def tokens(self, text: str) -> str:
        """Expand a command: `%` only, because the shell does the rest."""
        known = self._tokens()
        return re.sub("%(.)", lambda found: known.get(found[1], found[0]), text)

    def _tokens(self) -> dict[str, str]:
        here = socket.gethostname()
        jump = "" if self.jump.lower() == _NONE else self.jump
        hashed = f"{here}{self.hostname}{self.port}{self.user}".encode("utf-8", "surrogateescape")
        return {
            "%": "%", "h": self.hostname, "n": self.alias, "p": self.port, "r": self.user,
            "j": jump, "k": self.key_alias or self.alias, "d": _with_home("~"),
            "u": getpass.getuser(), "i": str(os.getuid()), "l": here, "L": here.partition(".")[0],
            "C": hashlib.sha1(hashed, usedforsecurity=False).hexdigest(),
        }  # fmt: skip
