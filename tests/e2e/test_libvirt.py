"""A real VM: Vagrant and libvirt bring up boxes/r.yml, R inside, from the disk to the checks."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Host, virsh
from tests.e2e.test_interrupted import reach_step
from tests.shown_steps import shown_steps

pytestmark = [pytest.mark.libvirt, pytest.mark.slow]

UP_S = 2400
"""Most of what `up` does here is done by an emulated processor."""

BARE = """\
version: 1
description: a bare machine
base: debian-12
machine: {cpus: 1, memory_mb: 512, disk_gb: 5}
"""


@dataclass
class Vm:
    host: Host
    name: str

    def exec(self, *words: str) -> str:
        return self.host.sandbox("exec", self.name, "--", *words, timeout_s=300).stdout

    def kept(self, name: str) -> dict[str, Any]:
        """What `up` wrote into the instance's folder."""
        found: dict[str, Any] = json.loads((self.host.instances / self.name / name).read_text())
        return found

    def listed(self) -> dict[str, Any]:
        rows: list[dict[str, Any]] = json.loads(self.host.sandbox("list", "--json").stdout)
        return next(row for row in rows if row["name"] == self.name)


def traces(host: Host, name: str) -> list[str]:
    """What libvirt, Vagrant and the instances' folder know of one sandbox."""
    full = f"{host.prefix}-{name}"
    said = virsh("list", "--all") + virsh("vol-list", host.prefix)
    found = [line for line in said.splitlines() if full in line]
    index = host.home / "vagrant.d" / "data" / "machine-index" / "index"
    if index.exists():
        machines = json.loads(index.read_text())["machines"].values()
        found += [str(one) for one in machines if one["name"] == name]
    folder = host.instances / name
    return [*found, *([str(folder)] if folder.exists() else [])]


@pytest.fixture(scope="module")
def vm(libvirt_host: Host) -> Iterator[Vm]:
    """boxes/r.yml on libvirt; its checks are green, else `up` fails. It is baked, then."""
    try:
        done = libvirt_host.sandbox("up", "boxes/r.yml", "--provider", "libvirt", timeout_s=UP_S)
        assert shown_steps(done.stderr)["bake"].end == "done"
        assert "it is not kept" not in done.stderr
        yield Vm(libvirt_host, "r")
    finally:
        libvirt_host.sandbox("destroy", "r", expect=None)
        assert traces(libvirt_host, "r") == []


def test_it_is_a_machine_of_its_own_with_r_in_it(vm: Vm) -> None:
    facts = vm.kept("facts.json")
    assert facts["os"]["codename"] == "bookworm"
    assert facts["machine"]["cpus"] == 2
    assert facts["os"]["virtualization"] in ("qemu", "kvm")
    assert vm.exec("Rscript", "-e", "cat(as.character(getRversion()))").startswith("4.2.")
    # A kernel of its own, and a disk that has grown to what the box says
    assert vm.exec("uname", "-r") != Path("/proc/sys/kernel/osrelease").read_text(encoding="utf-8")
    size_kb = int(vm.exec("df", "--output=size", "/").split()[-1])
    assert size_kb > 0.9 * 10 * 1000**2


def test_every_check_is_green(vm: Vm) -> None:
    """As `up` has found them, in a whole run."""
    report = vm.kept("checks.json")
    assert report["whole"]
    outcomes = {one["id"]: one["outcome"] for one in report["results"]}
    assert set(outcomes.values()) == {"passed"}, outcomes


def test_it_listens_on_this_host_alone(vm: Vm) -> None:
    config = (vm.host.instances / "r" / "ssh_config").read_text()
    assert "HostName 127.0.0.1" in config
    port = next(line.split()[1] for line in config.splitlines() if line.split()[:1] == ["Port"])
    listening = Path("/proc/net/tcp").read_text(encoding="utf-8").splitlines()[1:]
    places = [line.split()[1] for line in listening if line.split()[3] == "0A"]
    ours = [place for place in places if int(place.split(":")[1], 16) == int(port)]
    assert [place.split(":")[0] for place in ours] == ["0100007F"]


