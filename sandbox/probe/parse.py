"""Make facts of what the probe printed."""

import base64
import binascii
import hashlib
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Literal, TypeVar

from sandbox.probe.facts import (
    Account,
    AuthorizedKey,
    Facts,
    Identity,
    Machine,
    NotSeen,
    Os,
    ProbeRun,
    Service,
    SshDaemon,
    SystemLocale,
    Timezone,
)
from sandbox.probe.facts_setup import ConfigFile
from sandbox.probe.frame import Frame
from sandbox.probe.parse_ports import parse_ports
from sandbox.probe.parse_r import parse_r
from sandbox.probe.parse_setup import (
    half_installed,
    parse_certificates,
    parse_configs,
    parse_fonts,
    parse_linked,
    parse_odbc,
    parse_system_packages,
    parse_tools,
    parse_units,
    parse_user_libraries,
    system_versions,
)
from sandbox.probe.parse_shiny import parse_shiny_server
from sandbox.probe.readers import reading
from sandbox.probe.shapes import checked

# `ssh-keygen -l` of the two public keys that Vagrant ships (keys/vagrant.pub)
_VAGRANT_FINGERPRINTS = frozenset(
    {
        "SHA256:1M4RzhMyWuFS/86uPY/ce2prh/dVTHW7iD2RhpquOZA",
        "SHA256:WkvqjnyPAeC0cbPErYiGP9vqHdgL1MqqvPdIe3lvHgI",
    }
)

_PEOPLE = range(1000, 60000)
_SERVICE_USERS = ("root", "shiny", "rstudio-server", "rstudio", "www-data")
_ZONEINFO = "/zoneinfo/"

Part = TypeVar("Part")


def parse(frame: Frame) -> Facts:
    """Facts from a complete frame. What is absent in it is None or in `not_seen`.

    Raises:
        SectionError: a section is not as the probe writes it; then nothing is believed.
    """
    frame = checked(frame)
    with reading("r-view"):
        r = parse_r(frame)
    with reading("dpkg"):
        packages, manager = parse_system_packages(frame, (owner for _, owner in r.linked or ()))
    stated = [
        NotSeen(what=what, why=why)
        for section in frame.all("not-seen")
        for what, why in section.pairs()
    ]
    return Facts(
        probe=_believed("run", _run, frame),
        identity=_believed("identity", _identity, frame),
        os=_believed("os-release", _os, frame),
        locale=_believed("locales", _locale, frame),
        timezone=_believed("localtime", _timezone, frame),
        machine=_believed("machine", _machine, frame),
        r=r.installations,
        unresolved_objects=r.unresolved,
        services=_believed("services", _services, frame),
        ports=_believed("ss", parse_ports, frame),
        users=_believed("passwd", _users, frame),
        authorized_keys=_believed("authorized-keys", _authorized_keys, frame),
        sshd=_believed("sshd", _sshd, frame),
        shiny_server=_believed("shiny-server", parse_shiny_server, frame),
        system_packages=packages,
        package_manager=manager,
        tools=_believed("tools", parse_tools, frame),
        odbc_drivers=_believed("odbcinst", parse_odbc, frame),
        fonts=_believed("fonts", parse_fonts, frame),
        ca_bundle=_believed("certificates", parse_certificates, frame),
        configs=_configs(frame, r.code),
        units=_believed("unit", parse_units, frame),
        user_libraries=_believed("user-libraries", parse_user_libraries, frame),
        linked_libraries=parse_linked(r.linked, system_versions(frame)),
        not_seen=(*stated, *half_installed(frame), *r.not_seen, *_root_cut_off(frame)),
    )


def _believed(section: str, parser: Callable[[Frame], Part], frame: Frame) -> Part:
    """A part of the facts, or the name of the section that it cannot be made of."""
    with reading(section):
        return parser(frame)


def _configs(frame: Frame, code: Iterable[ConfigFile]) -> tuple[ConfigFile, ...]:
    found = (*_believed("config", parse_configs, frame), *code)
    return tuple(sorted(found, key=lambda one: one.path))


def _root_cut_off(frame: Frame) -> tuple[NotSeen, ...]:
    """The part that runs as root is a process of its own, and may end on its own."""
    if frame.first("root") is None or frame.first("root-end") is not None:
        return ()
    return (
        NotSeen(what="some of what only root sees", why="the part that ran as root was cut off"),
    )


