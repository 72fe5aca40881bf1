"""Cut off anywhere, by Ctrl-C or `kill -9`: `up` again ends well, and `destroy` leaves nothing."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Host

# No R: the road is the same and shorter
BOX = """\
version: 1
description: a bare machine
base: debian-12
machine: {cpus: 1, memory_mb: 512, disk_gb: 5}
system: {timezone: Europe/Vienna, packages: [tree]}
"""

STEPS = ("create", "start", "bootstrap", "ssh", "provision", "probe", "checks")


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


@pytest.mark.parametrize("step", STEPS)
def test_killed_twice_in_a_step_the_third_up_ends_well(host: Host, box: Path, step: str) -> None:
    for delay_s in (0.0, 0.7):
        process = host.start("up", box, "--no-cache")
        reach_step(process, step, delay_s=delay_s)
        process.kill()
        process.wait()
    host.sandbox("up", box, "--no-cache", timeout_s=600)
    assert host.sandbox("exec", "bare", "--", "which", "tree").stdout.strip() == "/usr/bin/tree"
    host.sandbox("check", "bare")


@pytest.mark.parametrize("step", ["create", "provision"])
def test_destroy_removes_a_half_made_sandbox(host: Host, box: Path, step: str) -> None:
    process = host.start("up", box, "--no-cache")
    reach_step(process, step, delay_s=0.3)
    process.kill()
    process.wait()
    host.sandbox("destroy", "bare")
    assert_nothing_left(host, "bare")


@pytest.mark.parametrize("step", ["start", "provision", "checks"])
def test_ctrl_c_says_how_to_go_on(host: Host, box: Path, step: str) -> None:
    process = host.start("up", box, "--no-cache")
    said = reach_step(process, step, delay_s=0.3)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(30) == 130, said
    host.sandbox("up", box, "--no-cache", timeout_s=600)


def test_a_base_image_killed_half_way_is_never_used(host: Host, tmp_path: Path) -> None:
    # Debian 11 may be built already by another test: remove it, so that it is built here
    for image in json.loads(host.incus("image", "list", "--format", "json")):
        if any("debian-11" in alias["name"] for alias in image["aliases"]):
            host.incus("image", "delete", image["fingerprint"])
    path = tmp_path / "old.yml"
    path.write_text(BOX.replace("debian-12", "debian-11"))
    try:
        process = host.start("up", path)
        reach_step(process, "build the base image", delay_s=8)
        process.kill()
        process.wait()
        host.sandbox("up", path, timeout_s=600)
        release = host.sandbox("exec", "old", "--", "cat", "/etc/debian_version").stdout
        assert release.startswith("11.")
    finally:
        host.reap()
        host.sandbox("destroy", "old", expect=None)
    cache = host.home / "cache" / "sandbox"
    assert str(cache) not in Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    assert list(cache.rglob("build-*")) == []
    assert [path.name for path in cache.rglob("*.tar")] == []
