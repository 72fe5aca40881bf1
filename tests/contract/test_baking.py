"""Baked images: whole or not used at all; no two machines made from one share what is theirs."""

import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import ProviderError
from sandbox.events import ignore
from sandbox.providers.abilities import BakedImage, Baking, RootExec, Snapshots
from sandbox.providers.engine import Engine, MachineSpec, Power
from sandbox.providers.incus.client import api_path
from sandbox.providers.vagrant.files import INSECURE_KEY
from tests.conftest import wait_until
from tests.contract.conftest import FakeLab, IncusLab, Lab
from tests.contract.test_snapshots import go_back
from tests.contract.vm_disk import RawDisk
from tests.contract.vm_lab import LibvirtLab

LABELS = (("box", "plain"), ("plan", "0123"))
"""Of an image: not all that its machine has."""


@pytest.fixture
def lab(quick_lab: Lab) -> Lab:
    """Libvirt has one test for all, at the end."""
    return quick_lab


def able(lab: Lab) -> Baking:
    engine = lab.engine
    assert isinstance(engine, Baking)
    return engine


def sh(engine: Engine, name: str, script: str) -> str:
    assert isinstance(engine, RootExec)
    return engine.exec_as_root(name, ("sh", "-c", script), timeout_s=300).stdout.strip()


def from_image(spec: MachineSpec, image: str) -> MachineSpec:
    return replace(spec, image=image)


def prepare(lab: Lab, name: str = "oven", script: str = "") -> None:
    """A machine that ran, in which `script` was run, and which has a snapshot."""
    engine = lab.engine
    assert isinstance(engine, Snapshots)
    engine.create(lab.spec(name), ignore)
    engine.start(name, ignore)
    if script:
        sh(engine, name, script)
    engine.save_snapshot(name, "done", ignore)


def test_a_machine_is_kept_and_others_are_made_from_it(lab: Lab) -> None:
    baking, engine = able(lab), lab.engine
    assert baking.baked_images() == ()
    prepare(lab)
    made = baking.bake("oven", "done", "0123456789ab", LABELS, ignore)
    [found] = baking.baked_images()
    assert (found.image, found.key, found.complete) == (made.image, "0123456789ab", True)
    assert abs(found.made_at - datetime.now(UTC)) < timedelta(minutes=5)
    assert found.labels == LABELS
    assert found.machines == ()
    # It is no machine, and the one that it came from is as it was
    assert list(engine.status()) == ["oven"]
    assert engine.status()["oven"].power is Power.RUNNING

    spec = lab.spec("bread", memory_mb=384)
    engine.create(from_image(spec, made.image), ignore)
    engine.create(from_image(spec, made.image), ignore)
    assert engine.status()["bread"].power is Power.STOPPED
    assert engine.status()["bread"].labels == spec.labels
    engine.start("bread", ignore)
    assert engine.ssh_endpoint("bread").host_keys
    [found] = baking.baked_images()
    assert found.machines == ("bread",)

    engine.destroy("bread")
    engine.destroy("oven")
    [found] = baking.baked_images()
    assert found.machines == ()
    baking.delete_baked(made.image)
    baking.delete_baked(made.image)
    assert baking.baked_images() == ()


def test_what_cannot_be(lab: Lab) -> None:
    baking, engine = able(lab), lab.engine
    with pytest.raises(ProviderError):
        baking.bake("nobody", "done", "k", LABELS, ignore)
    prepare(lab)
    with pytest.raises(ProviderError):
        baking.bake("oven", "never", "k", LABELS, ignore)
    assert baking.baked_images() == ()
    with pytest.raises(ProviderError):
        baking.delete_baked("oven")
    assert lab.is_there("oven")
    made = baking.bake("oven", "done", "k", LABELS, ignore)
    baking.delete_baked(made.image)
    with pytest.raises(ProviderError):
        engine.create(from_image(lab.spec("late"), made.image), ignore)
    assert not lab.is_there("late")


