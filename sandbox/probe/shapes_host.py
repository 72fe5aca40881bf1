"""The shape of what the system says of its services, sockets, accounts and sshd."""

import ipaddress
import re
from collections.abc import Callable

from sandbox.probe.frame import Section
from sandbox.probe.readers import IDS, PORTS, MalformedError, name, plain, row, whole, word

_WORDS = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
# A process names itself as it likes
_SS_PROCESS = re.compile(r'users:\(\(".*",(pid=)?\d{1,10}[,)].*', re.ASCII)
_PROC_ADDRESS = re.compile(r"([0-9A-F]{8}|[0-9A-F]{32}):[0-9A-F]{4}")
_PROC_STATE = re.compile(r"[0-9A-F]{2}")
_LOADED = ("loaded", "not-found", "bad-setting", "error", "masked", "merged", "stub")
_ACTIVE = (
    "active", "reloading", "inactive", "failed", "activating", "deactivating", "maintenance",
    "refreshing",
)  # fmt: skip
_RESTART = (
    "no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always",
)  # fmt: skip
_SERVICE_KEYS = ("Id", "LoadState", "ActiveState", "SubState", "Restart", "MainPID")
_ROOT_LOGIN = ("yes", "no", "prohibit-password", "without-password", "forced-commands-only")

Check = Callable[[Section], None]


def rows(check: Callable[[str], object]) -> Check:
    """A section of which each line that is not empty is alike."""

    def each(section: Section) -> None:
        for line in section.lines:
            if line:
                check(line)

    return each


def check_public_key(text: str) -> None:
    """Type and key; nothing for the file of a key that nobody uses."""
    if text.strip() and len(text.split(None, 2)) < 2:  # noqa: PLR2004  (type and key)
        raise MalformedError("a public key")


def check_services(section: Section) -> None:
    """What `systemctl show` says of each unit, an empty line between two."""
    for block in section.text.split("\n\n"):
        values: dict[str, str] = {}
        for line in block.splitlines():
            key, equals, value = line.partition("=")
            if not equals or key in values or key not in (*_SERVICE_KEYS, "UnitFileState"):
                raise MalformedError("Name=value of a unit")
            values[key] = plain(value, "Name=value of a unit")
        if not values:
            continue
        if missing := [key for key in _SERVICE_KEYS if key not in values]:
            raise MalformedError(f"a unit without {missing[0]}")
        name(values["Id"], "a unit's Id")
        name(values["SubState"], "a unit's SubState", pattern=_WORDS)
        word(values["LoadState"], "a unit's LoadState", of=_LOADED)
        word(values["ActiveState"], "a unit's ActiveState", of=_ACTIVE)
        word(values["Restart"], "a unit's Restart", of=_RESTART)
        whole(values["MainPID"], "a unit's MainPID", within=IDS)
        if state := values.get("UnitFileState"):
            name(state, "a unit's UnitFileState", pattern=_WORDS)


def check_socket(line: str) -> None:
    """A line of `ss`."""
    kind = "a socket"
    fields = line.split(None, 6)
    if len(fields) < 6:  # noqa: PLR2004  (netid, state, two queues, local, peer)
        raise MalformedError(kind)
    word(fields[0], kind, of=("tcp", "udp"))
    name(fields[1], kind, pattern=_WORDS)
    address, _, port = fields[4].rpartition(":")
    # `*`: bound to no port yet
    if port != "*":
        whole(port, "a socket's port", within=PORTS)
    host = address.replace("[", "").replace("]", "").partition("%")[0]
    if host != "*":
        _address(host)
    process = fields[6].strip() if len(fields) > 6 else ""  # noqa: PLR2004
    if process and not _SS_PROCESS.fullmatch(process):
        raise MalformedError("a socket's process")


def _address(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError as error:
        raise MalformedError("a socket's address") from error


def check_kernels_socket(line: str) -> None:
    """A line of /proc/net, or the heads of its columns."""
    if "local_address" in line:
        return
    fields = line.split()
    if len(fields) < 4:  # noqa: PLR2004  (number, local, remote, state)
        raise MalformedError("a socket")
    name(fields[1], "a socket's address", pattern=_PROC_ADDRESS)
    name(fields[3], "a socket's state", pattern=_PROC_STATE)


def check_account(line: str) -> None:
    """A line of passwd(5)."""
    if line.startswith(("+", "-")):
        # "and those of NIS": a file's word, nobody's account
        return
    user, _, uid, gid, _, home, shell = row(
        line, "an account of seven fields", least=7, most=7, separator=":"
    )
    name(user, "an account's name")
    whole(uid, "an account's uid", within=IDS)
    whole(gid, "an account's gid", within=IDS)
    plain(home, "an account's home")
    plain(shell, "an account's shell")


def check_group(line: str) -> None:
    """A line of group(5)."""
    if line.startswith(("+", "-")):
        return
    group, _, gid, _ = row(line, "a group of four fields", least=4, most=4, separator=":")
    name(group, "a group's name")
    whole(gid, "a group's gid", within=IDS)


def states(kind: str, *words: str) -> Check:
    """A section of names, each with one of a few words."""

    def one(line: str) -> None:
        # Of an empty line of /etc/shadow: an account without a name
        _, state = row(line, kind, least=2, most=2)
        word(state, kind, of=words)

    return rows(one)


def check_authorized_key(line: str) -> None:
    """A user, and a key that may log in as that."""
    user, _, key = line.partition("\t")
    name(user, "a key's user")
    if not key.strip():
        raise MalformedError("a user and a key")
    check_public_key(key)


def check_sshd(section: Section) -> None:
    """The settings that `sshd -T` always says."""
    values: dict[str, str] = {}
    for line in section.lines:
        key, _, value = line.lower().partition(" ")
        values[key] = value
        if key == "port":
            whole(value, "sshd's port", within=PORTS)
    for key in ("passwordauthentication", "permitemptypasswords"):
        word(values.get(key, ""), f"sshd's {key}", of=("yes", "no"))
    word(values.get("permitrootlogin", ""), "sshd's permitrootlogin", of=_ROOT_LOGIN)
    if "port" not in values:
        raise MalformedError("sshd's port")
    keyboard = values.get(
        "kbdinteractiveauthentication", values.get("challengeresponseauthentication", "")
    )
    word(keyboard, "sshd's kbdinteractiveauthentication", of=("yes", "no"))
