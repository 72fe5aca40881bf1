"""VBoxManage, as it behaves when somebody else is at work on the same host."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import CommandError, HostError, ProviderError
from sandbox.providers.engine import Power
from sandbox.providers.virtualbox import vboxmanage as virtualbox_manage
from sandbox.providers.virtualbox.disks import disks_in, read_disks
from sandbox.providers.virtualbox.hypervisor import VirtualBox
from sandbox.run import Completed

GONE = "VBoxManage: error: Could not find a registered machine with UUID {…}\n"
LONG = """Name:            sbx-one
Groups:          /
Guest OS:        Debian (64-bit)
UUID:            0b4e7a0c-6e0b-4a55-9f0b-0123456789ab
Config file:     /vms/sbx-one/sbx-one.vbox
State:           powered off (since 2026-11-22T16:00:00.000000000)
"""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    monkeypatch.setattr("time.sleep", lambda _: None)
    return []


def answer(
    monkeypatch: pytest.MonkeyPatch, calls: list[tuple[str, ...]], failures: int, code: int = 1
) -> None:
    """A VBoxManage whose lists fail so many times."""

    def run(words: tuple[str, ...], **_: Any) -> Completed:
        calls.append(words[1:])
        lists = [one for one in calls if one[0] == "list"]
        if words[1] == "list" and len(lists) <= failures:
            stderr = GONE if code == 1 else ""
            raise CommandError("failed", returncode=code, stdout="", stderr=stderr)
        said = LONG if words[1] == "list" else "No value set!\n"
        return Completed(words, 0, said, "", 0.1)

    monkeypatch.setattr(virtualbox_manage, "run", run)


def test_a_vm_that_goes_while_they_are_listed(
    monkeypatch: pytest.MonkeyPatch, calls: list[tuple[str, ...]]
) -> None:
    answer(monkeypatch, calls, failures=2)
    assert list(VirtualBox("sbx").vms()) == ["sbx-one"]
    assert [one[0] for one in calls] == ["list", "list", "list", "getextradata"]


def test_a_vm_that_stands_still_is_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(words: tuple[str, ...], **_: Any) -> Completed:
        said = LONG.replace("powered off", "paused") if words[1] == "list" else "No value set!\n"
        return Completed(words, 0, said, "", 0.1)

    monkeypatch.setattr(virtualbox_manage, "run", run)
    [vm] = VirtualBox("sbx").vms().values()
    assert vm.power is Power.PAUSED


def test_a_list_that_always_fails_is_given_up_with_its_own_words(
    monkeypatch: pytest.MonkeyPatch, calls: list[tuple[str, ...]]
) -> None:
    answer(monkeypatch, calls, failures=99)
    with pytest.raises(ProviderError, match="VirtualBox failed: list") as caught:
        VirtualBox("sbx").vms()
    assert "Could not find a registered machine" in caught.value.details
    assert len(calls) == 5


def test_without_virtualbox_nothing_is_tried_twice(
    monkeypatch: pytest.MonkeyPatch, calls: list[tuple[str, ...]]
) -> None:
    answer(monkeypatch, calls, failures=99, code=127)
    with pytest.raises(HostError, match="not installed"):
        VirtualBox("sbx").vms()
    assert len(calls) == 1


def disk(uuid: str, parent: str, place: str) -> str:
    return (
        f"UUID:           {uuid}\nParent UUID:    {parent}\nState:          created\n"
        f"Type:           normal\nLocation:       {place}\nStorage format: VDI\n"
    )


MASTER, SPARE = "sbx-base.0123456789ab-20", "sbx-base.ffffffffffff-20"
DISKS = "\n".join(
    [
        disk("m1", "base", f"/vms/{MASTER}/box.vdi"),
        disk("m2", "m1", f"/vms/{MASTER}/Snapshots/{{m2}}.vdi"),
        disk("c1", "m1", "/vms/sbx-one/Snapshots/{c1}.vdi"),
        disk("c2", "c1", "/vms/sbx-one/Snapshots/{c2}.vdi"),
        disk("c3", "m1", "/elsewhere/moved.vdi"),
        disk("s1", "base", f"/vms/{SPARE}/box.vdi"),
        disk("x1", "base", "/vms/somebody/own.vdi"),
    ]
)


@pytest.fixture
def masters(
    monkeypatch: pytest.MonkeyPatch, calls: list[tuple[str, ...]], tmp_path: Path
) -> VirtualBox:
    """Two masters; on the disk of one of them hang those of clones."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(
        "sandbox.providers.virtualbox.hypervisor.shutil.which", lambda _: "/usr/bin/VBoxManage"
    )
    there = {MASTER: "m", SPARE: "s", "sbx-one": "1", "somebody": "x"}
    place = tmp_path / "vms"
    (place / SPARE).mkdir(parents=True)
    (place / SPARE / "box.vdi").write_bytes(b"12345")

    def run(words: tuple[str, ...], **_: Any) -> Completed:
        calls.append(words[1:])
        said = {
            "vms": "".join(f'"{name}" {{{uuid}}}\n' for name, uuid in there.items()),
            "hdds": DISKS.replace("/vms", str(place)),
            "systemproperties": f"Default machine folder:          {place}\n",
        }
        if words[1] == "unregistervm":
            del there[words[2]]
        if words[1] == "showvminfo" and words[2] not in there:
            raise CommandError("failed", returncode=1, stderr="VBOX_E_OBJECT_NOT_FOUND")
        return Completed(words, 0, said.get(words[2], ""), "", 0.1)

    monkeypatch.setattr(virtualbox_manage, "run", run)
    return VirtualBox("sbx")


