"""Bad days on real VirtualBox: each produced by hand, then `create` and `destroy` end well."""

import fcntl
import hashlib
import os
import re
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from sandbox.errors import ProviderError
from sandbox.events import ignore
from sandbox.providers.engine import Power
from sandbox.providers.vagrant.files import VmFolder
from sandbox.providers.vagrant.home import clean_vagrant_home
from sandbox.providers.vagrant.hypervisor import find_stored_box
from sandbox.providers.virtualbox.hypervisor import VirtualBox
from tests.virtualbox.conftest import VirtualBoxLab, manage

pytestmark = pytest.mark.virtualbox


def is_whole(lab: VirtualBoxLab, name: str) -> bool:
    return lab.engine.status([name])[name].power is Power.STOPPED


def test_a_vm_deleted_behind_our_back(lab: VirtualBoxLab) -> None:
    spec = lab.spec("gone")
    lab.engine.create(spec, ignore)
    manage("unregistervm", lab.uuid("gone"), "--delete")
    assert lab.engine.status(["gone"])["gone"].power is Power.ABSENT
    with pytest.raises(ProviderError, match="no machine gone"):
        lab.engine.start("gone", ignore)
    lab.engine.create(spec, ignore)
    assert is_whole(lab, "gone")
    manage("unregistervm", lab.uuid("gone"), "--delete")
    lab.engine.destroy("gone")
    assert lab.traces() == []


def test_a_leftover_machine_folder(lab: VirtualBoxLab) -> None:
    folder = lab.machine_folder / f"{lab.prefix}-left"
    (folder / "Logs").mkdir(parents=True)
    (folder / f"{lab.prefix}-left.vbox").write_text("<VirtualBox/>")
    (folder / f"{lab.prefix}-left-1.19-linux.vbox").write_text("<VirtualBox/>")
    (folder / "Logs" / "VBox.log").write_text("old")
    lab.engine.create(lab.spec("left"), ignore)
    assert is_whole(lab, "left")
    lab.engine.destroy("left")
    assert lab.traces() == []


def test_a_folder_with_somebodys_files(lab: VirtualBoxLab) -> None:
    folder = lab.machine_folder / f"{lab.prefix}-mine"
    folder.mkdir(parents=True)
    (folder / "thesis.odt").write_text("years of work")
    with pytest.raises(ProviderError, match="left alone") as caught:
        lab.engine.create(lab.spec("mine"), ignore)
    assert "thesis.odt" in caught.value.details
    assert (folder / "thesis.odt").read_text() == "years of work"
    (folder / "thesis.odt").unlink()


def test_somebody_elses_vm_of_that_name(lab: VirtualBoxLab) -> None:
    manage("createvm", "--name", f"{lab.prefix}-theirs", "--register")
    calls: tuple[Callable[[], None], ...] = (
        lambda: lab.engine.create(lab.spec("theirs"), ignore),
        lambda: lab.engine.start("theirs", ignore),
        lambda: lab.engine.stop("theirs", timeout_s=5),
        lambda: lab.engine.destroy("theirs"),
    )
    for call in calls:
        with pytest.raises(ProviderError, match="theirs"):
            call()
    assert "theirs" not in lab.engine.status()
    assert f'"{lab.prefix}-theirs"' in manage("list", "vms")


def test_a_stale_vagrant_folder(lab: VirtualBoxLab) -> None:
    spec = lab.spec("stale")
    place = spec.instance_dir / ".vagrant" / "machines" / "stale" / "virtualbox"
    place.mkdir(parents=True)
    (place / "id").write_text("00000000-0000-0000-0000-000000000000")
    lab.engine.create(spec, ignore)
    assert (place / "id").read_text() == lab.uuid("stale")
    shutil.rmtree(spec.instance_dir / ".vagrant")
    lab.engine.destroy("stale")
    assert lab.traces() == []


def test_a_vagrant_folder_that_points_to_somebody_elses_vm(lab: VirtualBoxLab) -> None:
    said = manage("createvm", "--name", f"other-{lab.prefix}", "--register")
    theirs = re.search(r"UUID: ([0-9a-f-]{36})", said)
    assert theirs is not None, said
    try:
        spec = lab.spec("astray")
        place = spec.instance_dir / ".vagrant" / "machines" / "astray" / "virtualbox"
        place.mkdir(parents=True)
        (place / "id").write_text(theirs[1])
        lab.engine.create(spec, ignore)
        (place / "id").write_text(theirs[1])
        folder = VmFolder(spec.instance_dir)
        record = folder.read()
        assert record is not None
        folder.write_vagrantfile(record, lab.engine.hypervisor.host_facts(record, folder))
        lab.engine.destroy("astray")
        assert lab.traces() == []
        assert theirs[1] in manage("list", "vms")
    finally:
        manage("unregistervm", theirs[1], "--delete")


