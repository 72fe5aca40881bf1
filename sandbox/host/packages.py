"""What has to be installed on a Debian-family host, and apt's side of it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox.deadline import Deadline, keep_trying
from sandbox.errors import CommandError, HostError
from sandbox.events import Listener, Notice, StepOutput
from sandbox.host.actions import Action, Command
from sandbox.host.facts import KEYRINGS, HostFacts
from sandbox.host.journal import Journal, Kind
from sandbox.host.privilege import Root, run_as_root
from sandbox.host.system import IncusSource
from sandbox.run import run

SOURCE_FILE = Path("/etc/apt/sources.list.d/sandbox-backports.sources")
APT_ENV = (("DEBIAN_FRONTEND", "noninteractive"), ("LC_ALL", "C.UTF-8"))
LOCK_WAIT_S = 300
WANTED = (
    "incus-base",
    "incus-client",
    "dnsmasq-base",
    "nftables",
    "btrfs-progs",
    "mmdebstrap",
    "debian-archive-keyring",
    "openssh-client",
    "zstd",
)
"""What the package `incus` adds to incus-base is QEMU, for virtual machines: not needed here."""
_INSTALL_TIMEOUT_S = 1800.0
_FORMAT = "$(REPO_URI)|$(RELEASE)|$(CODENAME)|$(LABEL)|$(COMPONENT)"
_COLUMNS = 5
_INSTALLED = re.compile(r"^Inst (\S+) (\[)?", re.MULTILINE)
_LOCKED = re.compile(r"Could not get lock|Unable to acquire|lock was locked by another")
_REMOVED = re.compile(r"^(?:Remv|Purg) (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class AptFacts:
    """What apt and dpkg say of themselves."""

    interrupted: bool
    """dpkg was cut off in the middle."""
    archive_uri: str
    """Where this host gets its own release from; empty when that cannot be told."""
    backports: bool
    """A backports source of this release is configured."""


def missing_packages(host: HostFacts) -> tuple[str, ...]:
    """The packages that bring what this host lacks: judged by what is there, whoever made it."""
    there = {
        "incus-base": host.incusd is not None,
        "incus-client": "incus" in host.commands,
        "dnsmasq-base": "dnsmasq" in host.commands,
        "nftables": bool({"nft", "iptables"} & host.commands),
        "btrfs-progs": "btrfs" in host.commands or not host.kernel_btrfs,
        "mmdebstrap": "mmdebstrap" in host.commands,
        "debian-archive-keyring": host.debian_keyring,
        "openssh-client": "ssh-keygen" in host.commands,
        "zstd": "zstd" in host.commands,
    }
    return tuple(package for package in WANTED if not there[package])


def install_words(missing: tuple[str, ...], host: HostFacts) -> tuple[str, ...]:
    """What to tell apt: on Debian 12, Incus itself comes from backports and nothing else does."""
    if host.distribution.incus_source is not IncusSource.BACKPORTS:
        return missing
    release = f"{host.distribution.codename}-backports"
    return tuple(
        f"{name}/{release}" if name in ("incus-base", "incus-client") else name for name in missing
    )


def parse_targets(text: str, codename: str) -> tuple[str, bool]:
    """The archive's URI and whether backports are configured, of `apt-get indextargets`' lines."""
    archive, backports = "", False
    for line in text.splitlines():
        columns = line.split("|")
        if len(columns) != _COLUMNS:
            continue
        uri, release, code, label, component = columns
        if component != "main":
            continue
        if f"{codename}-backports" in (release, code):
            backports = True
        # Before the first `apt-get update` apt knows neither code name nor label
        elif codename in (release, code) and label in ("Debian", "", "$(LABEL)"):
            archive = archive or uri.rstrip("/")
    return archive, backports


def source_text(archive_uri: str, codename: str, keyring: Path) -> str:
    """The backports source, from where this host gets its own release from."""
    return (
        "# Made by `sandbox host setup`: Incus for this release comes from backports.\n"
        "Types: deb\n"
        f"URIs: {archive_uri}\n"
        f"Suites: {codename}-backports\n"
        "Components: main\n"
        f"Signed-By: {keyring}\n"
    )


def ask_apt(codename: str) -> AptFacts:
    """Ask apt and dpkg.

    Raises:
        HostError: they do not answer.
    """
    try:
        targets = run(
            ("apt-get", "indextargets", "--format", _FORMAT, "Created-By: Packages"), timeout_s=30
        ).stdout
        audit = run(("dpkg", "--audit"), timeout_s=30).stdout
    except CommandError as error:
        raise HostError("apt does not work on this host", details=error.details) from error
    archive, backports = parse_targets(targets, codename)
    updates = Path("/var/lib/dpkg/updates")
    half_done = updates.is_dir() and any(item.name.isdigit() for item in updates.iterdir())
    return AptFacts(bool(audit.strip()) or half_done, archive, backports)


def plan_packages(
    host: HostFacts, apt: Callable[[], AptFacts], half_installed: tuple[str, ...] = ()
) -> list[Action]:
    """What has to be installed, and before it: the source, and the mending of an interrupted dpkg.

    Args:
        host: this host.
        apt: asked only when something is missing.
        half_installed: what a run that was cut off meant to install. Its commands may be there
            already, unpacked and not configured.

    Raises:
        HostError: we do not install packages on this distribution, or cannot tell from where.
    """
    lacking = missing_packages(host)
    missing = tuple(name for name in WANTED if name in lacking or name in half_installed)
    if not missing:
        return []
    source = host.distribution.incus_source
    if source is IncusSource.ELSEWHERE or "apt-get" not in host.commands:
        if not {"incus-base", "incus-client"} & set(missing):
            # What else is missing is only a convenience there; doctor speaks of it
            return []
        raise HostError(
            f"sandbox does not install Incus on {host.distribution.name}",
            details=f"missing: {', '.join(missing)}",
            hint=host.distribution.advice,
        )
    facts = apt()
    words = install_words(missing, host)
    *repair, installation = plan_install(missing, words, facts)
    if source is IncusSource.BACKPORTS and words != missing and not facts.backports:
        return [*repair, _add_source(facts, host.distribution.codename), installation]
    return [*repair, installation]


def plan_install(missing: tuple[str, ...], words: tuple[str, ...], facts: AptFacts) -> list[Action]:
    """Install `missing`, told to apt as `words`; mend an interrupted dpkg before."""
    installation = Action(
        Kind.PACKAGES,
        f"install {', '.join(missing)} and what they need",
        (Command(("apt-get", "update")), Command(install_argv(words))),
        missing,
    )
    return [_repair(), installation] if facts.interrupted else [installation]


def install_argv(words: tuple[str, ...]) -> tuple[str, ...]:
    """The apt-get line that installs `words` and asks nothing."""
    return ("apt-get", "install", "--yes", "--no-install-recommends", *_apt_options(), *words)


def _apt_options() -> tuple[str, ...]:
    # Another apt may be at work (unattended-upgrades): wait for it. Changed settings stay
    return ("-o", f"DPkg::Lock::Timeout={LOCK_WAIT_S}", "-o", "Dpkg::Options::=--force-confold")


def _repair() -> Action:
    finish = ("apt-get", "install", "--yes", "--fix-broken", "--no-install-recommends")
    return Action(
        Kind.REPAIR,
        "finish what an interrupted dpkg left undone",
        (Command(("dpkg", "--configure", "-a")), Command((*finish, *_apt_options()))),
    )


def _add_source(facts: AptFacts, codename: str) -> Action:
    if not facts.archive_uri:
        raise HostError(
            f"cannot tell where this host gets {codename} from, so where its backports are",
            details="`apt-get indextargets` names no source for it",
            hint=f"add a source for {codename}-backports yourself, then run the command again",
        )
    keyring = next((path for path in KEYRINGS if path.exists()), KEYRINGS[0])
    text = source_text(facts.archive_uri, codename, keyring)
    path = str(SOURCE_FILE)
    return Action(Kind.SOURCE, f"write {path}", names=(path,), content=text)


def add_source(action: Action, root: Root, journal: Journal) -> None:
    """Write the backports source.

    Raises:
        HostError: it cannot be written.
    """
    journal.intend(Kind.SOURCE, action.names)
    run_as_root(root, ("tee", action.names[0]), stdin=action.content)
    journal.done(Kind.SOURCE)


def repair(root: Root, listener: Listener, log: Path) -> None:
    """Finish an interrupted dpkg, once no other apt is at work.

    Raises:
        HostError: dpkg cannot be brought in order.
    """
    configure, fix = (root.argv(*command.argv, env=APT_ENV) for command in _repair().commands)
    try:
        # Packages that need one which was cut off while unpacking stop it: apt comes next
        _patiently(configure, listener, log, check=False)
        _patiently(fix, listener, log)
    except CommandError as error:
        raise _failed(error, "dpkg cannot be brought in order", log) from error


def install(
    words: tuple[str, ...], root: Root, journal: Journal, listener: Listener, log: Path
) -> None:
    """Install the packages, and keep the names of all that are new.

    Raises:
        HostError: apt failed.
    """
    try:
        _patiently(root.argv("apt-get", "update", env=APT_ENV), listener, log)
        simulated = run((*install_argv(words), "--simulate"), timeout_s=120, env=dict(APT_ENV))
        journal.intend(Kind.PACKAGES, new_packages(simulated.stdout))
        _patiently(root.argv(*install_argv(words), env=APT_ENV), listener, log)
    except CommandError as error:
        raise _failed(error, "apt could not install what is needed", log) from error
    journal.done(Kind.PACKAGES)


def _patiently(argv: tuple[str, ...], listener: Listener, log: Path, *, check: bool = True) -> None:
    """Run apt or dpkg; wait while another one is at work (one may outlive a killed setup)."""
    told = False

    def is_locked(error: CommandError) -> bool:
        nonlocal told
        # DPkg::Lock::Timeout covers neither dpkg itself nor the lock of apt's lists
        if not _LOCKED.search(error.stderr):
            return False
        if not told:
            listener(Notice("host", "another apt is at work; waiting for it to end"))
            told = True
        return True

    try:
        keep_trying(
            lambda: run(
                argv,
                timeout_s=_INSTALL_TIMEOUT_S,
                log=log,
                on_line=lambda line: listener(StepOutput("host", line)),
            ),
            Deadline(LOCK_WAIT_S),
            despite=CommandError,
            every_s=1,
            again=is_locked,
        )
    except CommandError:
        if check:
            raise


def new_packages(simulation: str) -> tuple[str, ...]:
    """What `apt-get install --simulate` would install anew; an upgrade (`[old version]`) is not."""
    return tuple(name for name, upgrade in _INSTALLED.findall(simulation) if not upgrade)


def remove(names: tuple[str, ...], root: Root, listener: Listener, log: Path) -> tuple[str, ...]:
    """Purge `names`, unless that would take along what somebody else installed since.

    Returns:
        The packages that would have been taken along; nothing was removed then.

    Raises:
        HostError: apt failed.
    """
    installed = _still_installed(names)
    if not installed:
        return ()
    if ask_apt("").interrupted:
        repair(root, listener, log)
    purge = ("apt-get", "purge", "--yes", *_apt_options())
    try:
        simulated = run((*purge, "--simulate", *installed), timeout_s=120, env=dict(APT_ENV))
        others = tuple(sorted(set(_REMOVED.findall(simulated.stdout)) - set(names)))
        if not others:
            _patiently(root.argv(*purge, *installed, env=APT_ENV), listener, log)
    except CommandError as error:
        raise _failed(error, "apt could not remove the packages", log) from error
    return others


def remove_source(path: str, root: Root) -> None:
    """Remove the source that we added.

    Raises:
        HostError: it cannot be removed.
    """
    run_as_root(root, ("rm", "-f", path))


def _still_installed(names: tuple[str, ...]) -> tuple[str, ...]:
    form = "${Package} ${db:Status-Status}\\n"
    done = run(("dpkg-query", "-W", "-f", form, *names), timeout_s=30, check=False)
    states = (line.split() for line in done.stdout.splitlines())
    gone = ("not-installed", "config-files")
    return tuple(state[0] for state in states if len(state) > 1 and state[1] not in gone)


def _failed(error: CommandError, message: str, log: Path) -> HostError:
    return HostError(
        message,
        details=f"{error.details}\n(full log: {log})",
        hint="mend what apt complains of, then run the same command again: it goes on from here",
    )
