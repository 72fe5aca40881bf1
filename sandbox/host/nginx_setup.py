"""Install nginx for workshops, and take it back. Only the program: no nginx of the system starts.

Debian's package starts a server on port 80 and lets it start with the host. Neither is wanted: a
workshop starts its own. An nginx that somebody else has installed stays as it is.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sandbox.errors import HostError
from sandbox.events import Listener, step
from sandbox.host.actions import Action, HostCommand, Removal
from sandbox.host.apt import (
    ask_apt,
    install_packages,
    plan_install,
    remove_packages,
    repair_dpkg,
)
from sandbox.host.journal import ChangeKind, Journal, host_dir, setup_lock
from sandbox.host.privilege import RootAccess, acquire_root, run_as_root
from sandbox.host.setup import SetupOutcome
from sandbox.host.system import parse_os_release
from sandbox.run import run

SETUP: Final = "sandbox host setup --workshop"
_PACKAGE: Final = "nginx"
_PLACES: Final = ("/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx")
_JOURNAL: Final = "workshop.nginx"
"""No prefix of ours has a dot in it."""
_POLICY: Final = Path("/usr/sbin/policy-rc.d")
_OURS: Final = "# Written by sandbox host setup"


def nginx_program() -> Path | None:
    """Find the program; None where it is not installed."""
    return next((Path(one) for one in _PLACES if os.access(one, os.X_OK)), None)


def set_up_nginx(*, confirm: Callable[[list[str]], bool], listener: Listener) -> SetupOutcome:
    """Install nginx where it is missing, after the user has agreed; can be done again.

    Raises:
        HostError: apt failed, or this is no host whose packages we install.
        BusyError: another setup is at work.
    """
    journal = Journal(_JOURNAL)
    with setup_lock():
        if nginx_program() is not None and not journal.unfinished(ChangeKind.PACKAGES):
            return SetupOutcome.UNCHANGED
        _require_apt()
        actions = _actions()
        is_root = os.geteuid() == 0
        if not confirm([line for action in actions for line in action.lines(is_root=is_root)]):
            return SetupOutcome.DECLINED
        root, log = acquire_root(), host_dir() / "nginx-setup.log"
        for action in actions:
            with step(listener, "host", action.title):
                if action.kind is ChangeKind.REPAIR:
                    repair_dpkg(root, listener, log)
                else:
                    _install(root, journal, listener, log)
        return SetupOutcome.CHANGED


def take_back_nginx(*, confirm: Callable[[list[str]], bool], listener: Listener) -> SetupOutcome:
    """Remove the nginx that `set_up_nginx` installed, after the user has agreed.

    Raises:
        HostError: apt failed, or somebody else's packages need it by now.
        BusyError: another setup is at work.
    """
    journal = Journal(_JOURNAL)
    with setup_lock():
        names = journal.names(ChangeKind.PACKAGES)
        if not journal.has(ChangeKind.PACKAGES):
            return SetupOutcome.UNCHANGED
        removal = Removal(ChangeKind.PACKAGES, "remove the nginx that setup installed", names)
        if not confirm(removal.lines):
            return SetupOutcome.DECLINED
        root, log = acquire_root(), host_dir() / "nginx-setup.log"
        with step(listener, "host", removal.title):
            _drop_policy(root)
            others = remove_packages(names, root, listener, log) if names else ()
        if others:
            raise HostError(
                "other packages need nginx by now: nothing was removed",
                details=" ".join(others),
                hint="remove them first, or leave nginx where it is",
            )
        journal.forget(ChangeKind.PACKAGES)
        return SetupOutcome.CHANGED


def _actions() -> list[Action]:
    found = plan_install((_PACKAGE,), (_PACKAGE,), ask_apt(""))
    *repair, install = found
    quiet = Action(
        install.kind,
        f"{install.title}, without starting it: now or with this host",
        (*install.commands, HostCommand(("update-rc.d", _PACKAGE, "disable"))),
        install.names,
    )
    return [*repair, quiet]


def _install(root: RootAccess, journal: Journal, listener: Listener, log: Path) -> None:
    # An empty entry first: whatever is cut off from here on is done again
    journal.intend(ChangeKind.PACKAGES, ())
    wrote = not _POLICY.exists() or _is_our_policy()
    if wrote:
        run_as_root(root, ("tee", str(_POLICY)), stdin=_policy(os.getpid()))
        run_as_root(root, ("chmod", "755", str(_POLICY)))
    try:
        install_packages((_PACKAGE,), root, journal, listener, log)
    finally:
        if wrote:
            _drop_policy(root)
        else:
            # Somebody has a policy of their own here, which may have let it start
            run(root.argv("service", _PACKAGE, "stop"), timeout_s=60, check=False)
    run_as_root(root, ("update-rc.d", _PACKAGE, "disable"))


def _policy(pid: int) -> str:
    """What Debian asks before it starts a service; says no to nginx while our process is there."""
    return (
        f"#!/bin/sh\n{_OURS}, and of no effect after it has ended\n"
        f'[ -d /proc/{pid} ] || exit 0\ncase " $* " in *" nginx "*) exit 101 ;; esac\nexit 0\n'
    )


def _is_our_policy() -> bool:
    try:
        return _OURS in _POLICY.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _drop_policy(root: RootAccess) -> None:
    if _is_our_policy():
        run_as_root(root, ("rm", "-f", str(_POLICY)))


def _require_apt() -> None:
    path = Path("/etc/os-release")
    found = parse_os_release(path.read_text(encoding="utf-8") if path.exists() else "")
    if not found.is_known:
        raise HostError(
            f"sandbox does not install nginx on {found.name}",
            hint="install nginx yourself, without starting it; then sandbox workshop up",
        )
