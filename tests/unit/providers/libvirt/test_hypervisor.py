"""virsh, as it behaves when somebody else is at work on the same host."""

import re
from pathlib import Path
from typing import Any

import pytest

from sandbox.providers.engine import Power
from sandbox.providers.libvirt import virsh as libvirt_virsh
from sandbox.providers.libvirt.hypervisor import Libvirt
from sandbox.run import Completed

ONE, TWO = "0b4e7a0c-6e0b-4a55-9f0b-0123456789ab", "4dd4be9e-f5ba-480d-af44-83bfc0cbe24f"
GONE = f"error: failed to get domain '{TWO}'\n"
BOTH = f"""\
 1    sbx-one   running
 -    sbx-two   shut off

== {ONE}   sbx-one
 {TWO}   sbx-two

"""
LEFT = f" 1    sbx-one   running\n\n== {ONE}   sbx-one\n\n"


def answer(monkeypatch: pytest.MonkeyPatch, *lists: str) -> list[str]:
    """A virsh that lists these, one after the other, and describes the first domain alone.

    As the real one with `-q`, it ends no line of a description, and says nothing where is none.
    """
    asked: list[str] = []
    to_come = list(lists)

    def run(words: tuple[str, ...], *, check: bool = True, **_: Any) -> Completed:
        asked.append(words[4])
        if words[4].startswith("list"):
            return Completed(words, 0, to_come.pop(0), "", 0.1)
        assert not check
        marks = re.findall(r"echo (\S+); desc ([^\s;]+)", words[4])
        said = "".join(mark + ("note" if one == ONE else "") for mark, one in marks)
        return Completed(words, 1, said, GONE, 0.1)

    monkeypatch.setattr(libvirt_virsh, "run", run)
    return asked


def test_a_vm_that_goes_while_they_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch, BOTH, LEFT)
    (one,) = Libvirt("sbx").vms().values()
    assert (one.name, one.uuid, one.power, one.note) == ("sbx-one", ONE, Power.RUNNING, "note")
    assert len(asked) == 3


def test_a_vm_that_stands_still_is_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    paused = BOTH.replace("running", "paused")
    answer(monkeypatch, paused, paused)
    one, _ = Libvirt("sbx").vms().values()
    assert one.power is Power.PAUSED


def test_a_vm_without_a_description_is_somebody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, BOTH, BOTH)
    one, two = Libvirt("sbx").vms().values()
    assert (one.note, two.note) == ("note", "")
    assert (two.name, two.uuid, two.power) == ("sbx-two", TWO, Power.STOPPED)


def test_all_that_have_one_are_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(answer(monkeypatch, LEFT)) == 0
    assert list(Libvirt("sbx").vms()) == ["sbx-one"]


BASE_VOLUME = "sandbox-VAGRANTSLASH-debian-12-0123456789ab_vagrant_box_image_1.0.0_box.img"
SPARE_VOLUME = BASE_VOLUME.replace("0123456789ab", "ffffffffffff")


def volume(name: str, backing: str = "", size_bytes: int = 1000) -> str:
    hangs_on = f"<backingStore><path>/pool/{backing}</path></backingStore>" if backing else ""
    return (
        f"<volume><name>{name}</name><allocation unit='bytes'>{size_bytes}</allocation>"
        f"<target><path>/pool/{name}</path></target>{hangs_on}</volume>"
    )


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """A pool's volumes; removing one takes it out of here."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(
        "sandbox.providers.libvirt.hypervisor.shutil.which", lambda _: "/usr/bin/virsh"
    )
    volumes = {
        BASE_VOLUME: volume(BASE_VOLUME, size_bytes=5),
        SPARE_VOLUME: volume(SPARE_VOLUME),
        "sbx-one.img": volume("sbx-one.img", BASE_VOLUME),
        "sbx-two.img": volume("sbx-two.img", BASE_VOLUME),
        "sbx-Baked-k-0123ab.img": volume("sbx-Baked-k-0123ab.img"),
    }

    def run(words: tuple[str, ...], **_: Any) -> Completed:
        if words[4] == "vol-delete":
            del volumes[words[-1]]
        said = {"pool-list": "default\nsbx\n", "vol-list": "".join(f" {v}  /p\n" for v in volumes)}
        marks = re.findall(r"echo (\S+); vol-dumpxml --pool sbx ([^\s;]+)", words[4])
        xml = "".join(mark + volumes[name] for mark, name in marks)
        return Completed(words, 0, xml or said.get(words[4], ""), "", 0.1)

    monkeypatch.setattr(libvirt_virsh, "run", run)
    return volumes


def test_a_base_is_in_use_while_a_disk_hangs_on_it(pool: dict[str, str]) -> None:
    del pool["sbx-two.img"]
    used, spare = Libvirt("sbx").base_copies()
    assert (used.name, used.machines, used.size_bytes) == (BASE_VOLUME, ("one",), 5)
    assert (spare.name, spare.machines) == (SPARE_VOLUME, ())


def test_only_an_unused_base_is_removed(pool: dict[str, str]) -> None:
    assert Libvirt("sbx").drop_unused_bases() == (SPARE_VOLUME,)
    assert Libvirt("sbx").drop_unused_bases() == ()
    assert BASE_VOLUME in pool
    for name in ("sbx-one.img", "sbx-two.img"):
        del pool[name]
    assert Libvirt("sbx").drop_unused_bases() == (BASE_VOLUME,)
    assert list(pool) == ["sbx-Baked-k-0123ab.img"]


def test_without_libvirt_there_are_no_bases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.providers.libvirt.hypervisor.shutil.which", lambda _: None)
    assert Libvirt("sbx").base_copies() == ()
