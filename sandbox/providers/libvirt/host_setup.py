"""`host setup --provider libvirt`: programs, daemon, group and storage pool, in repeatable steps.

No network is made: machines reach the world through QEMU's own user network, and this host reaches
them on 127.0.0.1. So there is no bridge, no DHCP server and no firewall rule to remove.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sandbox.errors import CommandError, HostError
from sandbox.events import Listener, ignore, step
from sandbox.host.actions import Action, HostCommand
from sandbox.host.apt import AptFacts, ask_apt, install_packages, plan_install, repair_dpkg
from sandbox.host.facts import HostFacts, gather_host
from sandbox.host.groups import is_member
from sandbox.host.journal import ChangeKind, Journal, host_dir, setup_lock
from sandbox.host.privilege import RootAccess, acquire_root, passwordless_root
from sandbox.host.setup import SetupOutcome
from sandbox.providers.libvirt import daemon as libvirt_daemon
from sandbox.providers.libvirt.doctor import (
    GROUP,
    KVM,
    KVM_GROUP,
    POOLS_DIR,
    LibvirtFacts,
    gather_libvirt,
    virsh,
)
from sandbox.run import run


@dataclass(frozen=True)
class LibvirtPlace:
    """The names of our things in libvirt."""

    prefix: str

    @property
    def pool(self) -> str:
        """The storage pool."""
        return self.prefix

    @property
    def pool_path(self) -> Path:
        """Its folder, below libvirt's own: there owner and security labels are right for QEMU."""
        return POOLS_DIR / self.prefix

    @property
    def journal(self) -> Journal:
        """The journal of setup, separate from the one for Incus."""
        return Journal(f"{self.prefix}-libvirt")

    @property
    def log(self) -> Path:
        """The log of the commands of setup and teardown."""
        return host_dir() / f"{self.prefix}-libvirt.log"


@dataclass(frozen=True)
class LibvirtSituation:
    """This host and its libvirt, as they are now."""

    host: HostFacts
    libvirt: LibvirtFacts
    member: bool
    """Whether the person who shall use libvirt may; True where that is root."""


def look_at_libvirt(root: RootAccess | None) -> LibvirtSituation:
    """Gather all facts for the decisions.

    Raises:
        HostError: this host cannot be read.
    """
    host = gather_host()
    return LibvirtSituation(
        host, gather_libvirt(root), host.user is None or is_member(host.user, GROUP)
    )


def missing_for_libvirt(now: LibvirtSituation) -> tuple[str, ...]:
    """List the packages for commands that this host lacks; a command installed by hand counts."""
    found = now.libvirt
    there = {
        "libvirt-daemon-system": bool(found.daemon),
        "libvirt-clients": found.client,
        "qemu-system-x86": found.qemu,
        "vagrant": bool(found.vagrant_text),
        "vagrant-libvirt": found.plugin,
        "debian-archive-keyring": now.host.debian_keyring,
        "openssh-client": "ssh-keygen" in now.host.commands,
    }
    wanted = [package for package, is_there in there.items() if not is_there]
    return tuple(dict.fromkeys((*wanted, *found.missing_tools)))


def plan_setup(
    place: LibvirtPlace,
    now: LibvirtSituation,
    apt: Callable[[], AptFacts],
    half_installed: tuple[str, ...] = (),
) -> list[Action]:
    """Plan everything that must be changed, in order; empty when the host is ready.

    Raises:
        HostError: we do not install packages on this distribution.
    """
    actions: list[Action] = []
    missing = tuple(dict.fromkeys((*missing_for_libvirt(now), *half_installed)))
    if missing:
        _refuse_others(now.host, missing)
        actions += plan_install(missing, missing, apt())
    if now.libvirt.closed_kvm and not now.host.systemd:
        actions.append(_open_kvm(now.libvirt.closed_kvm))
    if not now.libvirt.answer:
        actions.append(libvirt_daemon.plan_daemon(now.host, now.libvirt.daemon))
    if now.host.user is not None and not now.member:
        title = f"let {now.host.user} use libvirt (members of {GROUP} have as much power as root)"
        command = HostCommand(("usermod", "-aG", GROUP, now.host.user))
        actions.append(Action(ChangeKind.GROUP, title, (command,), (now.host.user,)))
    if place.pool not in now.libvirt.pools:
        actions.append(_make_pool(place))
    return actions


def _refuse_others(host: HostFacts, missing: tuple[str, ...]) -> None:
    if not host.distribution.is_known or "apt-get" not in host.commands:
        raise HostError(
            f"sandbox does not install libvirt and Vagrant on {host.distribution.name}",
            details=f"missing, by their Debian names: {', '.join(missing)}",
            hint="install them yourself, then run `sandbox host setup --provider libvirt` again",
        )


def _open_kvm(closed: str) -> Action:
    """Do what udev does on a host that has udev. Before that libvirt keeps looking for KVM."""
    commands = (("chgrp", KVM_GROUP, str(KVM)), ("chmod", "660", str(KVM)))
    title = f"open {KVM} to the group {KVM_GROUP}, as udev would (until the next boot)"
    return Action(
        ChangeKind.DEVICE, title, tuple(HostCommand(words) for words in commands), (closed,)
    )


