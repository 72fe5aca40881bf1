"""Install and remove packages on a Debian-family host, even after apt was interrupted."""

import re
from dataclasses import dataclass
from pathlib import Path

from sandbox.deadline import Deadline, keep_trying
from sandbox.errors import CommandError, HostError
from sandbox.events import Listener, Notice, StepOutput
from sandbox.host.actions import Action, HostCommand
from sandbox.host.journal import ChangeKind, Journal
from sandbox.host.privilege import RootAccess, run_as_root
from sandbox.run import run

APT_ENV = (("DEBIAN_FRONTEND", "noninteractive"), ("LC_ALL", "C.UTF-8"))
LOCK_WAIT_S = 300
_INSTALL_TIMEOUT_S = 1800.0
_FORMAT = "$(REPO_URI)|$(RELEASE)|$(CODENAME)|$(LABEL)|$(COMPONENT)"
_COLUMNS = 5
_INSTALLED = re.compile(r"^Inst (\S+) (\[)?", re.MULTILINE)
_LOCKED = re.compile(r"Could not get lock|Unable to acquire|lock was locked by another")
_REMOVED = re.compile(r"^(?:Remv|Purg) (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class AptFacts:
    """The state of apt and dpkg, as they report it."""

    interrupted: bool
    """dpkg was cut off in the middle."""
    archive_uri: str
    """The archive that this host's release comes from; empty when that cannot be told."""
    backports: bool
    """A backports source of this release is configured."""


def parse_targets(text: str, codename: str) -> tuple[str, bool]:
    """Parse the archive's URI and whether backports are configured, from `apt-get indextargets`."""
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
        # Before the first `apt-get update`, apt knows neither the code name nor the label
        elif codename in (release, code) and label in ("Debian", "", "$(LABEL)"):
            archive = archive or uri.rstrip("/")
    return archive, backports


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


def plan_install(missing: tuple[str, ...], words: tuple[str, ...], facts: AptFacts) -> list[Action]:
    """Install `missing` by the words `words` for apt; first repair an interrupted dpkg."""
    installation = Action(
        ChangeKind.PACKAGES,
        f"install {', '.join(missing)} and what they need",
        (HostCommand(("apt-get", "update")), HostCommand(install_argv(words))),
        missing,
    )
    return [_repair(), installation] if facts.interrupted else [installation]


def install_argv(words: tuple[str, ...]) -> tuple[str, ...]:
    """Write the apt-get line that installs `words` and asks nothing."""
    return ("apt-get", "install", "--yes", "--no-install-recommends", *_apt_options(), *words)


def _apt_options() -> tuple[str, ...]:
    # Another apt may be at work (unattended-upgrades): wait for it. Changed settings stay
    return ("-o", f"DPkg::Lock::Timeout={LOCK_WAIT_S}", "-o", "Dpkg::Options::=--force-confold")


def _repair() -> Action:
    finish = ("apt-get", "install", "--yes", "--fix-broken", "--no-install-recommends")
    return Action(
        ChangeKind.REPAIR,
        "finish what an interrupted dpkg left undone",
        (HostCommand(("dpkg", "--configure", "-a")), HostCommand((*finish, *_apt_options()))),
    )


def add_source(action: Action, root: RootAccess, journal: Journal) -> None:
    """Write the backports source.

    Raises:
        HostError: it cannot be written.
    """
    journal.intend(ChangeKind.SOURCE, action.names)
    run_as_root(root, ("tee", action.names[0]), stdin=action.content)
    journal.done(ChangeKind.SOURCE)


def repair_dpkg(root: RootAccess, listener: Listener, log: Path) -> None:
    """Finish an interrupted dpkg, once no other apt is at work.

    Raises:
        HostError: dpkg cannot be repaired.
    """
    configure, fix = (root.argv(*command.argv, env=APT_ENV) for command in _repair().commands)
    try:
        # Packages that need one which was cut off while unpacking stop it: apt comes next
        _patiently(configure, listener, log, check=False)
        _patiently(fix, listener, log)
    except CommandError as error:
        raise _failed(error, "dpkg cannot be brought in order", log) from error


def install_packages(
    words: tuple[str, ...], root: RootAccess, journal: Journal, listener: Listener, log: Path
) -> None:
    """Install the packages, and return the names of all new ones.

    Raises:
        HostError: apt failed.
    """
    try:
        _patiently(root.argv("apt-get", "update", env=APT_ENV), listener, log)
        simulated = run((*install_argv(words), "--simulate"), timeout_s=120, env=dict(APT_ENV))
        journal.intend(ChangeKind.PACKAGES, new_packages(simulated.stdout))
        _patiently(root.argv(*install_argv(words), env=APT_ENV), listener, log)
    except CommandError as error:
        raise _failed(error, "apt could not install what is needed", log) from error
    journal.done(ChangeKind.PACKAGES)


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
    """List packages that `apt-get install --simulate` adds, without upgrades (`[old version]`)."""
    return tuple(name for name, upgrade in _INSTALLED.findall(simulation) if not upgrade)


def remove_packages(
    names: tuple[str, ...], root: RootAccess, listener: Listener, log: Path
) -> tuple[str, ...]:
    """Purge `names`, unless apt would also remove packages that somebody else installed since.

    Returns:
        The packages that would have been removed too; then nothing was removed.

    Raises:
        HostError: apt failed.
    """
    installed = _still_installed(names)
    if not installed:
        return ()
    if ask_apt("").interrupted:
        repair_dpkg(root, listener, log)
    purge = ("apt-get", "purge", "--yes", *_apt_options())
    try:
        simulated = run((*purge, "--simulate", *installed), timeout_s=120, env=dict(APT_ENV))
        others = tuple(sorted(set(_REMOVED.findall(simulated.stdout)) - set(names)))
        if not others:
            _patiently(root.argv(*purge, *installed, env=APT_ENV), listener, log)
    except CommandError as error:
        raise _failed(error, "apt could not remove the packages", log) from error
    return others


def remove_source(path: str, root: RootAccess) -> None:
    """Remove the source that setup added.

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
