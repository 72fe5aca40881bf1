"""What only a real Incus can show: limits, identity, the road in, and Incus's own refusals."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.deadline import keep_trying
from sandbox.errors import HostError, ProviderError
from sandbox.events import Event, Notice, ignore
from sandbox.providers.engine import MachineSpec, Power
from sandbox.providers.incus.client import NotFoundError
from sandbox.providers.incus.engine import IncusEngine
from sandbox.providers.incus.explaining import LateCommandError
from sandbox.providers.incus.instances import ssh_port_is_open
from sandbox.providers.incus.place import IncusPlace
from sandbox.ssh import SshTarget, disconnect, write_config
from tests.conftest import wait_until
from tests.contract.conftest import IncusLab, lab_on_incus
from tests.contract.hanging import look_from_outside

pytestmark = pytest.mark.incus


@pytest.fixture(scope="module")
def house(incus_place: IncusPlace, incus_image: str) -> Iterator[IncusLab]:
    with lab_on_incus(incus_place, incus_image) as lab:
        yield lab


@pytest.fixture
def incus_lab(house: IncusLab) -> Iterator[IncusLab]:
    """The same for all of these tests; of machines, only `box` is still there for the next one."""
    yield house
    for name in house.engine.status():
        if name != "box":
            house.engine.destroy(name)


@pytest.fixture(scope="module")
def box(house: IncusLab) -> MachineSpec:
    spec = house.spec("box")
    house.engine.create(spec, ignore)
    return spec


@pytest.fixture
def machine(incus_lab: IncusLab, box: MachineSpec) -> MachineSpec:
    """The running machine `box`, which each test leaves whole."""
    engine = incus_lab.engine
    if engine.status(["box"])["box"].power is not Power.RUNNING:
        engine.start("box", ignore)
    try:
        engine.exec_as_root("box", ("true",), timeout_s=30)
    except LateCommandError:
        seen = look_from_outside(incus_lab.client, "box")
        # One that hangs would take all tests that follow with it
        engine.destroy("box")
        engine.create(box, ignore)
        pytest.fail(f"the test before left a machine that does not answer:\n{seen}")
    return box


@pytest.fixture
def spare(incus_lab: IncusLab) -> MachineSpec:
    """A running machine of the test's own, which may break it."""
    spec = incus_lab.spec("spare")
    incus_lab.engine.create(spec, ignore)
    incus_lab.engine.start("spare", ignore)
    return spec


def connect(lab: IncusLab, spec: MachineSpec, *, through_incus: bool = False) -> SshTarget:
    endpoint = lab.engine.ssh_endpoint(spec.name)
    if through_incus:
        proxy = lab.engine.proxy_command(spec.name)
        endpoint = replace(endpoint, host=spec.name, proxy_command=proxy)
    return write_config(spec.instance_dir, spec.name, endpoint)


def test_the_machine_as_it_comes(incus_lab: IncusLab, machine: MachineSpec) -> None:
    assert incus_lab.run("box", "systemctl", "is-system-running").strip() == "running"
    assert 0 < int(incus_lab.run("box", "id", "-u", "sandbox")) < 1000
    shadow = [line.split(":")[1] for line in incus_lab.run("box", "getent", "shadow").splitlines()]
    assert all(field.startswith(("!", "*")) for field in shadow)
    sshd = incus_lab.run("box", "/usr/sbin/sshd", "-T").splitlines()
    assert "passwordauthentication no" in sshd
    assert "kbdinteractiveauthentication no" in sshd
    assert "permitrootlogin no" in sshd
    listening = incus_lab.run("box", "sh", "-c", "ss -Hlnt || cat /proc/net/tcp").split("\n")
    assert all(":22 " in line for line in listening if line)
    keys = incus_lab.run("box", "cat", "/home/sandbox/.ssh/authorized_keys").splitlines()
    assert keys == [machine.authorized_key]


def test_our_own_looks_at_sshd_are_no_errors_in_its_log(
    incus_lab: IncusLab, machine: MachineSpec
) -> None:
    incus_lab.engine.ssh_endpoint("box")
    journal = ("journalctl", "--no-pager", "-q", "-u", "ssh.service", "-p", "err")
    assert incus_lab.run("box", *journal) == ""


def test_the_limits_are_real(incus_lab: IncusLab, machine: MachineSpec) -> None:
    assert incus_lab.run("box", "nproc").strip() == "1"
    cgroups = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; true"
    assert incus_lab.run("box", "sh", "-c", cgroups).split() == [str(512 * 1024**2)]
    pool = incus_lab.client.query("GET", f"/1.0/storage-pools/{incus_lab.engine.place.pool}")
    if pool["driver"] == "dir":
        pytest.skip("a pool of driver dir cannot limit a disk")
    full = incus_lab.engine.exec_as_root(
        "box", ("fallocate", "-l", "5G", "/big"), timeout_s=60, check=False
    )
    assert "quota exceeded" in full.stderr.lower()
    incus_lab.run("box", "rm", "-f", "/big")


