"""Baked images of libvirt: what their records say, and which machine goes on from a snapshot."""

import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.errors import ProviderError
from sandbox.providers.libvirt import virsh as libvirt_virsh
from sandbox.providers.libvirt.baked_images import LibvirtImages, waking_domain
from sandbox.providers.libvirt.virsh import Virsh
from sandbox.providers.sealing import is_baked_name
from sandbox.providers.vagrant.baking import seal_script
from sandbox.providers.vagrant.files import INSECURE_KEY, VagrantfileHost, render_vagrantfile
from sandbox.run import Completed
from tests.unit.providers.vagrant.test_words import record

QEMU = "{http://libvirt.org/schemas/domain/qemu/1.0}"
SNAPSHOT = """\
<domainsnapshot>
  <name>provisioned</name>
  <state>{state}</state>
  <domain type='qemu' id='7'><name>wrong</name></domain>
  <inactiveDomain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
    <name>sandbox-r</name>
    <uuid>0b4e7a0c-6e0b-4a55-9f0b-0123456789ab</uuid>
    <description>made-by=sandbox box=r</description>
    <memory unit='KiB'>524288</memory>
    <os><type machine='pc-i440fx-10.0'>hvm</type><nvram>/var/lib/libvirt/r.fd</nvram></os>
    <devices>
      <disk type='file' device='disk'>
        <source file='/pool/sandbox-r.img'/>
        <address type='pci' slot='0x03'/>
      </disk>
      <serial type='file'><source path='/pool/sandbox-r-console.log'/></serial>
      <console type='file'><source path='/pool/sandbox-r-console.log'/></console>
    </devices>
    <qemu:commandline>
      <qemu:arg value='-netdev'/>
      <qemu:arg value='user,id=sandbox,hostname=r,hostfwd=tcp:127.0.0.1:22911-:22,\
hostfwd=tcp:127.0.0.1:22912-:3838'/>
    </qemu:commandline>
  </inactiveDomain>
</domainsnapshot>
"""


def woken(state: str = "running") -> str:
    return waking_domain(
        SNAPSHOT.format(state=state),
        name="sandbox-Baked-k-0a1b2c",
        note="made-by=sandbox-baked key=k",
        disk=Path("/pool/work.img"),
        console=Path("/pool/other.log"),
        port=20999,
    )


def test_the_copy_is_the_machine_of_then_under_another_name() -> None:
    text = woken()
    domain = ET.fromstring(text)
    assert domain.tag == "domain"
    assert domain.findtext("name") == "sandbox-Baked-k-0a1b2c"
    assert domain.findtext("uuid") != "0b4e7a0c-6e0b-4a55-9f0b-0123456789ab"
    # Nobody takes it for a machine of ours
    assert domain.findtext("description") == "made-by=sandbox-baked key=k"
    # Memory only goes into a machine that is the same, slot for slot
    assert domain.findtext("memory") == "524288"
    assert domain.find("devices/disk/address") is not None
    for place in ("sandbox-r.img", "sandbox-r-console.log", "r.fd"):
        assert place not in text
    words = [one.get("value") for one in domain.findall(f"{QEMU}commandline/{QEMU}arg")]
    # It reaches nobody, and nothing but its sshd is reached
    assert words == [
        "-netdev",
        "user,id=sandbox,restrict=on,hostfwd=tcp:127.0.0.1:20999-:22",
        "-loadvm",
        "provisioned",
    ]


def test_a_snapshot_without_memory_is_refused() -> None:
    with pytest.raises(ProviderError, match="while the machine was off"):
        woken("shutoff")


VOLUME = """\
<volume type='file'>
  <name>{name}</name>
  <capacity unit='bytes'>4294967296</capacity>
  <allocation unit='bytes'>{size}</allocation>
  <target><path>{folder}/{name}</path></target>
  {backing}
</volume>
"""


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], list[str]]:
    """A libvirt that answers what it is told to; returns what it was asked."""
    asked: list[str] = []

    def install(answers: dict[str, str]) -> list[str]:
        def run(argv: tuple[str, ...], **_: object) -> Completed:
            words = " ".join(argv[4:])
            asked.append(words)
            said = [
                one.removeprefix("echo ") if one.startswith("echo ") else answers.get(one, "")
                for one in words.split("; ")
            ]
            return Completed(tuple(argv), 0, "".join(said), "", 0.0)

        monkeypatch.setattr(libvirt_virsh, "run", run)
        monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/virsh")
        return asked

    return install


def volume(folder: Path, name: str, size: int, backing: str = "") -> dict[str, str]:
    hangs = f"<backingStore><path>{folder}/{backing}</path></backingStore>" if backing else ""
    text = VOLUME.format(name=name, size=size, folder=folder, backing=hangs)
    return {f"vol-dumpxml --pool sandbox {name}": text}


