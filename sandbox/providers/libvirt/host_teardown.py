"""`host teardown --provider libvirt`: takes back what setup made, and nothing else. Repeatable."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import CommandError, HostError, UsageError
from sandbox.events import Listener, Notice, ignore, step
from sandbox.host.actions import Removal
from sandbox.host.apt import remove_packages
from sandbox.host.facts import find_command
from sandbox.host.journal import ChangeKind, Journal, setup_lock
from sandbox.host.privilege import RootAccess, acquire_root, passwordless_root
from sandbox.host.setup import Keep, SetupOutcome
from sandbox.providers.abilities import Baking
from sandbox.providers.engine import Engine
from sandbox.providers.libvirt import daemon as libvirt_daemon
from sandbox.providers.libvirt.doctor import GROUP, KVM, virsh
from sandbox.providers.libvirt.host_setup import LibvirtPlace, LibvirtSituation, look_at_libvirt
from sandbox.providers.libvirt.other_users import others_domains, require_unused
from sandbox.providers.vagrant.home import vagrant_home
from sandbox.run import run

BOXES = "sandbox-VAGRANTSLASH-*"
"""Our base images in Vagrant's store."""

_GONE = ("not a member", "does not exist", "no storage pool")


def plan_teardown(
    place: LibvirtPlace,
    now: LibvirtSituation,
    journal: Journal,
    keep: Keep,
    *,
    others: tuple[str, ...] = (),
    boxes: tuple[Path, ...] = (),
) -> list[Removal]:
    """Plan the removal of all that is ours and still there, in order.

    `others` are things in this libvirt that belong to somebody else: a reason to leave it running.
    """
    removals = []
    if journal.has(ChangeKind.POOL) or place.pool in now.libvirt.pools:
        title = f"remove the storage pool {place.pool} and all that is in it"
        removals.append(Removal(ChangeKind.POOL, title, (place.pool,)))
    if boxes:
        title = f"remove {len(boxes)} base images from Vagrant"
        removals.append(Removal(ChangeKind.SOURCE, title, tuple(str(box) for box in boxes)))
    installed = journal.names(ChangeKind.PACKAGES)
    ours = journal.has(ChangeKind.DAEMON) or "libvirt-daemon-system" in installed
    if now.libvirt.answer and ours and not others and not keep.daemon:
        removals.append(Removal(ChangeKind.DAEMON, "stop libvirt"))
    if closed := journal.names(ChangeKind.DEVICE):
        removals.append(Removal(ChangeKind.DEVICE, f"close {KVM} again", closed[:1]))
    for user in journal.names(ChangeKind.GROUP):
        removals.append(Removal(ChangeKind.GROUP, f"take {user} out of the group {GROUP}", (user,)))
    if installed and not keep.packages and not others:
        title = f"remove the packages that setup installed: {', '.join(installed)}"
        removals.append(Removal(ChangeKind.PACKAGES, title, installed))
    return removals


def host_teardown(
    place: LibvirtPlace,
    *,
    engine: Engine,
    confirm: Callable[[list[str]], bool],
    sure: bool,
    listener: Listener = ignore,
    keep: Keep | None = None,
) -> SetupOutcome:
    """Take back what setup made, after `confirm` was shown exactly what that is.

    Args:
        place: the names of our things.
        engine: knows our machines, and removes them.
        confirm: shown one line for each thing; False stops before anything is changed.
        sure: the user said `--yes`: only then are sandboxes that still exist destroyed.
        listener: gets every step.
        keep: what to leave in place.

    Raises:
        UsageError: sandboxes still exist, and the user is not `sure`.
        HostError: something cannot be taken back, or others use it: then nothing was removed.
        ProviderError: libvirt refused something.
    """
    kept = keep or Keep()
    with setup_lock():
        root = passwordless_root()
        now, journal = look_at_libvirt(root), place.journal
        if not now.libvirt.answer and journal.has(ChangeKind.POOL) and now.libvirt.daemon:
            # Our things are in a daemon that does not run
            root = root or acquire_root()
            with step(listener, "host", "start libvirt, to remove what is in it"):
                libvirt_daemon.start(now.host, now.libvirt.daemon, root, place.log)
            now = look_at_libvirt(root)
        machines = tuple(engine.status()) if now.libvirt.answer else ()
        if machines and not sure:
            raise UsageError(
                f"{len(machines)} sandboxes still exist here",
                details="\n".join(machines),
                hint="`sandbox destroy` them, or say `sandbox host teardown --yes`",
            )
        images = baked_by(engine) if now.libvirt.answer else ()
        ours = (*machines, *images)
        domains = others_domains(place, ours, root) if now.libvirt.answer else ()
        if now.libvirt.answer:
            require_unused(place, domains, now.libvirt.pools, root)
        others = others_in(place, now, domains)
        if others:
            text = f"libvirt and its packages stay, for others use it: {', '.join(others)}"
            listener(Notice("host", text))
        boxes = tuple(sorted((vagrant_home() / "boxes").glob(BOXES)))
        removals = plan_teardown(place, now, journal, kept, others=others, boxes=boxes)
        if not removals and not ours:
            journal.forget(ChangeKind.POOL)
            return SetupOutcome.UNCHANGED
        lines = [f"destroy the sandbox {name}" for name in machines]
        lines += [f"remove the baked image {name}" for name in images]
        if not confirm([*lines, *(item.title for item in removals)]):
            return SetupOutcome.DECLINED
        for name in machines:
            with step(listener, name, f"destroy the sandbox {name}"):
                engine.destroy(name)
        for name in images:
            with step(listener, "host", f"remove the baked image {name}"):
                delete_baked(engine, name)
        work = _LibvirtTeardown(place, root or acquire_root(), journal, listener)
        for removal in removals:
            work.take_back(removal, now)
        return SetupOutcome.CHANGED


