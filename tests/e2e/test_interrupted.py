"""Cut off anywhere, by Ctrl-C or `kill -9`: `up` again ends well, and `destroy` leaves nothing."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.images.build import INDEX_NAME
from tests.conftest import Host, leftovers, wait_until

# No R: the road is the same and shorter
BOX = """\
version: 1
description: a bare machine
base: debian-12
machine: {cpus: 1, memory_mb: 512, disk_gb: 5}
system: {timezone: Europe/Vienna, packages: [tree]}
"""

STEPS = ("create", "start", "bootstrap", "ssh", "provision", "probe", "checks")
INTERRUPTED = ("start", "provision", "checks")
"""The steps in which Ctrl-C comes, too."""


@pytest.fixture
def box(host: Host, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "bare.yml"
    path.write_text(BOX)
    yield path
    host.reap()
    host.sandbox("destroy", "bare", expect=None)
    assert_nothing_left(host, "bare")


def assert_nothing_left(host: Host, name: str) -> None:
    assert name not in json.loads(host.incus("list", "--format", "json") or "[]")
    names = [machine["name"] for machine in json.loads(host.incus("list", "--format", "json"))]
    assert name not in names
    assert not (host.instances / name).exists()


def reach_step(process: subprocess.Popen[str], step: str, *, delay_s: float) -> str:
    """Read stderr until `step` has begun, wait a little, and return what was said."""
    said: list[str] = []
    reached = threading.Event()

    def read() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if line.strip().startswith(f"... {step}"):
                reached.set()

    threading.Thread(target=read, daemon=True).start()
    assert reached.wait(300), f"`{step}` never began:\n{''.join(said)}"
    time.sleep(delay_s)
    return "".join(said)


def test_cut_off_again_and_again_in_every_step_the_last_up_ends_well(host: Host, box: Path) -> None:
    """One machine: whatever one of them leaves is there for all those that follow."""
    for step in STEPS:
        for delay_s in (0.0, 0.7):
            process = host.start("up", box, "--no-cache")
            reach_step(process, step, delay_s=delay_s)
            process.kill()
            process.wait()
        if step in INTERRUPTED:
            process = host.start("up", box, "--no-cache")
            said = reach_step(process, step, delay_s=0.3)
            os.killpg(process.pid, signal.SIGINT)
            assert process.wait(30) == 130, said
    host.sandbox("up", box, "--no-cache", timeout_s=600)
    assert host.sandbox("exec", "bare", "--", "which", "tree").stdout.strip() == "/usr/bin/tree"
    # The packages are on the disk, and the apt that did not wait for that is gone
    assert not (host.instances / "bare" / "unsynced").exists()
    host.sandbox("exec", "bare", "--", "test", "!", "-e", "/run/sandbox-unsynced")
    host.sandbox("check", "bare")


@pytest.mark.parametrize("step", ["create", "provision"])
def test_destroy_removes_a_half_made_sandbox(host: Host, box: Path, step: str) -> None:
    process = host.start("up", box, "--no-cache")
    reach_step(process, step, delay_s=0.3)
    process.kill()
    process.wait()
    if step == "provision":
        # By this the next `up` would know that the host ended in between
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        assert (host.instances / "bare" / "unsynced").read_text() == boot
    host.sandbox("destroy", "bare")
    assert_nothing_left(host, "bare")


@pytest.fixture
def elsewhere(host: Host, tmp_path: Path) -> Iterator[Host]:
    """A place without any image, in the same Incus, with a cache of its own.

    Packages that other builds have fetched are in it: from where they come is no question here.
    """
    # Short, for the sockets below
    home = Path(tempfile.mkdtemp(prefix="sbxtest-", dir="/tmp"))
    its = replace(host, home=home, prefix="sbxkilled", started=[])
    try:
        shelves = Path("cache", "sandbox", "archives")
        if (host.home / shelves).exists():
            shutil.copytree(host.home / shelves, home / shelves, copy_function=os.link)
        its.sandbox("host", "setup", "--yes")
        yield its
    finally:
        its.reap()
        its.sandbox("host", "teardown", "--yes", timeout_s=300)
        shutil.rmtree(home)
        assert leftovers(its) == []


def test_a_base_image_killed_half_way_is_never_used(elsewhere: Host, tmp_path: Path) -> None:
    cache = elsewhere.home / "cache" / "sandbox"
    lists = set(Path("/var/lib/apt/lists").iterdir())
    path = tmp_path / "old.yml"
    path.write_text(BOX.replace("debian-12", "debian-11"))
    process = elsewhere.start("up", path)
    reach_step(process, "build the base image", delay_s=0)
    wait_until(
        "the root is half there",
        lambda: list(cache.glob("images/*/build-*/mmdebstrap.*/usr/bin")),
        timeout_s=120,
    )
    process.kill()
    process.wait()
    assert json.loads(elsewhere.incus("image", "list", "--format", "json")) == []
    left = list(cache.rglob("build-*"))
    assert left
    elsewhere.sandbox("up", path, timeout_s=600)
    release = elsewhere.sandbox("exec", "old", "--", "cat", "/etc/debian_version").stdout
    assert release.startswith("11.")
    images = json.loads(elsewhere.incus("image", "list", "--format", "json"))
    aliases = [one["name"] for image in images for one in image["aliases"]]
    assert len([name for name in aliases if "debian-11" in name]) == 1
    (index,) = cache.glob(f"images/*/{INDEX_NAME}")
    assert "r-base-core" in gzip.decompress(index.read_bytes()).decode().split()
    assert str(cache) not in Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    assert list(cache.rglob("build-*")) == []
    assert [path.name for path in cache.rglob("*.tar")] == []
    # The host's own package lists are none of the build's business
    assert lists <= set(Path("/var/lib/apt/lists").iterdir())
    running = subprocess.run(["pgrep", "-f", str(left[0])], capture_output=True, check=False)
    assert not running.stdout