def test_ssh_by_either_road(incus_lab: IncusLab, machine: MachineSpec) -> None:
    data = os.urandom(300_000)
    for through_incus in (False, True):
        target = connect(incus_lab, machine, through_incus=through_incus)
        done = target.run(("sh", "-c", "id -un; sudo -n id -un; hostname"), timeout_s=30)
        assert done.stdout.split() == ["sandbox", "root", "box"]
        echoed = subprocess.run(
            [*target.argv(), "cat"], input=data, capture_output=True, timeout=60, check=True
        )
        assert echoed.stdout == data
        disconnect(target)


def test_the_road_through_incus_ends_with_the_connection(
    incus_lab: IncusLab, machine: MachineSpec
) -> None:
    target = connect(incus_lab, machine, through_incus=True)
    target.run(("true",), timeout_s=30)
    assert "exec" in _ours(machine.name)
    # sshd's side ends: somebody's session is killed in the machine
    incus_lab.engine.exec_as_root(
        "box", ("pkill", "-KILL", "-f", "sshd.*: sandbox"), timeout_s=10, check=False
    )
    _until_gone(machine.name)
    # ssh's side ends without a word
    target.run(("true",), timeout_s=30)
    # By its own words: other tests on this host have shared connections, too
    said = subprocess.run(
        target.argv("-O", "check"), capture_output=True, text=True, check=True, timeout=10
    )
    os.kill(int(re.findall(r"pid=([0-9]+)", said.stdout + said.stderr)[0]), signal.SIGKILL)
    disconnect(target)
    _until_gone(machine.name)
    assert "cat" not in incus_lab.run("box", "ps", "-eo", "comm").split()


def test_two_machines_share_no_identity(incus_lab: IncusLab, machine: MachineSpec) -> None:
    other = incus_lab.spec("other")
    incus_lab.engine.create(other, ignore)
    incus_lab.engine.start("other", ignore)
    for what in ("/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key", "/etc/hostname"):
        values = [incus_lab.run(name, "cat", what).strip() for name in ("box", "other")]
        assert values[0] != values[1]
        assert all(values)
    known = incus_lab.engine.ssh_endpoint("box").host_keys
    assert not set(known) & set(incus_lab.engine.ssh_endpoint("other").host_keys)


def test_identity_survives_a_restart(incus_lab: IncusLab, machine: MachineSpec) -> None:
    before = incus_lab.run("box", "cat", "/etc/machine-id")
    incus_lab.engine.stop("box", timeout_s=30)
    incus_lab.engine.start("box", ignore)
    assert incus_lab.run("box", "cat", "/etc/machine-id") == before
    assert len(before.strip()) == 32


def test_a_new_key_is_let_in(incus_lab: IncusLab, spare: MachineSpec) -> None:
    for half in ("id_ed25519", "id_ed25519.pub"):
        (spare.instance_dir / half).unlink()
    renewed = incus_lab.spec("spare")
    assert renewed.authorized_key != spare.authorized_key
    incus_lab.engine.create(renewed, ignore)
    incus_lab.engine.start("spare", ignore)
    target = connect(incus_lab, renewed)
    assert target.run(("true",), timeout_s=30).returncode == 0
    disconnect(target)


def test_an_image_without_sshd_and_login(incus_lab: IncusLab, spare: MachineSpec) -> None:
    """As the public images are: the engine prepares what it can and says what is missing."""
    strip = (
        "systemctl stop ssh; userdel --remove sandbox; rm /etc/sudoers.d/sandbox; "
        "dpkg --purge --force-depends openssh-server sudo; rm -rf /etc/ssh"
    )
    incus_lab.run("spare", "sh", "-c", strip)
    incus_lab.engine.stop("spare", timeout_s=30)
    heard: list[Event] = []
    incus_lab.engine.start("spare", heard.append)
    assert Notice("spare", "the machine has no sshd yet") in heard
    assert spare.authorized_key in incus_lab.run(
        "spare", "cat", "/home/sandbox/.ssh/authorized_keys"
    )
    with pytest.raises(ProviderError, match="no ssh host key"):
        incus_lab.engine.ssh_endpoint("spare")


def test_failed_units_are_named(incus_lab: IncusLab, spare: MachineSpec) -> None:
    unit = "[Service]\nType=oneshot\nExecStart=/bin/false\n[Install]\nWantedBy=multi-user.target\n"
    incus_lab.run("spare", "sh", "-c", "cat > /etc/systemd/system/bad.service", stdin=unit)
    incus_lab.run("spare", "systemctl", "enable", "bad.service")
    incus_lab.engine.stop("spare", timeout_s=30)
    heard: list[Event] = []
    incus_lab.engine.start("spare", heard.append)
    assert Notice("spare", "systemd is degraded; failed: bad.service") in heard


