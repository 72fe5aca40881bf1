"""A lock on a real machine: written, kept to, and each of the three differences named."""

import json
from pathlib import Path

from tests.conftest import Host

BOX = """\
version: 1
base: debian-12
machine: {cpus: 1, memory_mb: 700, disk_gb: 4}
system:
  packages: [tree]
"""
NAME = "locked1"


def test_a_box_is_locked_and_made_from_its_lock(host: Host, tmp_path: Path) -> None:
    box = tmp_path / "locked.yml"
    box.write_text(BOX)
    assert "there is no lock" in host.sandbox("lock", "--check", box, expect=2).stderr
    said = json.loads(host.sandbox("lock", box, "--json", timeout_s=600).stdout)
    assert (said["changed"], said["packages"]) == (True, 1)
    names = {one["name"] for one in json.loads(host.sandbox("list", "--json").stdout)}
    assert not {one for one in names if one.startswith("lock-")}
    host.sandbox("lock", "--check", box)

    up = ("up", "--locked", box, "--name", NAME, "--no-checks")
    try:
        host.sandbox(*up, timeout_s=600)
        listed = "dpkg-query -W -f '${Version}' tree; ls /var/lib/apt/lists"
        there = host.sandbox("exec", NAME, "--", "sh", "-c", listed).stdout
        # Its own apt has not been asked for anything
        assert "_Packages" not in there
        bill = json.loads(host.sandbox("lock", "--sbom", "cyclonedx", box).stdout)
        (tree,) = [one for one in bill["components"] if one["name"] == "tree"]
        assert there.startswith(tree["version"])

        host.sandbox("exec", NAME, "--", "sudo", "-n", "dpkg", "--remove", "tree")
        done = host.sandbox(*up, expect=1)
        assert "the machine of locked1 differs from the lock" in done.stderr
        assert "tree: not there, and the lock has" in done.stderr

        box.write_text(BOX.replace("[tree]", "[tree, jq]"))
        done = host.sandbox(*up, expect=1)
        assert "the box differs from its lock" in done.stderr
    finally:
        host.sandbox("destroy", NAME, expect=None)
