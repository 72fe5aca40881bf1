"""Baked images of VirtualBox: what VBoxManage lists of them, and what is asked of it for one."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.errors import CommandError, ProviderError
from sandbox.providers.engine import Power
from sandbox.providers.vagrant.baked_note import Draft
from sandbox.providers.vagrant.baking import seal_script
from sandbox.providers.vagrant.vm import Vm
from sandbox.providers.virtualbox import vboxmanage as virtualbox_manage
from sandbox.providers.virtualbox.baked_images import VirtualBoxImages
from sandbox.providers.virtualbox.hypervisor import VirtualBox
from sandbox.run import Completed

WHOLE, CUT, LOST = "Baked-k1-aaaaaa", "Baked-k1-bbbbbb", "Baked-k2-cccccc"
UNTOLD, HALF = "Baked-k3-dddddd", "Baked-k4-eeeeee"
DRAFT = Draft("Baked-k-0a1b2c", "k", (("box", "a b"), ("plan", "0123")))
SOURCE = Vm("sbx-r", "0b4e7a0c-6e0b-4a55-9f0b-0123456789ab", Power.RUNNING, "running")
OURS = "made-by=sandbox-baked"
SAVED = """\
VMState="{state}"
uartmode1="file,/instances/r/console.log"
Forwarding(0)="port-3838,tcp,127.0.0.1,20202,,3838"
Forwarding(1)="ssh,tcp,127.0.0.1,20201,,22"
"""

Say = Callable[[dict[str, str]], list[tuple[str, ...]]]


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch) -> Say:
    """A VBoxManage that answers what it is told to; returns what it was asked."""
    asked: list[tuple[str, ...]] = []

    def install(answers: dict[str, str]) -> list[tuple[str, ...]]:
        def run(argv: tuple[str, ...], **_: object) -> Completed:
            words = argv[1:]
            asked.append(words)
            if words[0] == "showvminfo" and " ".join(words) not in answers:
                stderr = "VBOX_E_OBJECT_NOT_FOUND"
                raise CommandError("failed", returncode=1, stdout="", stderr=stderr)
            return Completed(tuple(argv), 0, answers.get(" ".join(words), ""), "", 0.0)

        monkeypatch.setattr(virtualbox_manage, "run", run)
        monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/VBoxManage")
        return asked

    return install


def images() -> VirtualBoxImages:
    return VirtualBox("sbx").images


def listed(disks: dict[str, tuple[Path, str]]) -> str:
    """`list hdds`, of ids, each with its file and the id of the disk on which it hangs."""
    block = "UUID:           {}\nParent UUID:    {}\nState:          created\nLocation:       {}\n"
    return "\n".join(block.format(uuid, parent, path) for uuid, (path, parent) in disks.items())


def notes() -> Iterator[tuple[str, str]]:
    for image, line in (
        (
            WHOLE,
            "made-by=sandbox-baked key=k1 complete=2026-11-22T20%3A00%3A00%2B00%3A00 box=a%20b",
        ),
        (CUT, "made-by=sandbox-baked key=k1 complete= box=r"),
        (LOST, "made-by=sandbox-baked key=k2 complete=2026-11-22T21%3A00%3A00%2B00%3A00 box=r"),
        # Killed before the copy had a note of its own: it still has its machine's
        (UNTOLD, "made-by=sandbox uuid=0b4e7a0c-6e0b-4a55-9f0b-0123456789ab box=r"),
    ):
        yield f"getextradata sbx-{image} sandbox/note", f"Value: {line}\n"


def answers(root: Path) -> dict[str, str]:
    """What VirtualBox knows of five images, two machines, and somebody else's."""
    for image in (WHOLE, CUT, UNTOLD, HALF):
        folder = root / f"sbx-{image}"
        folder.mkdir()
        (folder / f"sbx-{image}-disk1.vdi").write_bytes(b"x" * 5000)
    disks = {
        f"disk-{image}": (root / f"sbx-{image}" / f"sbx-{image}-disk1.vdi", "base")
        for image in (WHOLE, CUT, LOST, UNTOLD)
    }
    disks["current"] = (root / f"sbx-{WHOLE}" / "sbx-Baked-k1-aaaaaa-disk1.vdi", f"disk-{WHOLE}")
    disks["twin"] = (root / "sbx-twin" / "Snapshots" / "{1}.vdi", f"disk-{WHOLE}")
    disks["theirs"] = (root.parent / "theirs.vdi", f"disk-{CUT}")
    disks["other"] = (root / "sbx-other" / "Snapshots" / "{2}.vdi", "disk-base")
    vms = [f"sbx-{one}" for one in (WHOLE, CUT, LOST, UNTOLD, "twin", "other", "Baked-mine")]
    return {
        "list vms": "".join(f'"{one}" {{0b4e7a0c}}\n' for one in (*vms, "else")),
        "list systemproperties": f"Default machine folder:          {root}\n",
        "list hdds": listed(disks),
        **dict(notes()),
        **{f"showvminfo {one} --machinereadable": f'name="{one}"\n' for one in vms},
    }


