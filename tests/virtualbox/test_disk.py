"""`disk_gb` on real VirtualBox: the disk is as large as the box says, cloned or linked."""

import re
from dataclasses import replace

import pytest

from sandbox.events import Event, Notice
from sandbox.providers.vagrant.hypervisor import find_stored_box
from sandbox.providers.virtualbox.hypervisor import VirtualBox
from sandbox.spec.models import VirtualBoxOptions
from tests.virtualbox.conftest import VirtualBoxLab, manage

pytestmark = pytest.mark.virtualbox


def capacity_mb(vm: str) -> int:
    info = manage("showvminfo", vm, "--machinereadable")
    disk = re.search(r'-ImageUUID-\d+-\d+"="([0-9a-f-]{36})"', info)
    assert disk is not None, info
    said = manage("showmediuminfo", "disk", disk[1])
    found = re.search(r"^Capacity:\s+(\d+) MBytes", said, re.MULTILINE)
    assert found is not None, said
    return int(found[1])


@pytest.mark.parametrize("linked", [True, False])
def test_the_disk_is_as_large_as_the_box_says(lab: VirtualBoxLab, *, linked: bool) -> None:
    heard: list[Event] = []
    options = VirtualBoxOptions(linked_clone=linked)
    for name, disk_gb in (("four", 4), ("six", 6), ("again", 4)):
        spec = replace(lab.spec(name), disk_gb=disk_gb, options=options)
        lab.engine.create(spec, heard.append)
        assert capacity_mb(lab.uuid(name)) == disk_gb * 1024
    assert not [event for event in heard if isinstance(event, Notice)]
    masters = [line for line in manage("list", "vms").splitlines() if "-base." in line]
    box = find_stored_box(lab.image, "virtualbox")
    wanted = {VirtualBox(lab.prefix).master_name(box, disk_gb) for disk_gb in (4, 6)}
    ours = {line.partition('" ')[0].strip('"') for line in masters if lab.prefix in line}
    assert wanted == ours if linked else wanted >= ours
    for name in ("four", "six", "again"):
        lab.engine.destroy(name)
    assert lab.traces() == []


def test_a_disk_that_is_larger_already_is_said(lab: VirtualBoxLab) -> None:
    heard: list[Event] = []
    lab.engine.create(replace(lab.spec("small"), disk_gb=1), heard.append)
    (notice,) = [event.text for event in heard if isinstance(event, Notice)]
    assert "not 1024: its base image is not smaller" in notice
    assert capacity_mb(lab.uuid("small")) > 1024
