"""All that a sandbox is made of comes through the mirrors that the user names.

`sandbox up` and every process that it starts are in a network of their own. From there one address
can be reached, where the mirrors listen, and the bridge of the sandboxes; a machine reaches nobody
but this host. The caches are empty, and Incus has no image. What it does not show: Incus's own
daemon is not cut off, and is asked for nothing: the base image is built.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import PREFIX, ROOT, SANDBOX, Host, cannot_run, empty_place
from tests.mirror import Contents, serving
from tests.mirror.archives import NoArchivesError, passing_on

NAME = "mirrored"
HERE, THERE = "10.213.77.1", "10.213.77.2"
SPACE = f"{PREFIX}-mir"
LINK = f"{PREFIX[:8]}mir0"
TABLE = "sbxmirrors"
COMMIT = "c0ffee" + "0" * 34
BOX = """\
version: 1
base: debian-12
machine: {cpus: 1, memory_mb: 900, disk_gb: 6}
system: {packages: [tree]}
r:
  version: "4.0.4"
  source: posit
  packages: {source: renv, lock: renv.lock}
"""
LOCK = {
    "R": {"Version": "4.0.4", "Repositories": [{"Name": "CRAN", "URL": "https://p3m.dev/cran/2021-08-16"}]},
    "Packages": {
        "needsoldr": {
            "Package": "needsoldr", "Version": "1.0.0",
            "Source": "Repository", "Repository": "CRAN",
        },
        "githubbed": {
            "Package": "githubbed", "Version": f"0.0.0.{0xC0FF}", "Source": "GitHub",
            "RemoteType": "github", "RemoteHost": "api.github.com", "RemoteUsername": "someone",
            "RemoteRepo": "githubbed", "RemoteRef": "HEAD", "RemoteSha": COMMIT,
        },
    },
}  # fmt: skip
# Nothing of a machine is passed on; what it sends to this host itself is
ONWARD = """\
table inet {table} {{
  chain onward {{
    type filter hook forward priority -10; policy accept;
    iifname "{bridge}" oifname != "{link}" counter reject
  }}
}}
"""


def ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=True, timeout=30)


@dataclass(frozen=True)
class Apart:
    """A host of its own, with a network from which only the mirrors can be reached."""

    host: Host

    def run(self, *words: str | Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["nsenter", f"--net=/run/netns/{SPACE}", "--", *map(str, words)],
            env={**self.host.env, **env}, cwd=ROOT, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip


@contextmanager
def network(bridge: str) -> Iterator[None]:
    """Make the network, with a way to this host and to the machines."""
    subnet = json.loads(
        subprocess.run(["ip", "-json", "route", "show", "dev", bridge], capture_output=True,
                       text=True, check=True).stdout
    )[0]["dst"]  # fmt: skip
    try:
        ip("netns", "add", SPACE)
        ip("link", "add", LINK, "type", "veth", "peer", "name", "eth0", "netns", SPACE)
        ip("address", "add", f"{HERE}/30", "dev", LINK)
        ip("link", "set", LINK, "up")
        for words in (
            ("link", "set", "lo", "up"),
            ("address", "add", f"{THERE}/30", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("route", "add", subnet, "via", HERE),
        ):
            ip("-n", SPACE, *words)
        rules = ONWARD.format(table=TABLE, bridge=bridge, link=LINK)
        subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True, timeout=30)
        yield
    finally:
        subprocess.run(["nft", "delete", "table", "inet", TABLE], check=False, capture_output=True)
        ip("link", "delete", LINK, check=False)
        ip("netns", "delete", SPACE, check=False)


@pytest.fixture
def apart(host: Host) -> Iterator[Apart]:
    """A host with empty caches and no image, apart from all networks but the mirrors'."""
    if os.geteuid() != 0 or shutil.which("nft") is None:
        cannot_run("needs root and nft, to take the network away from one command")
    assert host.prefix == PREFIX
    with empty_place("m", NAME) as its, network(f"{its.prefix}br0"):
        yield Apart(its)


def test_a_machine_is_made_with_nothing_in_reach_but_the_mirrors(
    apart: Apart, mirror_contents: Contents, tmp_path: Path
) -> None:
    box = tmp_path / f"{NAME}.yml"
    box.write_text(BOX)
    (tmp_path / "renv.lock").write_text(json.dumps(LOCK))
    rstudio = tmp_path / "none"
    rstudio.mkdir()
    config = tmp_path / "config/sandbox/config.yml"
    config.parent.mkdir(parents=True)
    with ExitStack() as running:
        try:
            archives, asked = running.enter_context(passing_on(HERE))
        except NoArchivesError as error:
            cannot_run(str(error))
        mirror = running.enter_context(serving(mirror_contents, rstudio, address=HERE))
        apt = f"{{debian: {archives}/debian, debian_security: {archives}/debian-security}}"
        config.write_text(
            f"mirrors:\n  apt: {apt}\n  posit: {mirror.url}\n"
            f"  cran: {mirror.url}/cran\n  github: {mirror.url}/github\n"
        )
        env = {"XDG_CONFIG_HOME": str(tmp_path / "config")}

        # The cut cuts: without the mirrors it is not possible
        nowhere = apart.run(SANDBOX, "up", box, env={"XDG_CONFIG_HOME": str(tmp_path / "none")})
        assert nowhere.returncode != 0
        assert "mirrors" in nowhere.stderr
        assert mirror.log == []

        made = apart.run(SANDBOX, "up", box, env=env)
        assert made.returncode == 0, made.stdout + made.stderr
        # Each of the four has given something
        assert mirror.asked("/r/debian-12/pkgs/r-4.0.4_1_")
        assert mirror.asked("needsoldr_1.0.0.tar.gz")
        assert mirror.asked(f"/github/someone/githubbed/tar.gz/{COMMIT}")
        assert any(path.startswith("/debian/pool/main/t/tree/") for path in asked)
        assert any("/debootstrap" not in path and "/dists/bookworm/" in path for path in asked)
        script = (
            'cat(sapply(c("needsoldr", "githubbed"), function(one) format(packageVersion(one))))'
        )
        said = apart.run(SANDBOX, "exec", NAME, "--", "Rscript", "-e", script, env=env)
        assert said.stdout.split() == ["1.0.0", f"0.0.0.{0xC0FF}"], said.stdout + said.stderr