def test_a_machine_that_does_not_stop(incus_lab: IncusLab, spare: MachineSpec) -> None:
    incus_lab.client.run("pause", incus_lab.client.ref("spare"))
    assert incus_lab.engine.status(["spare"])["spare"].power is Power.PAUSED
    incus_lab.engine.destroy("spare")
    assert not incus_lab.is_there("spare")


def test_the_image_is_gone(incus_lab: IncusLab) -> None:
    spec = replace(incus_lab.spec("orphan"), image="base-that-is-gone")
    with pytest.raises(NotFoundError) as caught:
        incus_lab.engine.create(spec, ignore)
    assert caught.value.details
    assert "sandbox up" in caught.value.hint
    assert not incus_lab.is_there("orphan")


def connects(lab: IncusLab, source: str, address: str) -> bool:
    """Whether the machine `source` gets a word from sshd at `address`."""
    script = f"exec 3<>/dev/tcp/{address}/22 && head -c 4 <&3"
    done = lab.engine.exec_as_root(
        source, ("timeout", "3", "bash", "-c", script), timeout_s=20, check=False
    )
    return done.stdout == "SSH-"


def test_sandboxes_do_not_reach_each_other_unless_one_may(
    incus_lab: IncusLab, machine: MachineSpec
) -> None:
    engine = incus_lab.engine
    addresses = {}
    for name, isolated in (("other", True), ("open", False)):
        engine.create(replace(incus_lab.spec(name), isolated=isolated), ignore)
        engine.start(name, ignore)
    for name in ("box", "other", "open"):
        address = engine.status([name])[name].address
        assert address is not None
        addresses[name] = address
        # This host does, and each of them reaches the world through it
        assert ssh_port_is_open(address)
        incus_lab.run(name, "getent", "hosts", "_gateway", "deb.debian.org")
    assert not connects(incus_lab, "box", addresses["other"])
    assert not connects(incus_lab, "other", addresses["box"])
    assert connects(incus_lab, "open", addresses["box"])
    assert connects(incus_lab, "box", addresses["open"])
    # The box says otherwise later on
    for isolated in (False, True):
        engine.stop("other", timeout_s=30)
        engine.isolate("other", isolated=isolated)
        assert engine.is_isolated("other") is isolated
        engine.start("other", ignore)
        address = engine.status(["other"])["other"].address
        assert address is not None
        assert connects(incus_lab, "box", address) is not isolated


def test_a_machine_of_an_older_version_is_isolated_when_it_starts(
    incus_lab: IncusLab, machine: MachineSpec
) -> None:
    incus_lab.engine.stop("box", timeout_s=30)
    ref = incus_lab.client.ref("box")
    incus_lab.client.run("config", "device", "unset", ref, "eth0", "security.port_isolation")
    assert incus_lab.engine.is_isolated("box") is None
    incus_lab.engine.start("box", ignore)
    devices = incus_lab.client.query("GET", "/1.0/instances/box")["devices"]
    assert devices["eth0"]["security.port_isolation"] == "true"
    assert devices["root"]["path"] == "/"


def test_a_stop_whose_command_was_killed_is_waited_for(
    incus_lab: IncusLab, machine: MachineSpec
) -> None:
    """Incus goes on with it: the machine still runs for a moment, and nothing can be run in it."""
    engine = incus_lab.engine
    stopping = subprocess.Popen(incus_lab.client.argv("stop", incus_lab.client.ref("box")))
    wait_until("Incus is at it", lambda: engine.is_busy("box"), timeout_s=20, interval_s=0.02)
    stopping.kill()
    stopping.wait()
    engine.settle("box")
    assert engine.status(["box"])["box"].power is Power.STOPPED
    stopping = subprocess.Popen(incus_lab.client.argv("start", incus_lab.client.ref("box")))
    stopping.wait(30)
    stopping = subprocess.Popen(incus_lab.client.argv("stop", incus_lab.client.ref("box")))
    wait_until("Incus is at it", lambda: engine.is_busy("box"), timeout_s=20, interval_s=0.02)
    stopping.kill()
    stopping.wait()
    engine.start("box", ignore)
    assert engine.ssh_endpoint("box").host_keys
    assert not engine.is_busy("box")