def _args(frame: Frame, name: str, count: int) -> tuple[str, ...]:
    """The arguments of a section's own line, filled up with empty ones."""
    section = frame.first(name)
    args = section.args if section is not None else ()
    return (*args, *("" for _ in range(count - len(args))))[:count]


def _assignments(lines: Sequence[str]) -> dict[str, str]:
    """`NAME="value"` lines, as in os-release and /etc/default/locale."""
    found: dict[str, str] = {}
    for line in lines:
        name, equals, value = line.strip().partition("=")
        if not equals or name.startswith("#"):
            continue
        # A stray quote: take the value as it stands
        words = [value]
        with suppress(ValueError):
            words = shlex.split(value, comments=True)
        found[name.removeprefix("export ").strip()] = " ".join(words)
    return found


def _int(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _run(frame: Frame) -> ProbeRun:
    user, uid, taken_at = _args(frame, "run", 3)
    root = uid == "0" or frame.first("root") is not None
    return ProbeRun(user=user, privileged=root, taken_at=taken_at)


def _identity(frame: Frame) -> Identity:
    section = frame.first("identity")
    pairs = list(section.pairs()) if section is not None else []
    # The file of a key that nobody uses may be empty
    keys = [_public_key(value) for name, value in pairs if name == "host-key" and value.strip()]
    plain = dict(pairs)
    return Identity(
        hostname=plain.get("hostname", ""),
        machine_id=plain.get("machine-id") or None,
        ssh_host_keys=tuple(sorted(f"{kind} {print_}" for kind, print_, _ in keys)),
    )


def _public_key(line: str) -> tuple[str, str, str]:
    """Type, SHA256 fingerprint as OpenSSH writes it, and comment of a public key line."""
    kind, blob, *comment = line.split(None, 2)
    try:
        raw = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        # Not base64, or not even ASCII
        return kind, "unreadable", " ".join(comment)
    digest = base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")
    return kind, f"SHA256:{digest}", " ".join(comment)


def _os(frame: Frame) -> Os:
    release = _assignments(frame.lines("os-release"))
    kernel, arch, libc, selinux = _args(frame, "uname", 4)
    (virtualization,) = _args(frame, "virtualization", 1)
    return Os(
        id=release.get("ID", ""),
        version=release.get("VERSION_ID", ""),
        codename=release.get("VERSION_CODENAME", ""),
        name=release.get("PRETTY_NAME", ""),
        kernel=kernel,
        arch=arch,
        virtualization=virtualization or None,
        libc=libc or None,
        selinux=selinux or None,
    )


def _locale(frame: Frame) -> SystemLocale:
    settings: dict[str, str] = {}
    for section in frame.all("locale-settings"):
        settings |= dict(section.pairs())
    listed = frame.first("locales")
    return SystemLocale(
        settings=settings,
        available=tuple(sorted(line for line in listed.lines if line)) if listed else None,
    )


def _timezone(frame: Frame) -> Timezone:
    values = frame.values("localtime")
    target = values.get("target")
    stated = values.get("etc-timezone") or None
    name = stated
    # The link as it stands: where it ends may be an alias's real name (Etc/UTC is a link itself)
    for path in (target or "", values.get("resolved", "")):
        if _ZONEINFO in path:
            name = path.partition(_ZONEINFO)[2]
            break
    return Timezone(
        name=name,
        localtime_target=target,
        localtime_is_symlink=target is not None,
        etc_timezone=stated,
    )


def _machine(frame: Frame) -> Machine:
    section = frame.first("machine")
    rows = [line.split("\t") for line in section.lines] if section is not None else []
    found = {row[0]: row[1:] for row in rows if len(row) > 1 and row[0] != "mount"}
    # The last mount on a place is the one that shows
    mounts = {row[1]: row[2] for row in rows if row[0] == "mount"}
    options = mounts.get("/tmp", mounts.get("/"))  # noqa: S108  (a name in a table)
    memory_kb = _int(next(iter(found.get("memory-kb", [])), None))
    if memory_kb is None:
        memory_kb = _int(frame.values("hidden-memory").get("memory-kb"))
    disk_kb = [_int(text) for text in found.get("disk-kb", [])]
    size_kb, free_kb = disk_kb if len(disk_kb) == 2 else (None, None)  # noqa: PLR2004
    return Machine(
        cpus=_int(next(iter(found.get("cpus", [])), None)),
        memory_mb=memory_kb // 1024 if memory_kb is not None else None,
        disk_mb=size_kb // 1024 if size_kb is not None else None,
        disk_free_mb=free_kb // 1024 if free_kb is not None else None,
        tmp_mount_options=tuple(options.split(",")) if options else None,
    )


def _services(frame: Frame) -> tuple[Service, ...] | None:
    section = frame.first("services")
    if section is None:
        return None
    found: dict[str, Service] = {}
    for block in section.text.split("\n\n"):
        values = dict(line.partition("=")[::2] for line in block.splitlines())
        name = values.get("Id", "")
        if not name or values.get("LoadState") == "not-found":
            continue
        pid = _int(values.get("MainPID"))
        found[name] = Service(
            name=name,
            load=values.get("LoadState", ""),
            active=values.get("ActiveState", ""),
            sub=values.get("SubState", ""),
            enabled=values.get("UnitFileState", ""),
            restart=values.get("Restart", ""),
            main_pid=pid or None,
        )
    return tuple(found[name] for name in sorted(found))


def _users(frame: Frame) -> tuple[Account, ...]:
    by_gid, by_member = _groups(frame)
    passwords = frame.values("shadow")
    sudo = frame.values("sudo") if frame.first("sudo") is not None else None
    root = frame.first("root") is not None
    accounts = []
    for line in frame.lines("passwd"):
        fields = line.split(":")
        if len(fields) != 7 or not fields[2].isdecimal():  # noqa: PLR2004  (passwd(5))
            continue
        name, _, uid, gid, _, home, shell = fields
        password = _password(passwords.get(name))
        wanted = int(uid) in _PEOPLE or name in _SERVICE_USERS
        # A system account that a password (or none) opens is one to know of
        if not wanted and password not in ("set", "empty"):
            continue
        own = {*by_gid.get(gid, ()), *by_member.get(name, ())}
        accounts.append(
            Account(
                name=name,
                uid=int(uid),
                gid=int(gid),
                home=home,
                shell=shell,
                groups=tuple(sorted(own)),
                password=password,
                sudo=_may_sudo(name, sudo, root=root),
            )
        )
    return tuple(sorted(accounts, key=lambda account: account.uid))


def _groups(frame: Frame) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The groups by number, and by member: a directory service may know thousands of each."""
    by_gid: dict[str, list[str]] = {}
    by_member: dict[str, list[str]] = {}
    for line in frame.lines("group"):
        fields = line.split(":")
        if len(fields) != 4:  # noqa: PLR2004  (group(5))
            continue
        name, _, gid, members = fields
        by_gid.setdefault(gid, []).append(name)
        for member in members.split(","):
            by_member.setdefault(member, []).append(name)
    return by_gid, by_member


def _password(state: str | None) -> Literal["set", "locked", "empty", "unknown"]:
    match state:
        case "set" | "locked" | "empty":
            return state
        case _:
            return "unknown"


def _may_sudo(name: str, sudo: dict[str, str] | None, *, root: bool) -> bool | None:
    if name == "root":
        return True
    if sudo is None:
        # Root looked, and there is no sudo
        return False if root else None
    return {"yes": True, "no": False}.get(sudo.get(name, ""))


def _authorized_keys(frame: Frame) -> tuple[AuthorizedKey, ...] | None:
    section = frame.first("authorized-keys")
    return tuple(_keys(section.pairs())) if section is not None else None


def _keys(pairs: Iterator[tuple[str, str]]) -> Iterator[AuthorizedKey]:
    for user, line in pairs:
        kind, fingerprint, comment = _public_key(line)
        yield AuthorizedKey(
            user=user,
            type=kind,
            fingerprint=fingerprint,
            comment=comment,
            vagrant_insecure=fingerprint in _VAGRANT_FINGERPRINTS,
        )


def _sshd(frame: Frame) -> SshDaemon | None:
    section = frame.first("sshd")
    if section is None:
        return None
    pairs = [line.lower().partition(" ")[::2] for line in section.lines]
    values = dict(pairs)
    keyboard = values.get("kbdinteractiveauthentication") or values.get(
        "challengeresponseauthentication"
    )
    return SshDaemon(
        password_authentication=values.get("passwordauthentication") == "yes",
        permit_root_login=values.get("permitrootlogin", ""),
        permit_empty_passwords=values.get("permitemptypasswords") == "yes",
        kbd_interactive_authentication=keyboard == "yes",
        ports=tuple(int(value) for name, value in pairs if name == "port" and value.isdecimal()),
    )