def test_a_half_imported_base(lab: VirtualBoxLab) -> None:
    """The import ended, the snapshot that makes it whole was never taken."""
    box = find_stored_box(lab.image, "virtualbox")
    master = VirtualBox(lab.prefix).master_name(box, lab.spec("second").disk_gb)
    manage("import", str(box.folder / "box.ovf"), "--vsys", "0", "--vmname", master)
    lab.engine.create(lab.spec("second"), ignore)
    assert is_whole(lab, "second")
    lab.engine.create(lab.spec("third"), ignore)
    lab.engine.destroy("second")
    assert f'"{master}"' in manage("list", "vms")
    lab.engine.destroy("third")
    assert f'"{master}"' not in manage("list", "vms")


def processes_of(uuid: str) -> list[int]:
    """The processes in which VirtualBox runs that VM."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if b"VBoxHeadless" in words[0] and uuid.encode() in words:
                found.append(int(path.parent.name))
    return found


def test_an_aborted_vm(lab: VirtualBoxLab) -> None:
    """Its process was killed: VirtualBox keeps it, and calls it aborted."""
    spec = lab.spec("aborted")
    lab.engine.create(spec, ignore)
    uuid = lab.uuid("aborted")
    manage("startvm", uuid, "--type", "headless")
    for pid in processes_of(uuid):
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    # While it has not noticed, VirtualBox cannot tell
    while 'VMState="aborted"' not in manage("showvminfo", uuid, "--machinereadable", check=False):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert is_whole(lab, "aborted")
    lab.engine.create(spec, ignore)
    assert lab.uuid("aborted") == uuid
    lab.engine.destroy("aborted")
    assert lab.traces() == []


def test_a_vm_that_is_locked_by_a_process_that_hangs(lab: VirtualBoxLab) -> None:
    """Nobody else may change or remove it, and it answers nobody."""
    lab.engine.create(lab.spec("locked"), ignore)
    uuid = lab.uuid("locked")
    manage("startvm", uuid, "--type", "headless")
    pids = processes_of(uuid)
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        refused = manage("unregistervm", uuid, "--delete", check=False)
        assert "locked" in refused
        lab.engine.destroy("locked")
        assert lab.traces() == []
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_a_machine_that_another_vagrant_has_locked(lab: VirtualBoxLab) -> None:
    """Vagrant refuses any command on it while one is under way, or hangs."""
    lab.engine.create(lab.spec("busy"), ignore)
    record = VmFolder(lab.instances / "busy").read()
    assert record is not None
    # One that `start` writes: with it, `destroy` asks Vagrant
    folder = VmFolder(lab.instances / "busy")
    folder.write_vagrantfile(record, lab.engine.hypervisor.host_facts(record, folder))
    words = f"{folder.path}Vagrantfile{folder.path}/.vagrantbusy"
    key = hashlib.md5(words.encode(), usedforsecurity=False).hexdigest()
    place = clean_vagrant_home() / "data" / f"lock.machine-action-{key}.lock"
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        lab.engine.destroy("busy")
    place.unlink(missing_ok=True)
    assert "already executing an action" in folder.log.read_text()
    assert lab.traces() == []


@pytest.mark.parametrize("after_s", [0.3, 1.0, 2.0, 4.0, 8.0])
def test_killed_twice_the_third_works(lab: VirtualBoxLab, after_s: float) -> None:
    spec = lab.spec("killed")
    for _ in range(2):
        lab.kill_after(f"engine.create({spec!r}, ignore)", after_s)
    lab.engine.create(spec, ignore)
    assert is_whole(lab, "killed")
    lab.engine.destroy("killed")
    assert lab.traces() == []


@pytest.mark.parametrize("after_s", [1.0, 2.0])
def test_killed_and_destroyed_at_once(lab: VirtualBoxLab, after_s: float) -> None:
    """VirtualBox may still be at the import that nobody wants any more."""
    lab.kill_after(f"engine.create({lab.spec('killed')!r}, ignore)", after_s)
    lab.engine.destroy("killed")
    assert lab.traces() == []


def test_a_machine_without_its_folder(lab: VirtualBoxLab) -> None:
    spec = lab.spec("lost")
    lab.engine.create(spec, ignore)
    shutil.rmtree(spec.instance_dir)
    assert "lost" in lab.engine.status()
    lab.engine.destroy("lost")
    assert lab.traces() == []