@pytest.mark.parametrize("then", ["start", "stop"])
def test_a_paused_machine_goes_on_and_stops(
    incus_lab: IncusLab, machine: MachineSpec, then: str
) -> None:
    incus_lab.run("box", "sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $! > /run/kept")
    # One that fails half-way leaves the processes frozen while Incus says that they run: the second
    # one ends it
    keep_trying(
        lambda: incus_lab.client.run("pause", incus_lab.client.ref("box")),
        despite=ProviderError,
        every_s=1,
        tries=2,
        again=lambda _: True,
    )
    heard: list[Event] = []
    if then == "stop":
        started = time.monotonic()
        incus_lab.engine.stop("box", timeout_s=60)
        assert time.monotonic() - started < 30
        assert incus_lab.engine.status(["box"])["box"].power is Power.STOPPED
        return
    incus_lab.engine.start("box", heard.append)
    assert Notice("box", "the machine was paused: it goes on") in heard
    # It was not switched off: what ran still runs
    incus_lab.run("box", "sh", "-c", "kill -0 $(cat /run/kept)")


@pytest.mark.parametrize(
    ("harm", "word"),
    [
        ("systemctl stop ssh", "sshd was inactive: it was started"),
        (
            "systemctl disable --now ssh",
            "sshd was inactive: it was started, and starts with the machine again "
            "(it was disabled)",
        ),
        (
            "systemctl mask --now ssh",
            "sshd was inactive: it was started, and starts with the machine again (it was masked)",
        ),
        ("pkill -STOP -o -x sshd", "sshd did not answer: it was started again"),
        (
            "rm /etc/ssh/ssh_host_*; systemctl stop ssh",
            "sshd had lost its host keys: new ones were made",
        ),
    ],
)
def test_an_sshd_that_is_dead_is_brought_back(
    incus_lab: IncusLab, machine: MachineSpec, harm: str, word: str
) -> None:
    incus_lab.run("box", "sh", "-c", harm)
    heard: list[Event] = []
    incus_lab.engine.start("box", heard.append)
    assert Notice("box", word) in heard
    target = connect(incus_lab, machine)
    assert target.run(("true",), timeout_s=30).returncode == 0
    disconnect(target)
    enabled = incus_lab.engine.exec_as_root(
        "box", ("systemctl", "is-enabled", "ssh"), timeout_s=20, check=False
    )
    assert enabled.stdout.strip() == "enabled"


def test_an_sshd_with_a_broken_configuration_is_told_in_its_own_words(
    incus_lab: IncusLab, spare: MachineSpec
) -> None:
    harm = "echo 'PermitRootLogni no' >> /etc/ssh/sshd_config; systemctl restart ssh; true"
    incus_lab.run("spare", "sh", "-c", harm)
    with pytest.raises(ProviderError, match="sshd does not start in spare") as caught:
        incus_lab.engine.start("spare", ignore)
    assert "Bad configuration option: PermitRootLogni" in caught.value.details
    assert "sandbox reset spare" in caught.value.hint


@pytest.mark.slow
def test_no_space_is_left(incus_lab: IncusLab) -> None:
    place = incus_lab.engine.place
    if shutil.which("mkfs.btrfs") is None:
        pytest.skip("needs btrfs-progs for a small pool")
    small = replace(place, pool=f"{place.pool}s")
    ref = incus_lab.client.ref(small.pool)
    incus_lab.client.run("storage", "create", ref, "btrfs", "size=256MiB", project="default")
    try:
        with pytest.raises(HostError) as caught:
            IncusEngine(small).create(incus_lab.spec("full"), ignore)
        assert "no space" in caught.value.message
        assert "No space left on device" in caught.value.details
        assert not incus_lab.is_there("full")
    finally:
        incus_lab.client.run("storage", "delete", ref, project="default", timeout_s=60)


def test_incus_does_not_run(incus_place: IncusPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INCUS_SOCKET", "/nonexistent/unix.socket")
    engine = IncusEngine(incus_place)
    with pytest.raises(HostError, match="Incus is not running") as caught:
        engine.status()
    assert "sandbox host setup" in caught.value.hint
    report = engine.check_host()
    assert not report.usable
    assert "sandbox host setup" in report.findings[0].fix


def test_the_place_is_not_set_up() -> None:
    engine = IncusEngine(IncusPlace.from_prefix("sbxnone"))
    assert not engine.check_host().usable
    assert engine.status() == {}
    spec = MachineSpec("lost", "image", 1, 512, 4, "ssh-ed25519 AAAA", Path("/nonexistent"))
    with pytest.raises(HostError, match="not set up"):
        engine.create(spec, ignore)


def _pids(pattern: str) -> list[int]:
    found = subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except FileNotFoundError:
        return ""


def _ours(name: str) -> str:
    """The command lines of the `incus exec` that this test's ssh started."""
    lines = [_command(pid) for pid in _pids(f"incus.* exec -T local:{name} ")]
    return "\n".join(line for line in lines if line.startswith("incus "))


def _until_gone(name: str) -> None:
    deadline = time.monotonic() + 10
    while _ours(name):
        assert time.monotonic() < deadline, _ours(name)
        time.sleep(0.05)
