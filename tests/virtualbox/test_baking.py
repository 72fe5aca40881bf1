"""Baked images on real VirtualBox: whole or not used at all, and what is made from them.

Where nothing helps VirtualBox, a boot takes minutes. All but the last test do without one: their
machine is given a memory that nothing can go on from, and their copy is not sealed.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sandbox.errors import ProviderError
from sandbox.events import ignore
from sandbox.providers.engine import Power
from sandbox.providers.sealing import STAND_STILL
from sandbox.providers.virtualbox.hypervisor import VirtualBox
from tests.conftest import wait_until
from tests.virtualbox.conftest import VirtualBoxLab, manage
from tests.virtualbox.test_disk import capacity_mb

pytestmark = pytest.mark.virtualbox

BEYOND = os.environ.get("SANDBOX_TEST_BEYOND", "")
"""HOST:PORT of what listens on no address of this host; without it, one thing is not looked at."""

LABELS = (("box", "plain"), ("plan", "0123"))


def prepare_asleep(lab: VirtualBoxLab, name: str = "oven") -> None:
    """A machine that is off, with a snapshot that VirtualBox takes for one of a running one."""
    lab.engine.create(lab.spec(name), ignore)
    uuid = lab.uuid(name)
    memory = lab.machine_folder / f"{lab.prefix}-{name}" / "Snapshots" / "memory.sav"
    memory.parent.mkdir(exist_ok=True)
    memory.write_bytes(bytes(100_000))
    manage("adoptstate", uuid, str(memory))
    manage("snapshot", uuid, "take", "done")
    manage("discardstate", uuid)


@pytest.fixture
def unsealed(lab: VirtualBoxLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is woken, and nothing taken out."""

    @contextmanager
    def woken(image: str) -> Iterator[None]:
        manage("discardstate", f"{lab.prefix}-{image}")
        yield

    hypervisor = lab.engine.hypervisor
    assert isinstance(hypervisor, VirtualBox)
    monkeypatch.setattr(hypervisor.images, "woken", woken)
    monkeypatch.setattr(lab.engine, "_seal", lambda *_: None)


@pytest.mark.usefixtures("unsealed")
def test_machines_hang_on_an_image_and_keep_it(lab: VirtualBoxLab) -> None:
    engine = lab.engine
    assert engine.baked_images() == ()
    prepare_asleep(lab)
    old = engine.bake("oven", "done", "k", LABELS, ignore)
    made = engine.bake("oven", "done", "k", LABELS, ignore)
    assert [one.image for one in engine.baked_images()] == [made.image, old.image]
    engine.delete_baked(old.image)
    [found] = engine.baked_images(with_sizes=True)
    assert (found.image, found.key, found.complete) == (made.image, "k", True)
    assert (found.labels, found.machines) == (LABELS, ())
    assert (found.size_bytes or 0) > 50e6
    # It is no machine, nobody's memory is in it, and it hangs on nothing of its machine's
    assert list(engine.status()) == ["oven"]
    folder = lab.machine_folder / f"{lab.prefix}-{made.image}"
    assert not list(folder.rglob("*.sav"))
    engine.destroy("oven")

    for name in ("left", "right"):
        engine.create(lab.from_image(name, made.image), ignore)
        assert engine.status()[name].power is Power.STOPPED
        assert capacity_mb(lab.uuid(name)) == 4 * 1024
        own = sum(
            path.stat().st_size
            for path in (lab.machine_folder / f"{lab.prefix}-{name}").rglob("*.vdi")
        )
        assert own < 10e6
    uuids = [lab.uuid(name) for name in ("left", "right")]
    info = [manage("showvminfo", uuid, "--machinereadable") for uuid in uuids]
    for word in ("macaddress1", "hardwareuuid"):
        lines = [line for text in info for line in text.splitlines() if word in line]
        assert len(set(lines)) == 2, lines
    assert "Forwarding(" not in "".join(info)
    [found] = engine.baked_images()
    assert found.machines == ("left", "right")
    for name in ("left", "right"):
        with pytest.raises(ProviderError, match="is still needed by machines"):
            engine.delete_baked(made.image)
        engine.destroy(name)
    engine.delete_baked(made.image)
    engine.delete_baked(made.image)
    with pytest.raises(ProviderError, match="no baked image"):
        engine.create(lab.from_image("late", made.image), ignore)
    assert lab.traces() == []