def test_what_is_there_is_told_by_vms_disks_and_folders(say: Say, tmp_path: Path) -> None:
    root = tmp_path / "VirtualBox VMs"
    root.mkdir()
    say(answers(root))
    found = {one.image: one for one in images().all(with_sizes=True)}
    assert list(found)[:2] == [LOST, WHOLE]
    assert set(found) == {WHOLE, CUT, LOST, UNTOLD, HALF}
    assert found[WHOLE].complete
    assert found[WHOLE].made_at == datetime(2026, 11, 22, 20, tzinfo=UTC)
    assert found[WHOLE].labels == (("box", "a b"),)
    assert (found[WHOLE].size_bytes or 0) >= 5000
    assert found[WHOLE].machines == ("twin",)
    # The file of one is gone; of others the bake was cut off, at three places
    assert not any(found[one].complete for one in (CUT, LOST, UNTOLD, HALF))
    assert [found[one].key for one in (CUT, UNTOLD, HALF)] == ["k1", "k3", "k4"]
    assert images().require(WHOLE) == f"sbx-{WHOLE}"
    for image in (CUT, LOST, HALF, "Baked-k9-ffffff"):
        with pytest.raises(ProviderError, match="no baked image"):
            images().require(image)


def test_what_disks_hang_on_stays_whosever_they_are(say: Say, tmp_path: Path) -> None:
    root = tmp_path / "VirtualBox VMs"
    root.mkdir()
    asked = say(answers(root))
    for image, user in ((WHOLE, "twin"), (CUT, "theirs.vdi")):
        with pytest.raises(ProviderError, match="is still needed by machines") as caught:
            images().delete(image)
        assert user in caught.value.details
    with pytest.raises(ProviderError, match="not a baked image"):
        images().delete("twin")
    images().delete("Baked-k9-ffffff")
    assert not [one for one in asked if one[0] in ("unregistervm", "closemedium")]


def test_what_a_copy_that_was_cut_off_has_left_is_removed(say: Say, tmp_path: Path) -> None:
    root = tmp_path / "VirtualBox VMs"
    root.mkdir()
    say(answers(root))
    images().delete(HALF)
    assert not (root / f"sbx-{HALF}").exists()
    assert (root / f"sbx-{WHOLE}").exists()


def test_the_copy_is_told_apart_first_and_then_cut_off(say: Say, tmp_path: Path) -> None:
    image = f"sbx-{DRAFT.name}"
    asked = say({f"showvminfo {image} --machinereadable": SAVED.format(state="saved")})
    images().copy(DRAFT, SOURCE, "provisioned", 20999, tmp_path)
    clone, note, _, *changes = asked
    assert clone[:4] == ("clonevm", SOURCE.uuid, "--snapshot", "provisioned")
    # Its memory goes on with the address that it knows; and nothing of it hangs on its machine
    assert "keepallmacs" in clone
    assert "link" not in clone
    assert note == ("setextradata", image, "sandbox/note", DRAFT.note())
    deleted = [one[-1] for one in changes if "delete" in one]
    assert deleted == ["port-3838", "ssh"]
    # The console's file is the running machine's: it must not be opened again
    assert changes[-1] == (
        *("modifyvm", image, "--natpf1", "bake,tcp,127.0.0.1,20999,,22"),
        *("--natbindip1", "127.0.0.1", "--uartmode1", "disconnected"),
    )


def test_a_snapshot_without_memory_is_refused(say: Say, tmp_path: Path) -> None:
    said = SAVED.format(state="poweroff")
    say({f"showvminfo sbx-{DRAFT.name} --machinereadable": said})
    with pytest.raises(ProviderError, match="while the machine was off"):
        images().copy(DRAFT, SOURCE, "provisioned", 20999, tmp_path)


def test_complete_is_the_last_word(say: Say) -> None:
    asked = say({})
    made = images().finish(DRAFT)
    assert (made.image, made.key, made.labels) == (DRAFT.name, DRAFT.key, DRAFT.labels)
    freed, snapshot, note = asked
    # Its clones may speak to whom they like
    assert freed[2:] == ("--natpf1", "delete", "bake", "--natbindip1", "")
    assert snapshot[2:] == ("take", "base")
    assert note[-1] == DRAFT.note(made.made_at)


def test_a_host_without_virtualbox_has_no_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert images().all() == ()


def test_an_image_is_no_machine(say: Say) -> None:
    text = "Name:  {0}\nGroups:  /\nUUID:  {1}\nState:  powered off\n"
    uuid = SOURCE.uuid
    say({"list --long vms": text.format(f"sbx-{WHOLE}", uuid) + text.format("sbx-r", uuid)})
    assert list(VirtualBox("sbx").vms()) == ["sbx-r"]


def test_secrets_are_written_over_before_they_are_removed() -> None:
    script = seal_script(overwrite=True)
    assert script.index("kill -STOP") < script.index("shred") < script.index("rm -f /etc/ssh/ssh_")
    assert "shred" not in seal_script()
