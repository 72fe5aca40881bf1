"""A box's own checks on a real machine: refused until agreed to, then run apart by real ssh."""

import json
import os
from pathlib import Path

import pytest

from tests.conftest import Host

OWN = """\
import os


def test_host(host, plan, facts, url):
    assert host.run("hostname").stdout.strip() == plan.name
    assert host.run("sudo -n id -u").stdout.strip() == "0"
    assert facts.os.codename == "bookworm"
    assert url == ""


def test_no_token():
    assert "A_TOKEN" not in os.environ
"""


@pytest.fixture
def box(tmp_path: Path) -> Path:
    (tmp_path / "test_own.py").write_text(OWN)
    path = tmp_path / "own.yml"
    path.write_text(
        "version: 1\nbase: debian-12\nmachine: {cpus: 1, memory_mb: 512, disk_gb: 4}\n"
        "checks: {files: [test_own.py]}\n"
    )
    return path


def test_they_run_when_somebody_agrees(host: Host, box: Path) -> None:
    options = ("--provider", "incus", "--no-cache")
    refused = host.sandbox("up", box, *options, expect=2)
    assert f"sandbox trust {box.with_name('test_own.py')}" in refused.stderr
    assert not (host.instances / "own").exists()
    try:
        host.sandbox("up", box, *options, "--trust", timeout_s=1800, env={"A_TOKEN": "hunter2"})
        done = host.sandbox("check", "own", "--json", env={"A_TOKEN": "hunter2"})
        found = {one["id"]: one for one in json.loads(done.stdout)["results"]}
        assert found["box.test_own.test_host"]["outcome"] == "passed"
        assert found["box.test_own.test_no_token"]["outcome"] == "passed"
        if os.geteuid() != 0:
            assert "run as root" not in done.stderr
        box.with_name("test_own.py").write_text(OWN + "\n# changed\n")
        assert "nobody has agreed" in host.sandbox("check", "own", expect=2).stderr
        host.sandbox("trust", box.parent)
        host.sandbox("check", "own")
    finally:
        host.sandbox("destroy", "own")
    assert not list(Path("/tmp").glob("sandbox-check-*"))