def test_an_image_that_cannot_be_woken_leaves_nothing(lab: VirtualBoxLab) -> None:
    """Its memory is of another machine: VirtualBox itself refuses to go on from it."""
    engine = lab.engine
    with pytest.raises(ProviderError, match="no machine nobody"):
        engine.bake("nobody", "done", "k", LABELS, ignore)
    prepare_asleep(lab)
    with pytest.raises(ProviderError, match="no snapshot never"):
        engine.bake("oven", "never", "k", LABELS, ignore)
    with pytest.raises(ProviderError, match="startvm"):
        engine.bake("oven", "done", "k", LABELS, ignore)
    assert engine.baked_images() == ()
    assert not [line for line in lab.traces() if "Baked-" in line]
    manage("snapshot", lab.uuid("oven"), "take", "off")
    with pytest.raises(ProviderError, match="while the machine was off"):
        engine.bake("oven", "off", "k", LABELS, ignore)
    assert engine.baked_images() == ()
    assert not [line for line in lab.traces() if "Baked-" in line]
    engine.destroy("oven")
    assert lab.traces() == []


@pytest.mark.usefixtures("unsealed")
@pytest.mark.parametrize("after_s", [0.2, 0.6, 1.2, 2.5])
def test_a_bake_that_is_killed_is_never_used_and_is_cleared(
    lab: VirtualBoxLab, after_s: float
) -> None:
    engine = lab.engine
    prepare_asleep(lab)
    words = f"engine.bake('oven', 'done', 'k', {LABELS!r}, ignore)"
    # Where it is asleep it cannot end well: at worst it has cleared up by itself
    lab.kill_after(words, after_s)
    for killed in engine.baked_images():
        assert (killed.key, killed.complete) == ("k", False)
        with pytest.raises(ProviderError, match="no baked image"):
            engine.create(lab.from_image("raw", killed.image), ignore)
        assert "raw" not in engine.status()
    made = engine.bake("oven", "done", "k", LABELS, ignore)
    assert [one.image for one in engine.baked_images()] == [made.image]
    engine.create(lab.from_image("after", made.image), ignore)
    for name in ("after", "oven"):
        engine.destroy(name)
    engine.delete_baked(made.image)
    assert lab.traces() == []


@pytest.mark.usefixtures("unsealed")
def test_an_image_that_somebody_spoiled_is_not_used(lab: VirtualBoxLab) -> None:
    engine = lab.engine
    prepare_asleep(lab)
    made = engine.bake("oven", "done", "k", LABELS, ignore)
    vm = f"{lab.prefix}-{made.image}"
    [disk] = (lab.machine_folder / vm).glob("*.vdi")
    disk.unlink()
    assert [one.complete for one in engine.baked_images()] == [False]
    with pytest.raises(ProviderError, match="no baked image"):
        engine.create(lab.from_image("raw", made.image), ignore)
    engine.delete_baked(made.image)
    assert engine.baked_images() == ()
    engine.destroy("oven")
    assert lab.traces() == []


# The base image of a lab may have no systemd, and so no unit that makes keys where there are none.
# This is the test's, in place of that unit; it changes nothing where there is one.
MAKE_KEYS = """
key=/etc/ssh/ssh_host_ed25519_key
if [ -f /sbin/lab-init ]; then
  sed -i "s#^/usr/sbin/sshd#[ -e $key ] || ssh-keygen -q -t ed25519 -N '' -f $key; &#" \
    /sbin/lab-init
  grep -q ssh-keygen /sbin/lab-init
fi
"""
# Not the words themselves: sudo may write this very command into a log
LEAVE = r"""
mkdir -p /var/lib/rstudio-server /var/lib/systemd /etc/ssl/private
for file in /var/lib/rstudio-server/secure-cookie-key /var/lib/systemd/random-seed \
  /etc/ssl/private/ssl-cert-snakeoil.key; do
  printf 'secret-of-%s\n' oven > "$file"
done
echo 0123456789abcdef0123456789abcdef > /etc/machine-id
for file in /root/.bash_history /home/sandbox/.Rhistory /var/log/app.log /tmp/left; do
  printf 'secret %s\n' word > "$file"
done
echo baked > /root/kept
sync
"""
LOOK = r"""
hostname
cat /etc/hostname
cat /root/kept
echo "later: $(cat /root/later 2>/dev/null)"
echo "machine-id: $(grep -c 0123456789abcdef /etc/machine-id)"
echo "left: $(cat /root/.bash_history /home/sandbox/.Rhistory /var/log/app.log /tmp/left \
  /var/lib/rstudio-server/secure-cookie-key 2>/dev/null | grep -c 'secret')"
echo "hosts: $(grep -c oven /etc/hosts)"
echo "reached: $(cat /root/machine /root/copy 2>/dev/null | tr '\n' ' ')"
cat /home/*/.ssh/authorized_keys
cut -d' ' -f1,2 /etc/ssh/ssh_host_*_key.pub
"""


