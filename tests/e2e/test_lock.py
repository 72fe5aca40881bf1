"""A lock on a real machine: written, kept to, and each of the three differences named."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tests.conftest import Host
from tests.mirror import Mirror

BOX = """\
version: 1
base: debian-12
machine: {cpus: 1, memory_mb: 700, disk_gb: 4}
system:
  packages: [tree]
r:
  packages:
    source: repository
    repository: https://packagemanager.posit.co/cran
    date: "2023-06-12"
    names: [Rcpp, cli, magrittr, fastmap]
"""
NAME = "locked1"
ASK = 'for (one in c("Rcpp", "cli", "magrittr", "fastmap")) cat(format(packageVersion(one)), "")'


def forget(host: Host, lock: dict[str, Any], *names: str) -> None:
    """Take the files of R packages out of what this host keeps."""
    for one in lock["files"]:
        if one["name"] in names:
            (kept,) = (host.home / "cache/sandbox/fetched").rglob(one["sha256"])
            kept.unlink()


def names_of(host: Host) -> set[str]:
    """The sandboxes that there are."""
    return {one["name"] for one in json.loads(host.sandbox("list", "--json").stdout)}


def machine_of(path: Path) -> dict[str, Any]:
    """The part of a lock for this base and processor."""
    (machine,) = yaml.safe_load(path.read_text(encoding="utf-8"))["machines"].values()
    assert isinstance(machine, dict)
    return machine


def test_a_box_is_locked_and_made_from_its_lock(host: Host, mirror: Mirror, tmp_path: Path) -> None:
    box = tmp_path / "locked.yml"
    box.write_text(BOX)
    config = tmp_path / "config/sandbox/config.yml"
    config.parent.mkdir(parents=True)
    # The form of URL at which source comes where there is no binary
    mirror.settings.has_form_3 = False
    config.write_text(f"mirrors: {{cran: {mirror.url}/cran}}\n")
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config")}

    assert "there is no lock" in host.sandbox("lock", "--check", box, expect=2).stderr
    said = json.loads(host.sandbox("lock", box, "--json", timeout_s=600, env=env).stdout)
    assert said["changed"]
    assert not {one for one in names_of(host) if one.startswith("lock-")}
    host.sandbox("lock", "--check", box)
    lock = machine_of(tmp_path / "locked.lock.yml")

    up = ("up", "--locked", box, "--name", NAME, "--no-checks")
    try:
        # The repository goes on: not one of the four is there any more as it was
        forget(host, lock, "Rcpp", "cli", "magrittr", "fastmap")
        mirror.settings.only_source.add("Rcpp")
        mirror.settings.built_again.add("cli")
        mirror.settings.other_processor.add("magrittr")
        (gone,) = [one for one in lock["files"] if one["name"] == "fastmap"]
        mirror.vanish(urlsplit(gone["url"]).path)
        said_so = host.sandbox(*up, expect=1, env=env).stderr
        assert "the bytes differ from the lock" in said_so
        for what in (
            "the server has it as source there, and it was locked compiled",
            "the server has another build of the same version there (Built: R 4.2",
            "the server has another build there: its libraries are for aarch64",
            f"fastmap {gone['version']} is not kept here, and",
        ):
            assert what in said_so, said_so
        assert NAME not in {
            one["name"] for one in json.loads(host.sandbox("list", "--json").stdout)
        }

        # What was locked can be had again, and the newest is another by now
        mirror.reset()
        mirror.settings.has_form_3 = False
        host.sandbox(*up, timeout_s=600, env=env)
        asked = "dpkg-query -W -f '${Version}' tree; ls /var/lib/apt/lists"
        there = host.sandbox("exec", NAME, "--", "sh", "-c", asked).stdout
        # Its own apt has not been asked for anything
        assert "_Packages" not in there
        bill = json.loads(host.sandbox("lock", "--sbom", "cyclonedx", box).stdout)
        (tree,) = [one for one in bill["components"] if one["name"] == "tree"]
        assert there.startswith(tree["version"])
        versions = {one["name"]: one["version"] for one in lock["files"]}
        wanted = [versions[name] for name in ("Rcpp", "cli", "magrittr", "fastmap")]
        assert host.sandbox("exec", NAME, "--", "Rscript", "-e", ASK).stdout.split() == wanted

        host.sandbox("exec", NAME, "--", "sudo", "-n", "dpkg", "--remove", "tree")
        done = host.sandbox(*up, expect=1, env=env)
        assert "the machine of locked1 differs from the lock" in done.stderr
        assert "tree: not there, and the lock has" in done.stderr

        box.write_text(BOX.replace("[tree]", "[tree, jq]"))
        done = host.sandbox(*up, expect=1, env=env)
        assert "the box differs from its lock" in done.stderr
    finally:
        host.sandbox("destroy", NAME, expect=None)