def test_a_master_is_in_use_while_a_disk_hangs_on_it(masters: VirtualBox) -> None:
    used, spare = masters.base_copies()
    assert (used.name, used.machines) == (MASTER, ("/elsewhere/moved.vdi", "one"))
    assert (spare.name, spare.machines) == (SPARE, ())
    assert (used.size_bytes, (spare.size_bytes or 0) > 0) == (0, True)


def test_only_an_unused_master_is_removed(
    masters: VirtualBox, calls: list[tuple[str, ...]]
) -> None:
    assert masters.drop_unused_bases() == (SPARE,)
    removed = [one[1] for one in calls if one[0] == "unregistervm"]
    assert removed == [SPARE]
    assert [copy.name for copy in masters.base_copies()] == [MASTER]
    assert masters.drop_unused_bases() == ()


def test_without_virtualbox_there_are_no_masters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.providers.virtualbox.hypervisor.shutil.which", lambda _: None)
    assert VirtualBox("sbx").base_copies() == ()


def test_an_import_that_was_cut_off_is_waited_for_and_cleared(
    masters: VirtualBox, calls: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """VirtualBox goes on writing for a while when whoever asked for it was killed."""
    folder = masters.manage.machine_folder() / "sbx-base.eeeeeeeeeeee-20"
    folder.mkdir()
    disk = folder / "box-disk001.vdi"
    disk.write_bytes(b"1")
    pauses: list[bool] = []

    def pause(_: float) -> None:
        pauses.append(disk.exists())
        if len(pauses) == 3:
            long_ago = time.time() - 60
            for path in (disk, folder):
                os.utime(path, (long_ago, long_ago))

    monkeypatch.setattr("time.sleep", pause)
    assert masters.drop_unused_bases() == (SPARE,)
    assert pauses == [True, True, True]
    assert not folder.exists()
    assert (masters.manage.machine_folder() / SPARE).exists() is False
    assert not [one for one in calls if one[0] == "unregistervm" and one[1] != SPARE]


def test_an_import_that_comes_to_its_end_is_waited_for_no_longer(
    masters: VirtualBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pause(_: float) -> None:
        pytest.fail("it was registered already")

    monkeypatch.setattr("time.sleep", pause)
    (masters.manage.machine_folder() / MASTER).mkdir()
    masters.manage.wait_until_made(MASTER)
    masters.manage.wait_until_made("sbx-nothing")


def test_what_goes_while_it_is_looked_at_is_still_being_made(
    masters: VirtualBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VirtualBox takes an import back, and its folder's content goes under our eyes."""
    folder = masters.manage.machine_folder() / "sbx-base.eeeeeeeeeeee-20"
    (folder / "Snapshots").mkdir(parents=True)
    pauses: list[float] = []

    def gone(_: Path, __: str) -> list[Path]:
        raise FileNotFoundError

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        (folder / "Snapshots").rmdir()
        folder.rmdir()

    monkeypatch.setattr(Path, "rglob", gone)
    monkeypatch.setattr("time.sleep", pause)
    masters.manage.wait_until_made(folder.name)
    assert len(pauses) == 1


def test_a_vm_whose_process_has_just_died_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, calls: list[tuple[str, ...]]
) -> None:
    failures = [
        "VBoxManage: error: Failed to get a console object from the direct session "
        "(NS_ERROR_ABORT)",
        "VBoxManage: error: VBOX_E_OBJECT_NOT_FOUND",
        "VBoxManage: error: something else",
    ]

    def run(words: tuple[str, ...], **_: Any) -> Completed:
        calls.append(words)
        raise CommandError("failed", returncode=1, stderr=failures.pop(0))

    monkeypatch.setattr(virtualbox_manage, "run", run)
    manage = virtualbox_manage.VBoxManage()
    assert manage.info("sbx-one") is None
    assert len(calls) == 2
    with pytest.raises(ProviderError) as caught:
        manage.info("sbx-one")
    assert "something else" in caught.value.details
    assert len(calls) == 3


def test_disks_that_hang_on_others_are_closed_first() -> None:
    disks = read_disks(DISKS)
    assert [one.uuid for one in disks_in(Path("/vms/sbx-one"), disks)] == ["c1", "c2"]
    assert [one.uuid for one in disks_in(Path(f"/vms/{MASTER}"), disks)] == ["m2", "m1"]