def test_a_second_bake_of_a_key_comes_first(lab: Lab) -> None:
    baking = able(lab)
    prepare(lab)
    first = baking.bake("oven", "done", "k", LABELS, ignore)
    second = baking.bake("oven", "done", "k", LABELS, ignore)
    assert [one.image for one in baking.baked_images()] == [second.image, first.image]
    for one in (first, second):
        baking.delete_baked(one.image)


def bake_of(lab: IncusLab) -> BakedImage:
    prepare(lab)
    return lab.engine.bake("oven", "done", "k", LABELS, ignore)


# What services and people leave behind
LEAVE = (
    "set -e; mkdir -p /var/lib/rstudio-server /etc/ssl/private;"
    "for file in /var/lib/rstudio-server/secure-cookie-key"
    " /etc/ssl/private/ssl-cert-snakeoil.key /var/lib/systemd/random-seed"
    " /var/lib/systemd/credential.secret; do"
    ' head -c 32 /dev/urandom | base64 > "$file"; done;'
    "echo 'secret word' | tee /root/.bash_history /home/sandbox/.Rhistory /var/log/app.log"
    " /tmp/left /var/tmp/left; ssh-keygen -q -t ed25519 -N '' -f /home/sandbox/.ssh/id_ed25519"
)
# Not the word itself: sudo writes this very command into the journal
LEFT = "grep -rl 'secret [w]ord' /root /home /var /tmp /etc || true"

IDENTITY = r"""
printf 'machine-id %s\n' "$(cat /etc/machine-id)"
printf 'dbus-id %s\n' "$(cat /var/lib/dbus/machine-id)"
printf 'boot-id %s\n' "$(cat /proc/sys/kernel/random/boot_id)"
printf 'hostname %s\n' "$(hostname)"
printf 'etc-hostname %s\n' "$(cat /etc/hostname)"
for key in /etc/ssh/ssh_host_*_key.pub; do printf 'host-key %s\n' "$(cut -d' ' -f2 "$key")"; done
find / -xdev \( -name random-seed -o -name 'credential.secret' -o -name '*cookie-key*' \
  -o -name 'ssl-cert-snakeoil.key' \) -type f -exec sha256sum {} + | sed 's/^/secret /'
grep -rlE 'PRIVATE KEY' /etc /root /home /var /srv /opt 2>/dev/null \
  | xargs -r sha256sum | sed 's/^/private-key /'
sed 's/^/authorized /' /home/sandbox/.ssh/authorized_keys
"""


ADDRESS = r"""
printf 'mac %s\n' "$(cat /sys/class/net/eth0/address)"
printf 'address %s\n' "$(ip -4 -o addr show eth0 | awk '{print $4}')"
"""


def identity(engine: Engine, name: str, script: str = IDENTITY) -> set[str]:
    """All by which the machine could be told, or could be broken into; one thing a line."""
    lines = sh(engine, name, script).splitlines()
    kinds = {line.split(" ")[0] for line in lines}
    assert {"machine-id", "host-key", "hostname", "private-key", "authorized"} <= kinds
    values = [line.split(" ")[1:2] for line in lines]
    assert all(value and value[0] for value in values), lines
    return set(lines)


@pytest.mark.incus
def test_two_machines_from_one_image_share_nothing_of_their_own(incus_lab: IncusLab) -> None:
    lab, engine = incus_lab, incus_lab.engine
    prepare(lab, script=LEAVE)
    made = engine.bake("oven", "done", "k", LABELS, ignore)
    names = ("oven", "left", "right")
    for name in names[1:]:
        engine.create(from_image(lab.spec(name), made.image), ignore)
        engine.start(name, ignore)
    found = {name: identity(engine, name, IDENTITY + ADDRESS) for name in names}
    for one, other in (("left", "right"), ("oven", "left"), ("oven", "right")):
        assert not found[one] & found[other]
    for name in names[1:]:
        assert lab.run(name, "sh", "-c", LEFT) == ""
        assert "oven" not in lab.run(name, "cat", "/etc/hosts", "/etc/hostname")
        system = lab.run(name, "systemctl", "is-system-running").strip()
        assert system == "running"