def _make_pool(place: LibvirtPlace) -> Action:
    define = ("pool-define-as", place.pool, "dir", "--target", str(place.pool_path))
    steps = (define, ("pool-build", place.pool), ("pool-start", place.pool))
    commands = tuple(
        HostCommand(virsh(*words)) for words in (*steps, ("pool-autostart", place.pool))
    )
    title = f"make the storage pool {place.pool} in {place.pool_path}"
    return Action(ChangeKind.POOL, title, commands, (place.pool,))


def left_of_pool(
    action: Action, pool: str, *, there: Sequence[str], active: Sequence[str]
) -> list[HostCommand]:
    """Plan the missing steps of `_make_pool`, with the pools that libvirt has now.

    An earlier run may have been cut off between two steps; and a libvirt that was only just started
    restores its earlier pools by itself.
    """
    done = {"pool-define-as"} if pool in there else set[str]()
    if pool in active:
        done |= {"pool-build", "pool-start"}
    return [command for command in action.commands if not done & set(command.argv)]


def host_setup(
    place: LibvirtPlace,
    *,
    confirm: Callable[[list[str]], bool],
    listener: Listener = ignore,
) -> SetupOutcome:
    """Make this host ready for libvirt, after `confirm` was shown exactly what will be done.

    Every step is written down before and after, so that a run that was cut off can be repeated.

    Raises:
        HostError: the host cannot be made ready; says why and what to do.
    """
    with setup_lock():
        root = passwordless_root()
        now = look_at_libvirt(root)
        journal = place.journal
        half = journal.names(ChangeKind.PACKAGES) if journal.unfinished(ChangeKind.PACKAGES) else ()
        apt = partial(ask_apt, now.host.distribution.codename)
        actions = plan_setup(place, now, apt, _still_missing(half, now))
        if not actions:
            # Cut off between the last change and its entry
            journal.settle()
            return SetupOutcome.UNCHANGED
        lines = [line for one in actions for line in one.lines(is_root=now.host.is_root)]
        if not confirm(lines):
            return SetupOutcome.DECLINED
        work = _LibvirtSetup(place, root or acquire_root(), journal, listener)
        for action in actions:
            work.perform(action)
        now = look_at_libvirt(work.root)
        if left := plan_setup(place, now, apt):
            raise HostError(
                "the host is still not ready",
                details="\n".join(action.title for action in left),
                hint="sandbox doctor --provider libvirt",
            )
        journal.settle()
        return SetupOutcome.CHANGED


def _still_missing(half: tuple[str, ...], now: LibvirtSituation) -> tuple[str, ...]:
    """The packages of a run that was cut off, as far as we would ask for them by name."""
    return tuple(name for name in missing_for_libvirt(now) if name in half)


@dataclass(frozen=True)
class _LibvirtSetup:
    """Performs one action after the other."""

    place: LibvirtPlace
    root: RootAccess
    journal: Journal
    listener: Listener

    def perform(self, action: Action) -> None:
        log = self.place.log
        with step(self.listener, "host", action.title):
            match action.kind:
                case ChangeKind.REPAIR:
                    repair_dpkg(self.root, self.listener, log)
                case ChangeKind.PACKAGES:
                    self._install(action.names)
                case ChangeKind.DAEMON:
                    self.journal.intend(ChangeKind.DAEMON, action.names)
                    now = look_at_libvirt(self.root)
                    libvirt_daemon.start(now.host, now.libvirt.daemon, self.root, log)
                    self.journal.done(ChangeKind.DAEMON)
                case ChangeKind.POOL:
                    self.journal.intend(ChangeKind.POOL, action.names)
                    self._make_pool(action)
                    self.journal.done(ChangeKind.POOL)
                case _:
                    self.journal.intend(action.kind, action.names)
                    for command in action.commands:
                        self._as_root(command.argv)
                    self.journal.done(action.kind)

    def _install(self, names: tuple[str, ...]) -> None:
        try:
            install_packages(names, self.root, self.journal, self.listener, self.place.log)
        except HostError as error:
            if "Unable to locate package vagrant" not in error.details:
                raise
            raise HostError(
                "this release of the distribution has no Vagrant",
                details=error.details,
                hint="install Vagrant from its own site, then `vagrant plugin install "
                "vagrant-libvirt`, then run the same command again",
            ) from error

    def _make_pool(self, action: Action) -> None:
        there = self._pools("--all")
        active = self._pools()
        for command in left_of_pool(action, self.place.pool, there=there, active=active):
            self._as_root(command.argv)

    def _pools(self, *which: str) -> list[str]:
        listed = run(self.root.argv(*virsh("pool-list", *which, "--name")), timeout_s=30)
        return listed.stdout.split()

    def _as_root(self, words: tuple[str, ...]) -> None:
        try:
            run(self.root.argv(*words), timeout_s=60, log=self.place.log)
        except CommandError as error:
            raise HostError(error.message, details=error.details) from error
