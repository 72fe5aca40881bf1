"""A bundle on a host that knows nothing and reaches nobody: the same machine, or nothing at all.

What the cut shows. `sandbox up FILE` and every process that it starts run with a group of their
own, and the kernel refuses them each packet that does not stay on this host or on the sandboxes'
own bridge, and counts it; the machine's packets to anywhere else are refused as well. The proxies
that the command is told of lead to a port where we listen. In the end nobody has knocked, and
nothing was counted. What it does not show: Incus's own daemon is not cut off. It is given the base
image as files, and its project has no image before.
"""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import PREFIX, ROOT, SANDBOX, Host, cannot_run, empty_place

BOX = """\
version: 1
base: debian-12
machine: {cpus: 1, memory_mb: 900, disk_gb: 6}
system:
  packages: [tree]
  timezone: Europe/Oslo
r:
  version: "4.2"
  packages: {names: [jsonlite]}
"""
NAME = "bundled"
GROUP = 64901
TABLE = "sbxbundle"
CUT = """\
table inet {table} {{
  chain leaving {{
    type filter hook output priority -10; policy accept;
    meta skgid {group} oifname != {{ "lo", "{bridge}" }} counter reject
  }}
  chain onward {{
    type filter hook forward priority -10; policy accept;
    iifname "{bridge}" counter reject
  }}
}}
"""


def nft(*words: str, text: str | None = None) -> str:
    done = subprocess.run(
        ["nft", *words], input=text, capture_output=True, text=True, timeout=30, check=True
    )
    return done.stdout


def refused() -> int:
    """How many packets of the command were refused."""
    listed = json.loads(nft("-j", "list", "chain", "inet", TABLE, "leaving"))["nftables"]
    (rule,) = [one["rule"]["expr"] for one in listed if "rule" in one]
    (packets,) = [one["counter"]["packets"] for one in rule if "counter" in one]
    return int(packets)


def alone(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command that reaches nobody."""
    return subprocess.run(
        words,
        env=env,
        cwd=ROOT,
        group=GROUP,
        extra_groups=[],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@contextmanager
def cut_off(bridge: str) -> Iterator[dict[str, str]]:
    """Take the network away, and give the variables of a proxy where nobody may knock."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.setblocking(False)
        nft("-f", "-", text=CUT.format(table=TABLE, group=GROUP, bridge=bridge))
        try:
            # The cut cuts: this very command would get out without it
            knock = "import socket; socket.create_connection(('192.0.2.1', 80), 5)"
            assert alone("python3", "-c", knock).returncode != 0
            before = refused()
            if before == 0:
                cannot_run("this host has no way to anywhere: there is nothing to cut off")
            where = f"http://127.0.0.1:{proxy.getsockname()[1]}"
            yield {"http_proxy": where, "https_proxy": where}
            assert refused() == before
            with pytest.raises(BlockingIOError):
                proxy.accept()
        finally:
            nft("delete", "table", "inet", TABLE)


@pytest.fixture
def elsewhere(host: Host) -> Iterator[Host]:
    """A host whose caches are empty, and whose Incus has no image."""
    if os.geteuid() != 0 or shutil.which("nft") is None:
        cannot_run("needs root and nft, to take the network away from one command")
    assert host.prefix == PREFIX
    with empty_place("a", NAME) as its:
        yield its


def test_a_bundle_gives_the_same_machine_without_a_network(
    host: Host, elsewhere: Host, tmp_path: Path
) -> None:
    box, file = tmp_path / "b.yml", tmp_path / "b.sandbox"
    box.write_text(BOX)
    made = json.loads(host.sandbox("bundle", box, "-o", file, "--json", timeout_s=1200).stdout)
    assert made["size_bytes"] == file.stat().st_size
    assert (tmp_path / "b.lock.yml").exists()
    whole = json.loads(host.sandbox("bundle", "verify", file, "--json").stdout)
    assert (whole["ok"], whole["manifest_sha256"]) == (True, made["manifest_sha256"])
    facts = tmp_path / "first.facts.json"
    try:
        host.sandbox("up", "--locked", box, "--name", NAME, timeout_s=1200)
        facts.write_text(host.sandbox("probe", NAME).stdout)
    finally:
        host.sandbox("destroy", NAME, expect=None)

    # The box is not there either
    box.unlink()
    with cut_off(f"{elsewhere.prefix}br0") as proxies:
        up = (str(SANDBOX), "up", str(file), "--name", NAME)
        done = alone(*up, env={**elsewhere.env, **proxies})
        assert done.returncode == 0, done.stdout + done.stderr
        again = alone(*up, env={**elsewhere.env, **proxies})
        assert "is up and unchanged" in again.stderr, again.stdout + again.stderr
    compared = json.loads(elsewhere.sandbox("diff", facts, NAME, "--json", expect=None).stdout)
    assert [one for one in compared["facts"] if one["outcome"] == "differs"] == []
    assert len([one for one in compared["facts"] if one["outcome"] == "equal"]) > 100
    (image,) = elsewhere.incus("image", "list", "-f", "csv", "-c", "F").split()
    assert made["base"] == f"debian-12 {image[:12]}"


def present(host: Host) -> tuple[str, str]:
    """The images and the machines that Incus has."""
    images = host.incus("image", "list", "-f", "csv", "-c", "F")
    return images, host.incus("list", "-f", "csv", "-c", "n")


def test_a_bundle_that_was_cut_off_makes_nothing(host: Host, tmp_path: Path) -> None:
    box, file = tmp_path / "c.yml", tmp_path / "c.sandbox"
    box.write_text("version: 1\nbase: debian-12\nmachine: {cpus: 1, memory_mb: 700, disk_gb: 4}\n")
    host.sandbox("bundle", box, "-o", file, timeout_s=1200)
    size = file.stat().st_size
    fresh = {
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    before = present(host)
    for cut_at in (size - 1, size - 1024, size // 2, 4096, 100, 0):
        os.truncate(file, cut_at)
        done = host.sandbox("up", file, "--name", "cut", env=fresh, expect=3)
        assert "is broken: nothing was made of it" in done.stderr
        host.sandbox("bundle", "verify", file, env=fresh, expect=3)
    assert present(host) == before
    assert not (tmp_path / "state").exists()
    assert not (tmp_path / "cache").exists()
