"""Who else uses our storage pool at libvirt: asked, and said, before anything is removed."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.errors import CommandError, HostError
from sandbox.providers.libvirt import host_teardown as libvirt_teardown
from sandbox.providers.libvirt import other_users as libvirt_users
from sandbox.providers.libvirt.host_setup import LibvirtPlace
from sandbox.providers.libvirt.host_teardown import host_teardown, others_in
from sandbox.providers.libvirt.other_users import others_domains, require_unused
from sandbox.run import Completed
from tests.unit.providers.libvirt.test_host import READY, now

PLACE = LibvirtPlace("sandbox")
OURS = "/var/lib/libvirt/sandbox/base.qcow2"
POOLS = "default", "sandbox"


class FakeVirsh:
    """Answers what it was told to, and nothing else; remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.asked: list[str] = []

    def __call__(self, argv: Sequence[str], *, timeout_s: float, check: bool = True) -> Completed:
        words = " ".join(argv[argv.index("qemu:///system") + 1 :])
        self.asked.append(words)
        text = self.answers.get(words)
        if text is None and check:
            raise CommandError("`virsh` failed", returncode=1, details="error: no")
        return Completed(tuple(argv), 0 if text is not None else 1, text or "", "", 0.0)


@pytest.fixture
def virsh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeVirsh:
    fake = FakeVirsh()
    monkeypatch.setattr(libvirt_users, "run", fake)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return fake


def test_a_machine_is_somebody_elses_whatever_it_is_called(virsh: FakeVirsh) -> None:
    virsh.answers["list --all --name"] = "sandbox-shiny\nsandbox-Baked-1\ntheir own\ndb\n\n"
    found = others_domains(PLACE, ("shiny", "Baked-1"), None)
    assert found == ("their own", "db")
    assert "the machine their own" in others_in(PLACE, now(READY), found)


@pytest.mark.parametrize(
    ("xml", "said"),
    [
        (f"<disk><source file='{OURS}'/></disk>", f"uses {OURS} in the storage pool sandbox"),
        (f'<source index="1" file="{OURS}"/>', f"uses {OURS} in the storage pool sandbox"),
        (
            f"<source file='/srv/a'/><backingStore><source file='{OURS}'/></backingStore>",
            f"uses {OURS} in the storage pool sandbox",
        ),
        (
            "<source file='/var/lib/libvirt/sandbox/a&amp;b'/>",
            "uses /var/lib/libvirt/sandbox/a&b in the storage pool sandbox",
        ),
        (
            "<os><nvram template='/usr/x'>/var/lib/libvirt/sandbox/n</nvram></os>",
            "uses /var/lib/libvirt/sandbox/n in the storage pool sandbox",
        ),
        (
            "<source pool='sandbox' volume='data'/>",
            "uses a volume of the storage pool sandbox",
        ),
    ],
)
def test_what_a_machine_uses_of_ours_is_named(virsh: FakeVirsh, xml: str, said: str) -> None:
    virsh.answers["dumpxml --domain db"] = f"<domain>{xml}</domain>"
    with pytest.raises(HostError, match="nothing was removed") as caught:
        require_unused(PLACE, ("db",), ("sandbox",), None)
    assert caught.value.details == f"the machine db {said}"
    assert "virsh" in caught.value.hint


@pytest.mark.parametrize(
    "xml",
    [
        "<source file='/var/lib/libvirt/images/base.qcow2'/>",
        "<source file='/var/lib/libvirt/sandbox2/base.qcow2'/>",
        "<source pool='default' volume='sandbox'/>",
        "<source network='default'/><name>sandbox</name>",
    ],
)
def test_what_hangs_on_nothing_of_ours_stops_nobody(virsh: FakeVirsh, xml: str) -> None:
    virsh.answers["dumpxml --domain db"] = f"<domain>{xml}</domain>"
    require_unused(PLACE, ("db", "gone-by-now"), ("sandbox",), None)


def test_a_disk_elsewhere_that_needs_an_image_of_ours_is_named(virsh: FakeVirsh) -> None:
    listed = " web disk.qcow2   /srv/web disk.qcow2\n iso   /srv/iso\n"
    virsh.answers["vol-list --pool default"] = listed
    below = f"<backingStore><path>{OURS}</path></backingStore>"
    virsh.answers["vol-dumpxml /srv/web disk.qcow2"] = f"<volume>{below}</volume>"
    virsh.answers["vol-dumpxml /srv/iso"] = "<volume><path>/srv/iso</path></volume>"
    with pytest.raises(HostError) as caught:
        require_unused(PLACE, (), POOLS, None)
    said = f"the volume web disk.qcow2 of the storage pool default needs {OURS}"
    assert caught.value.details == said


def test_a_libvirt_that_cannot_be_asked_is_no_reason_to_go_on(virsh: FakeVirsh) -> None:
    with pytest.raises(HostError, match="cannot be asked"):
        others_domains(PLACE, (), None)


def test_teardown_begins_nothing_while_somebody_uses_our_pool(
    virsh: FakeVirsh, monkeypatch: pytest.MonkeyPatch
) -> None:
    virsh.answers["list --all --name"] = "sandbox-shiny\ndb\n"
    virsh.answers["dumpxml --domain db"] = f"<source file='{OURS}'/>"
    monkeypatch.setattr(libvirt_teardown, "passwordless_root", lambda: None)
    monkeypatch.setattr(libvirt_teardown, "look_at_libvirt", lambda _: now(READY))
    done: list[str] = []
    engine: Any = SimpleNamespace(status=lambda: {"shiny": None}, destroy=done.append)

    def confirm(lines: list[str]) -> bool:
        done.extend(lines)
        return True

    with pytest.raises(HostError, match="nothing was removed"):
        host_teardown(PLACE, engine=engine, confirm=confirm, sure=True)
    assert done == []
    assert {words.split()[0] for words in virsh.asked} <= {"list", "dumpxml", "vol-list"}