def baked_by(engine: Engine) -> tuple[str, ...]:
    """List the baked images that are kept, finished or not."""
    return tuple(one.image for one in engine.baked_images()) if isinstance(engine, Baking) else ()


def delete_baked(engine: Engine, image: str) -> None:
    """Remove an image; no machine depends on it any more."""
    if isinstance(engine, Baking):
        engine.delete_baked(image)


def others_in(
    place: LibvirtPlace, now: LibvirtSituation, domains: tuple[str, ...]
) -> tuple[str, ...]:
    """List things in this libvirt that belong to somebody else; `domains` are their machines."""
    pools = [pool for pool in now.libvirt.pools if pool not in (place.pool, "default")]
    return (
        *(f"the machine {name}" for name in domains),
        *(f"the storage pool {name}" for name in pools),
    )


@dataclass(frozen=True)
class _LibvirtTeardown:
    """Takes back one thing after the other."""

    place: LibvirtPlace
    root: RootAccess
    journal: Journal
    listener: Listener

    def take_back(self, removal: Removal, now: LibvirtSituation) -> None:
        with step(self.listener, "host", removal.title) as note:
            match removal.kind:
                case ChangeKind.POOL:
                    self._remove_pool()
                case ChangeKind.SOURCE:
                    for name in removal.names:
                        shutil.rmtree(name)
                case ChangeKind.DAEMON:
                    daemon, systemd = now.libvirt.daemon, now.host.systemd
                    libvirt_daemon.stop(daemon, self.root, systemd=systemd)
                case ChangeKind.DEVICE:
                    self._close_kvm(removal.names[0])
                case ChangeKind.GROUP:
                    self._as_root("gpasswd", "--delete", removal.names[0], GROUP)
                case ChangeKind.PACKAGES:
                    note.text = self._remove_packages(removal.names)
                case _:
                    raise HostError(f"cannot take back {removal.kind}")
            if not note.text:
                self.journal.forget(removal.kind)

    def _close_kvm(self, closed: str) -> None:
        group, _, mode = closed.partition(":")
        if KVM.exists():
            self._as_root("chgrp", group, str(KVM))
            self._as_root("chmod", mode, str(KVM))

    def _remove_pool(self) -> None:
        """Remove the pool, our own folder: base images, and consoles of removed machines."""
        pool = self.place.pool
        if find_command("virsh") is not None:
            self._as_root(*virsh("pool-destroy", pool))
            self._as_root(*virsh("pool-undefine", pool))
        self._as_root("rm", "-rf", "--one-file-system", str(self.place.pool_path))

    def _remove_packages(self, names: tuple[str, ...]) -> str:
        others = remove_packages(names, self.root, self.listener, self.place.log)
        if not others:
            return ""
        text = f"they stay, for others need them by now: {', '.join(others)}"
        self.listener(Notice("host", text))
        return text

    def _as_root(self, *words: str) -> None:
        try:
            run(self.root.argv(*words), timeout_s=60, log=self.place.log)
        except CommandError as error:
            # Somebody else, or a reboot, may have removed it already
            inactive = "is not active" in error.stderr
            if not inactive and not any(text in error.stderr for text in _GONE):
                raise HostError(error.message, details=error.details) from error