def test_what_is_there_is_told_by_domains_and_volumes(
    say: Callable[[dict[str, str]], list[str]], tmp_path: Path
) -> None:
    whole, cut, lost = "Baked-k1-aaaaaa", "Baked-k1-bbbbbb", "Baked-k2-cccccc"
    notes = {
        whole: "made-by=sandbox-baked key=k1 complete=2026-11-22T20%3A00%3A00%2B00%3A00 box=a%20b",
        cut: "made-by=sandbox-baked key=k1 complete= box=r",
        lost: "made-by=sandbox-baked key=k2 complete=2026-11-22T21%3A00%3A00%2B00%3A00 box=r",
        "Baked-k3-dddddd": "somebody's own",
    }
    (tmp_path / f"sandbox-{whole}.img").touch()
    names = [f"sandbox-{one}" for one in (*notes, "r", "twin")]
    files = {
        **volume(tmp_path, f"sandbox-{whole}.img", 700),
        **volume(tmp_path, f"sandbox-{cut}-work.img", 5, "base.img"),
        # Its file is gone, and libvirt does not know yet
        **volume(tmp_path, f"sandbox-{lost}.img", 600),
        **volume(tmp_path, "sandbox-twin.img", 9, f"sandbox-{whole}.img"),
        **volume(tmp_path, "sandbox-r.img", 9, "base.img"),
    }
    say(
        {
            "list --all --name": "\n".join([*names, "else"]),
            "pool-list --name": "sandbox\n",
            "vol-list sandbox": "".join(f" {one.split()[-1]}  /x\n" for one in files),
            "pool-dumpxml sandbox": f"<pool><target><path>{tmp_path}</path></target></pool>",
            **files,
            **{f"desc sandbox-{one}": note for one, note in notes.items()},
        }
    )
    images = LibvirtImages(Virsh("qemu:///system", "sandbox"), "sandbox")
    found = {one.image: one for one in images.all()}
    assert list(found) == [lost, whole, cut]
    assert found[whole].complete
    assert found[whole].made_at == datetime(2026, 11, 22, 20, tzinfo=UTC)
    assert found[whole].labels == (("box", "a b"),)
    assert found[whole].size_bytes == 700
    assert found[whole].machines == ("twin",)
    assert not found[cut].complete
    assert not found[lost].complete
    assert images.require(whole) == f"sandbox-{whole}.img"
    for image in (cut, lost, "Baked-k9-ffffff"):
        with pytest.raises(ProviderError, match="no baked image"):
            images.require(image)


def test_what_machines_hang_on_stays_and_what_is_not_ours_too(
    say: Callable[[dict[str, str]], list[str]], tmp_path: Path
) -> None:
    image = "Baked-k1-aaaaaa"
    files = {
        **volume(tmp_path, f"sandbox-{image}.img", 700),
        **volume(tmp_path, "sandbox-twin.img", 9, f"sandbox-{image}.img"),
    }
    asked = say(
        {
            "list --all --name": f"sandbox-{image}\nsandbox-twin\nsandbox-Baked-k1-eeeeee\n",
            "pool-list --name": "sandbox\n",
            "vol-list sandbox": "".join(f" {one.split()[-1]}  /x\n" for one in files),
            f"desc sandbox-{image}": "made-by=sandbox-baked key=k1 complete=",
            "desc sandbox-Baked-k1-eeeeee": "somebody's own",
            **files,
        }
    )
    images = LibvirtImages(Virsh("qemu:///system", "sandbox"), "sandbox")
    with pytest.raises(ProviderError, match="is still needed by machines"):
        images.delete(image)
    with pytest.raises(ProviderError, match="not a baked image"):
        images.delete("twin")
    images.delete("Baked-k1-eeeeee")
    assert not [one for one in asked if one.startswith(("destroy", "vol-delete", "undefine"))]


def test_a_host_without_libvirt_has_no_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert LibvirtImages(Virsh("qemu:///system", "sandbox"), "sandbox").all() == ()


def test_a_clone_is_entered_by_our_own_account() -> None:
    facts = VagrantfileHost(prefix="sandbox", console_path=Path("console.log"))
    assert is_baked_name("Baked-0123456789ab-f00f00")
    assert not is_baked_name("sandbox/debian-12-0123456789ab@1.0.0")
    text = render_vagrantfile(record(image="Baked-0123456789ab-f00f00"), facts)
    assert "machine.ssh.username = 'sandbox'" in text
    assert "machine.vm.box = 'Baked-0123456789ab-f00f00'" in text
    assert "username" not in render_vagrantfile(record(), facts)


def test_everything_stands_still_before_the_seal_and_rests_after_it() -> None:
    script = seal_script()
    steps = ("kill -STOP", "rm -f /etc/ssh/ssh_host_*", INSECURE_KEY, "/proc/sysrq-trigger")
    places = [script.index(step) for step in steps]
    assert places == sorted(places)