def test_up_again_changes_nothing(vm: Vm) -> None:
    again = vm.host.sandbox("up", "boxes/r.yml", "--provider", "libvirt")
    assert "unchanged" in again.stderr


def test_snapshots_and_reset(vm: Vm) -> None:
    vm.exec("sudo", "sh", "-c", "echo before > /root/kept; sync")
    assert vm.host.sandbox("snapshot", "save", "r", "one").stdout.strip() == "one"
    vm.exec("sudo", "sh", "-c", "echo after > /root/kept; sync")
    vm.host.sandbox("snapshot", "restore", "r", "one")
    assert vm.exec("sudo", "cat", "/root/kept") == "before\n"
    rows = json.loads(vm.host.sandbox("snapshot", "list", "r", "--json").stdout)
    assert [row["name"] for row in rows] == ["provisioned", "one"]
    vm.host.sandbox("snapshot", "delete", "r", "one")

    vm.host.sandbox("reset", "r")
    assert vm.exec("sudo", "sh", "-c", "ls /root/kept || echo gone") == "gone\n"
    assert vm.listed()["state"] == "running"


def kept(host: Host) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(host.sandbox("cache", "list", "--json").stdout)
    return [row for row in rows if (row["provider"], row["kind"]) == ("libvirt", "baked")]


def test_the_next_one_is_a_clone_and_itself_however_often_it_was_killed(vm: Vm) -> None:
    host, options = vm.host, ("--provider", "libvirt", "--name", "twin", "--memory-mb", "1024")
    try:
        for delay_s in (1.0, 25.0):
            process = host.start("up", "boxes/r.yml", *options)
            said = reach_step(process, "start", delay_s=delay_s)
            process.kill()
            process.wait()
            # The first one has made it; nobody makes it again
            assert ("clone" in shown_steps(said)) is (delay_s == 1.0), said
        done = host.sandbox("up", "boxes/r.yml", *options, timeout_s=UP_S)
        steps = shown_steps(done.stderr)
        assert steps["quick checks"].end == "done"
        assert "provision" not in steps
        assert host.sandbox("exec", "twin", "--", "hostname").stdout == "twin\n"
        twin = Vm(host, "twin")
        assert {one["outcome"] for one in twin.kept("checks.json")["results"]} == {"passed"}
        assert twin.exec("Rscript", "-e", "cat(6 * 7)") == "42"
        probed = json.loads(host.sandbox("probe", "twin", timeout_s=300).stdout)
        facts = [found["identity"] for found in (vm.kept("facts.json"), probed)]
        assert facts[0]["machine_id"] != facts[1]["machine_id"]
        keys = [set(one["ssh_host_keys"]) for one in facts]
        assert all(keys)
        assert not keys[0] & keys[1]
        [image] = kept(host)
        assert (image["box"], image["machines"]) == ("r", ["twin"])
        assert image["image"] not in host.sandbox("cache", "prune", "--dry-run").stdout
    finally:
        host.reap()
        host.sandbox("destroy", "twin", expect=None)
        assert traces(host, "twin") == []
    # The image is left for `host teardown` to take back
    assert [one["machines"] for one in kept(host)] == [[]]


@pytest.fixture
def bare(libvirt_host: Host, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "bare.yml"
    path.write_text(BARE)
    yield path
    libvirt_host.reap()
    libvirt_host.sandbox("destroy", "bare", expect=None)
    assert traces(libvirt_host, "bare") == []


@pytest.mark.parametrize(("step", "delay_s"), [("create", 0.5), ("start", 3.0)])
def test_destroy_of_a_half_made_vm_leaves_nothing(
    libvirt_host: Host, bare: Path, step: str, delay_s: float
) -> None:
    process = libvirt_host.start("up", bare, "--provider", "libvirt")
    reach_step(process, step, delay_s=delay_s)
    process.kill()
    process.wait()
    libvirt_host.sandbox("destroy", "bare", timeout_s=300)
    assert traces(libvirt_host, "bare") == []
