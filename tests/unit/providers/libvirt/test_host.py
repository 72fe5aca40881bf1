"""What setting up libvirt would change, what taking it back would remove, and what doctor says."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import HostError
from sandbox.host.apt import AptFacts
from sandbox.host.journal import ChangeKind, Journal
from sandbox.host.setup import Keep
from sandbox.providers.libvirt.accelerator import Accelerator
from sandbox.providers.libvirt.doctor import LibvirtFacts, libvirt_report
from sandbox.providers.libvirt.host_setup import (
    LibvirtPlace,
    LibvirtSituation,
    left_of_pool,
    plan_setup,
)
from sandbox.providers.libvirt.host_teardown import plan_teardown
from tests.unit.providers.host_facts import FEDORA, a_host

PLACE = LibvirtPlace("sandbox")
APT = AptFacts(interrupted=False, archive_uri="http://mirror.example.org/debian", backports=False)
READY = LibvirtFacts(
    daemon="libvirtd",
    client=True,
    qemu=True,
    answer="Running hypervisor: QEMU 10.0.2",
    problem="",
    pools=("default", "sandbox"),
    vagrant_text="Vagrant 2.3.4",
    plugin=True,
    accelerator=Accelerator("kvm", "/dev/kvm answers"),
    closed_kvm="",
    missing_tools=(),
    in_group=True,
    free_disk_gb=100.0,
)
BARE = replace(
    READY,
    daemon="",
    client=False,
    qemu=False,
    answer="",
    problem="there is no command `virsh`",
    pools=(),
    vagrant_text="",
    plugin=False,
    missing_tools=("mmdebstrap", "qemu-utils", "grub-pc-bin"),
)


def now(libvirt: LibvirtFacts, *, member: bool = True, **changes: Any) -> LibvirtSituation:
    return LibvirtSituation(a_host(**changes), libvirt, member)


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return PLACE.journal


def unasked() -> AptFacts:
    raise AssertionError("apt was asked, though nothing is missing")


def test_a_ready_host_is_left_alone() -> None:
    assert plan_setup(PLACE, now(READY), unasked) == []


def test_a_bare_host_gets_everything_in_order() -> None:
    actions = plan_setup(PLACE, now(BARE, member=False, user="ada"), lambda: APT)
    assert [one.kind for one in actions] == [
        ChangeKind.PACKAGES,
        ChangeKind.DAEMON,
        ChangeKind.GROUP,
        ChangeKind.POOL,
    ]
    assert {"libvirt-daemon-system", "vagrant-libvirt", "mmdebstrap", "grub-pc-bin"} <= set(
        actions[0].names
    )
    assert actions[2].commands[0].argv == ("usermod", "-aG", "libvirt", "ada")
    assert "/var/lib/libvirt/sandbox" in actions[3].title


def test_an_interrupted_dpkg_is_mended_first() -> None:
    actions = plan_setup(PLACE, now(BARE), lambda: replace(APT, interrupted=True))
    assert [one.kind for one in actions][:2] == [ChangeKind.REPAIR, ChangeKind.PACKAGES]


def test_the_daemon_with_and_without_systemd() -> None:
    stopped = replace(READY, answer="", pools=())
    (with_it, _) = plan_setup(PLACE, now(stopped), unasked)
    assert with_it.commands[0].argv[:3] == ("systemctl", "enable", "--now")
    assert "libvirtd.socket" in with_it.commands[0].argv
    (without, _) = plan_setup(PLACE, now(stopped, systemd=False), unasked)
    assert [one.argv for one in without.commands] == [
        ("virtlogd", "--daemon"),
        ("libvirtd", "--daemon"),
    ]
    modular = replace(stopped, daemon="virtqemud")
    (cut_up, _) = plan_setup(PLACE, now(modular), unasked)
    assert "virtqemud.socket" in cut_up.commands[0].argv


def test_without_udev_kvm_is_opened_and_closed_again(journal: Journal) -> None:
    closed = replace(READY, closed_kvm="0:600")
    assert plan_setup(PLACE, now(closed), unasked) == []
    (action,) = plan_setup(PLACE, now(closed, systemd=False), unasked)
    assert [one.argv for one in action.commands] == [
        ("chgrp", "kvm", "/dev/kvm"),
        ("chmod", "660", "/dev/kvm"),
    ]
    journal.intend(action.kind, action.names)
    removals = plan_teardown(PLACE, now(READY), journal, Keep())
    assert [(one.kind, one.names) for one in removals if one.kind is ChangeKind.DEVICE] == [
        (ChangeKind.DEVICE, ("0:600",))
    ]


def test_of_a_pool_only_what_is_missing_is_made() -> None:
    (action,) = plan_setup(PLACE, now(replace(READY, pools=())), unasked)

    def left(there: list[str], active: list[str]) -> list[str]:
        commands = left_of_pool(action, "sandbox", there=there, active=active)
        return [next(w for w in one.argv if w.startswith("pool-")) for one in commands]

    everything = ["pool-define-as", "pool-build", "pool-start", "pool-autostart"]
    assert left([], []) == left(["default"], ["default"]) == everything
    assert left(["sandbox"], []) == everything[1:]
    # As libvirt brings it back when it starts
    assert left(["sandbox"], ["sandbox"]) == ["pool-autostart"]


def test_only_debians_family_is_installed_on() -> None:
    with pytest.raises(HostError, match="Fedora Linux 42") as caught:
        plan_setup(PLACE, now(BARE, release=FEDORA), unasked)
    assert "vagrant-libvirt" in caught.value.details
    stopped = replace(READY, pools=())
    assert [one.kind for one in plan_setup(PLACE, now(stopped, release=FEDORA), unasked)] == [
        ChangeKind.POOL
    ]


def kinds(libvirt: LibvirtFacts, journal: Journal, **more: Any) -> list[ChangeKind]:
    keep = more.pop("keep", Keep())
    return [one.kind for one in plan_teardown(PLACE, now(libvirt), journal, keep, **more)]


def test_what_we_made_goes_in_order_and_the_rest_stays(journal: Journal) -> None:
    journal.intend(ChangeKind.PACKAGES, ("libvirt-daemon-system", "vagrant"))
    journal.intend(ChangeKind.DAEMON, ("systemd",))
    journal.intend(ChangeKind.GROUP, ("ada",))
    journal.intend(ChangeKind.POOL, ("sandbox",))
    box = (Path("/home/ada/.vagrant.d/boxes/sandbox-VAGRANTSLASH-x"),)
    expected = [ChangeKind.POOL, ChangeKind.SOURCE, ChangeKind.DAEMON, ChangeKind.GROUP]
    assert kinds(READY, journal, boxes=box) == expected
    assert kinds(READY, journal, keep=Keep(packages=False)) == [
        ChangeKind.POOL,
        ChangeKind.DAEMON,
        ChangeKind.GROUP,
        ChangeKind.PACKAGES,
    ]
    assert ChangeKind.DAEMON not in kinds(READY, journal, keep=Keep(daemon=True))
    others = kinds(READY, journal, others=("the machine db",), keep=Keep(packages=False))
    assert others == [ChangeKind.POOL, ChangeKind.GROUP]


def test_somebody_elses_libvirt_is_only_freed_of_our_pool(journal: Journal) -> None:
    assert kinds(READY, journal) == [ChangeKind.POOL]
    assert kinds(replace(READY, pools=("default",)), journal) == []


def test_a_pool_that_was_only_meant_is_looked_for(journal: Journal) -> None:
    journal.intend(ChangeKind.POOL, ("sandbox",))
    assert kinds(replace(READY, pools=()), journal) == [ChangeKind.POOL]


def test_incus_and_libvirt_keep_journals_of_their_own(journal: Journal) -> None:
    assert journal.path != Journal("sandbox").path


def test_doctor_calls_a_ready_host_usable() -> None:
    found = libvirt_report(READY, a_host(), "sandbox")
    assert found.usable
    assert all(one.ok for one in found.findings)


def test_emulation_is_usable_and_said() -> None:
    slow = replace(READY, accelerator=Accelerator("qemu", "there is no /dev/kvm"))
    found = libvirt_report(slow, a_host(), "sandbox")
    assert found.usable
    (finding,) = [one for one in found.findings if not one.ok]
    assert "emulated by QEMU" in finding.detail
    assert finding.fix


def test_doctor_says_what_is_missing_and_how_it_is_mended() -> None:
    found = libvirt_report(BARE, a_host(), "sandbox")
    assert not found.usable
    bad = [one for one in found.findings if not one.ok]
    assert len(bad) == 6
    assert all(one.fix for one in bad)


def test_a_new_member_is_told_to_log_in_anew() -> None:
    refused = replace(READY, answer="", problem="error: Permission denied")
    (daemon,) = [
        one
        for one in libvirt_report(refused, a_host(), "sandbox").findings
        if "answers" in one.title
    ]
    assert "newgrp libvirt" in daemon.fix