@pytest.mark.incus
def test_a_machine_has_its_own_size_and_its_image_may_go(incus_lab: IncusLab) -> None:
    lab, engine = incus_lab, incus_lab.engine
    made = bake_of(lab)
    spec = lab.spec("small", cpus=1, memory_mb=384)
    engine.create(from_image(spec, made.image), ignore)
    engine.start("small", ignore)
    config: dict[str, Any] = lab.client.query("GET", api_path("instances", "small"))["config"]
    assert config["limits.memory"] == "384MiB"
    assert not any(key.startswith("raw.") for key in config)
    engine.delete_baked(made.image)
    lab.run("small", "sh", "-c", "dpkg --verify; echo still > /root/alive; sync")
    engine.stop("small", timeout_s=30)
    engine.start("small", ignore)
    assert lab.run("small", "cat", "/root/alive").strip() == "still"


@pytest.mark.incus
@pytest.mark.parametrize("seconds", [0.1, 0.4, 0.8])
def test_a_bake_that_is_killed_is_never_used_and_is_cleared(
    incus_lab: IncusLab, seconds: float
) -> None:
    lab, engine = incus_lab, incus_lab.engine
    prepare(lab)
    source = lab.source + (
        "from sandbox.events import ignore\nprint('go', flush=True)\n"
        f"engine.bake('oven', 'done', 'k', {LABELS!r}, ignore)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "go\n"
    # A request may take any time: the end comes wherever it is by then
    time.sleep(seconds)
    process.kill()
    process.communicate()
    killed = engine.baked_images()
    assert all(not one.complete or process.returncode == 0 for one in killed)
    made = engine.bake("oven", "done", "k", LABELS, ignore)
    whole = [one for one in engine.baked_images() if one.complete]
    assert whole[0].image == made.image
    left = [one.image for one in engine.baked_images() if not one.complete]
    assert left == []
    engine.create(from_image(lab.spec("after"), made.image), ignore)
    engine.start("after", ignore)


@pytest.mark.incus
def test_an_image_is_complete_only_when_it_is_sealed(
    incus_lab: IncusLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, engine = incus_lab, incus_lab.engine
    prepare(lab)
    monkeypatch.setattr("sandbox.providers.incus.baking.SEAL", "exit 7")
    with pytest.raises(ProviderError):
        engine.bake("oven", "done", "k", LABELS, ignore)
    assert engine.baked_images() == ()
    deep = {"recursion": "1"}
    instances = lab.client.query("GET", api_path("instances"), parameters=deep)
    assert [one["name"] for one in instances] == ["oven"]


def test_an_unfinished_image_is_told_apart(tmp_path: Path) -> None:
    lab = FakeLab(tmp_path)
    prepare(lab)
    lab.engine.failures["bake!"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        lab.engine.bake("oven", "done", "k", LABELS, ignore)
    lab.engine.failures.clear()
    assert [one.complete for one in lab.engine.baked_images()] == [False]
    lab.engine.bake("oven", "done", "k", LABELS, ignore)
    assert [one.complete for one in lab.engine.baked_images()] == [True]


BAKE_KILLED = f"""
def tell(event):
    print(event.line, flush=True)
engine.bake("oven", "done", "k", {LABELS!r}, tell)
"""


def kill_a_bake(lab: LibvirtLab, step: str, delay_s: float) -> None:
    """What it leaves is never used; that it is cleared is for the next bake to show."""
    engine = lab.engine
    process = subprocess.Popen(
        [sys.executable, "-c", lab.source + BAKE_KILLED], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == step:
            break
    wait_until("a trace of the bake", engine.baked_images)
    time.sleep(delay_s)
    process.kill()
    process.communicate()
    [killed] = engine.baked_images()
    assert not killed.complete
    with pytest.raises(ProviderError):
        engine.create(from_image(lab.spec("raw"), killed.image), ignore)
    assert not lab.is_there("raw")


def require_nothing_of_its_own(disk: RawDisk) -> None:
    """Each thing in `IDENTITY` is missing: a clone that has it has made it itself."""
    for path in ("/etc/machine-id", "/etc/hostname"):
        assert disk.read(path) == "", path
    assert "oven" not in disk.read("/etc/hosts")
    assert not [name for name in disk.names("/etc/ssh") if name.startswith("ssh_host_")]
    for folder, name in (
        ("/var/lib/systemd", "random-seed"),
        ("/var/lib/systemd", "credential.secret"),
        ("/var/lib/rstudio-server", "secure-cookie-key"),
        ("/etc/ssl/private", "ssl-cert-snakeoil.key"),
        ("/root", ".bash_history"),
        ("/home/sandbox", ".Rhistory"),
        ("/root/.ssh", "authorized_keys"),
    ):
        assert name not in disk.names(folder), f"{folder}/{name}"
    if "machine-id" in disk.names("/var/lib/dbus"):
        assert "Type: symlink" in disk.ask("stat /var/lib/dbus/machine-id")
    # The key that its first start takes out, as in any base image
    assert disk.names("/home/sandbox/.ssh") == {"authorized_keys"}
    assert disk.read("/home/sandbox/.ssh/authorized_keys").strip() == INSECURE_KEY


@pytest.mark.libvirt
@pytest.mark.slow
def test_libvirt_bakes_a_running_machine_and_a_clone_has_an_identity_of_its_own(
    libvirt_lab: LibvirtLab, tmp_path: Path
) -> None:
    """All at once: each of the two boots takes a minute where the processor is emulated."""
    lab, engine = libvirt_lab, libvirt_lab.engine
    assert engine.baked_images() == ()
    with pytest.raises(ProviderError):
        engine.bake("nobody", "done", "k", LABELS, ignore)
    prepare(lab, script=LEAVE)
    booted = sh(engine, "oven", "cat /proc/sys/kernel/random/boot_id; echo later > /root/later")
    with pytest.raises(ProviderError):
        engine.bake("oven", "never", "k", LABELS, ignore)
    assert engine.baked_images() == ()

    kill_a_bake(lab, "copying it", 0.5)
    kill_a_bake(lab, "taking out what is its own", 3.0)
    made = engine.bake("oven", "done", "k", LABELS, ignore)
    [found] = engine.baked_images(with_sizes=True)
    assert (found.image, found.key, found.complete) == (made.image, "k", True)
    assert found.labels == LABELS
    assert (found.size_bytes or 0) > 100e6
    # The image is its volume and its record; the machine has not noticed
    assert len([line for line in lab.traces() if "Baked-" in line]) == 2
    assert list(engine.status()) == ["oven"]
    assert engine.status()["oven"].power is Power.RUNNING
    now = sh(engine, "oven", "cat /proc/sys/kernel/random/boot_id; cat /root/later")
    assert now == f"{booted}\nlater"
    oven = identity(engine, "oven")
    engine.delete_snapshot("oven", "done")
    # The contract of snapshots, too, which ends with its destruction
    go_back(lab, "oven")

    disk = RawDisk.of(lab.disk(made.image), tmp_path / "baked.raw")
    require_nothing_of_its_own(disk)
    disk.path.unlink()
    for name in ("left", "right"):
        engine.create(from_image(lab.spec(name), made.image), ignore)
        assert engine.status()[name].power is Power.STOPPED
    [found] = engine.baked_images()
    assert found.machines == ("left", "right")
    engine.start("left", ignore)
    assert not identity(engine, "left") & oven
    assert sh(engine, "left", LEFT) == ""
    assert sh(engine, "left", "ls /root/later 2>/dev/null || echo none") == "none"
    assert "oven" not in sh(engine, "left", "cat /etc/hosts /etc/hostname")
    assert sh(engine, "left", "systemctl is-system-running") == "running"
    # Nobody else's key opens it
    keys = sh(engine, "left", "cat /home/*/.ssh/authorized_keys")
    assert keys == lab.spec("left").authorized_key
    with pytest.raises(ProviderError):
        engine.delete_baked(made.image)
    engine.destroy("left")
    engine.destroy("right")
    engine.delete_baked(made.image)
    assert lab.traces() == []