def reach(place: str, into: str) -> str:
    """A script that notes whether HOST:PORT can be connected to; nothing without a place."""
    if not place:
        return ""
    host, _, port = place.partition(":")
    return (
        f"\nif timeout 120 bash -c '</dev/tcp/{host}/{port}' 2>/dev/null;"
        f" then echo yes; else echo no; fi > {into}\n"
    )


BAKE_KILLED = f"""
def tell(event):
    print(event.line, flush=True)
engine.bake("oven", "done", "k", {LABELS!r}, tell)
"""


def kill_while_it_is_awake(lab: VirtualBoxLab) -> None:
    """A copy is left that runs, and is no image; the next bake has to clear it."""

    def running() -> bool:
        return f'"{lab.prefix}-Baked-' in manage("list", "runningvms")

    source = lab.source + BAKE_KILLED
    with subprocess.Popen(
        [sys.executable, "-c", source], stdout=subprocess.PIPE, text=True
    ) as process:
        wait_until("the copy to run", running, timeout_s=300, interval_s=1)
        process.kill()
    [killed] = lab.engine.baked_images()
    assert (killed.key, killed.complete) == ("k", False)
    assert running()


@pytest.mark.slow
def test_a_running_machine_is_baked_and_clones_have_an_identity_of_their_own(
    lab: VirtualBoxLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = lab.engine
    monkeypatch.setattr(
        "sandbox.providers.vagrant.baking.STAND_STILL", reach(BEYOND, "/root/copy") + STAND_STILL
    )
    began = time.monotonic()

    def tell(what: str) -> None:
        sys.stderr.write(f"{what}: {time.monotonic() - began:.0f} s\n")

    def sh(name: str, script: str) -> list[str]:
        try:
            done = engine.exec_as_root(name, ("sh", "-c", script), timeout_s=900)
        except ProviderError as error:
            pytest.fail(f"{error.message}: {error.details}", pytrace=False)
        tell(f"a command in {name}")
        return done.stdout.splitlines()

    engine.create(lab.spec("oven"), ignore)
    engine.start("oven", ignore)
    tell("the oven is up")
    sh("oven", "set -e" + MAKE_KEYS + LEAVE + reach(BEYOND, "/root/machine"))
    engine.save_snapshot("oven", "done", ignore)
    tell("saved")
    kill_while_it_is_awake(lab)
    tell("killed")
    made = engine.bake("oven", "done", "k", LABELS, ignore)
    tell("baked")
    # The machine has not noticed: it goes on, and its console is its own
    assert engine.status()["oven"].power is Power.RUNNING
    said = sh(
        "oven", "echo later > /root/later; cat /etc/machine-id; cut -d' ' -f1,2 /etc/ssh/*.pub"
    )
    assert said[0] == "0123456789abcdef0123456789abcdef"
    keys = {"oven": set(engine.ssh_endpoint("oven").host_keys)}
    assert keys["oven"] == set(said[1:])
    folder = lab.machine_folder / f"{lab.prefix}-{made.image}"
    assert not list(folder.rglob("*.sav"))
    # Not even on the disk, between the files
    assert not lab.holds(folder, b"secret-of-oven")
    engine.destroy("oven")

    for name in ("left", "right"):
        spec = lab.from_image(name, made.image)
        engine.create(spec, ignore)
        engine.start(name, ignore)
        tell(f"{name} is up")
        said = sh(name, LOOK)
        assert said[:3] == [name, name, "baked"]
        assert said[3:7] == ["later: ", "machine-id: 0", "left: 0", "hosts: 0"]
        # The copy could not speak to whom its machine could
        assert said[7] == ("reached: yes no " if BEYOND else "reached: ")
        # Nobody else's key opens it
        assert said[8] == spec.authorized_key
        keys[name] = set(engine.ssh_endpoint(name).host_keys)
        assert keys[name] == set(said[9:])
        assert keys[name]
        # One at a time; its disk stays
        engine.stop(name, timeout_s=0)
    for one, other in (("left", "right"), ("oven", "left"), ("oven", "right")):
        assert not keys[one] & keys[other]
    with pytest.raises(ProviderError, match="is still needed by machines"):
        engine.delete_baked(made.image)
    for name in ("left", "right"):
        engine.destroy(name)
    engine.delete_baked(made.image)
    assert lab.traces() == []
