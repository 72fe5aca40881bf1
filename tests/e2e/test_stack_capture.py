"""A server with two Rs, packages of an renv.lock, RStudio Server, Shiny Server, an API and nginx:
captured over ssh.

The mirror of the tests stands for the public servers, and the stand-in for RStudio Server.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Host
from tests.e2e.servers import a_server
from tests.mirror import Contents, serving
from tests.standin.build import build_deb

VERSION = "2024.12.0+467"
NAME = "capstack"
CRAN = "https://packagemanager.posit.co/cran/2023-06-12"
BOX = f"""\
version: 1
base: debian-12
machine: {{cpus: 2, memory_mb: 1024, disk_gb: 8}}
system: {{timezone: Europe/Vienna, locale: en_US.UTF-8}}
r:
  blas: reference
  options: {{digits: 6}}
  repos: {{CRAN: {CRAN}}}
  versions:
    - version: "4.2.2"
      default: true
      packages: {{source: renv, lock: renv.lock}}
    - version: "4.0.4"
      source: posit
      packages:
        source: repository
        repository: https://packagemanager.posit.co/cran
        date: "2021-08-16"
        names: [chainfirst]
services:
  nginx: {{}}
  shiny_server: {{app_idle_timeout: 30, sanitize_errors: false}}
  plumber: {{path: api}}
  rstudio_server:
    version: "{VERSION}"
    path: /rstudio
    r: "4.0.4"
    config:
      rserver: {{auth-timeout-minutes: 480}}
      rsession: {{session-timeout-minutes: 120}}
      logging: {{log-level: info}}
      repos: {{CRAN: {CRAN}}}
      prefs: {{save_workspace: never}}
users: [{{name: ada}}]
"""
LOCKED = {"cli": "3.6.0", "R6": "2.6.1", "vanished": "1.0.0"}
SETUP = """\
set -e
mkdir -p /root/.ssh
echo "$PUBLIC_KEY" > /root/.ssh/authorized_keys
echo 'PermitRootLogin prohibit-password' > /etc/ssh/sshd_config.d/00-by-hand.conf
systemctl restart ssh
"""


@dataclass
class Captured:
    """A server, and the box that was written of it."""

    host: Host
    folder: Path
    config: Path

    @property
    def box(self) -> Path:
        return self.folder / "prod" / "prod.yml"

    def sandbox(self, *words: str | Path, expect: int | None = 0) -> Any:
        env = {"XDG_CONFIG_HOME": str(self.folder / "config")}
        return self.host.sandbox(*words, timeout_s=1800, expect=expect, env=env)

    @property
    def said(self) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load(self.box.read_text())
        return found


@pytest.fixture(scope="module")
def captured(
    host: Host, mirror_contents: Contents, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Captured]:
    folder = tmp_path_factory.mktemp("capstack")
    for name in ("rstudio", "deb", "api", "prod", "config/sandbox"):
        (folder / name).mkdir(parents=True)
    (folder / "api" / "plumber.R").write_text("#* @get /hello\nfunction() 42\n")
    packages = {
        name: {"Package": name, "Version": version, "Source": "Repository", "Repository": "CRAN"}
        for name, version in LOCKED.items()
    }
    r = {"Version": "4.2.2", "Repositories": [{"Name": "CRAN", "URL": CRAN}]}
    (folder / "renv.lock").write_text(json.dumps({"R": r, "Packages": packages}))
    box = folder / f"{NAME}.yml"
    box.write_text(BOX)
    with serving(mirror_contents, folder / "rstudio") as mirror:
        mirror.add_rstudio(build_deb(folder / "deb", version=VERSION), VERSION)
        (folder / "config/sandbox/config.yml").write_text(
            f"mirrors:\n  posit: {mirror.url}\n  cran: {mirror.url}/cran\n"
            f"  rstudio: {mirror.url}/rstudio\n"
        )
        made = Captured(host, folder, folder / "ssh_config")
        try:
            made.sandbox("up", box)
            with a_server(host, NAME, "prod", folder, SETUP) as config:
                made.config = config
                words = ("-o", made.box, "--ssh-config", config, "--timeout", "240")
                made.sandbox("capture", "prod", *words)
                yield made
        finally:
            host.sandbox("destroy", NAME, expect=None)


def test_the_box_is_valid_and_says_what_the_first_one_said(captured: Captured) -> None:
    captured.sandbox("validate", captured.box)
    said, first = captured.said, yaml.safe_load(BOX)
    assert said["base"] == first["base"]
    assert said["system"]["timezone"] == first["system"]["timezone"]
    assert said["system"]["locale"] == first["system"]["locale"]
    assert said["r"]["options"] == first["r"]["options"]
    assert said["r"]["repos"] == first["r"]["repos"]
    assert [
        (one["version"], one.get("source"), one.get("default")) for one in said["r"]["versions"]
    ] == [("4.2", None, True), ("4.0.4", "posit", None)]
    services, firsts = said["services"], first["services"]
    assert services["nginx"] == {"port": 80}
    assert services["shiny_server"] == {"port": 3838, **firsts["shiny_server"]}
    more = {"port": 8787, "passwords": False}
    assert services["rstudio_server"] == firsts["rstudio_server"] | more
    text = captured.box.read_text().replace("\n#   ", " ")
    assert "the API of plumber-api.service (/srv/plumber/api/plumber.R, run as plumber)" in text
    assert "plumber: {path: FOLDER, port: 8000}" in text


def test_each_r_has_a_lock_of_its_packages(captured: Captured) -> None:
    found = {}
    for one in captured.said["r"]["versions"]:
        assert one["packages"]["source"] == "renv"
        lock = json.loads((captured.box.parent / one["packages"]["lock"]).read_text())
        packages = lock["Packages"].values()
        found[lock["R"]["Version"]] = {one["Package"]: one["Version"] for one in packages}
    of_4_0 = dict.fromkeys(("chainfirst", "chainmiddle", "chainlast"), "1.0.0")
    assert found == {"4.2.2": LOCKED, "4.0.4": of_4_0}


def test_a_box_is_compared_with_its_sandbox_by_each_package(captured: Captured) -> None:
    box = captured.folder / f"{NAME}.yml"
    # A container on a shared disk has a larger one
    done = captured.sandbox("diff", box, NAME, "--ignore", "machine.disk", "--json")
    facts = {one["id"]: one["outcome"] for one in json.loads(done.stdout)["facts"]}
    assert facts["r.package.cli"] == "equal"
    assert facts["r.other-package.4.0.4.chainlast"] == "equal"
