"""A machine straight from the installer: a container in which `sandbox host setup` is run."""

import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT, Host

# What `host setup` imports; the rest of the program's dependencies would only cost time here
NEEDED = ("typer", "rich", "pydantic")
SOURCES = ("pyproject.toml", "sandbox", "boxes", "templates", "playbooks")

PREPARE = """
set -eu
export DEBIAN_FRONTEND=noninteractive
mkdir -p /root/src && tar -C /root/src -xf /root/src.tar
# The address may be there before its name server is
for _ in 1 2 3 4 5 6 7 8 9 10; do apt-get -qq update >/dev/null 2>&1 && break; sleep 1; done
apt-get -qq install -y --no-install-recommends python3-venv >/dev/null
python3 -m venv /root/venv
/root/venv/bin/pip -q install --disable-pip-version-check "$@"
"""


@dataclass(frozen=True)
class FreshMachine:
    """The container, and how to run things in it."""

    host: Host
    name: str

    @classmethod
    def launch(cls, host: Host, name: str, image: str, folder: Path) -> "FreshMachine":
        """Start it, with the source tree and a Python that can run it."""
        host.incus("launch", image, name, "-c", "security.nesting=true")
        machine = cls(host, name)
        archive = folder / "src.tar"
        with tarfile.open(archive, "w") as tar:
            for part in SOURCES:
                tar.add(ROOT / part, arcname=part, filter=_without_caches)
        host.incus("file", "push", "-q", str(archive), f"{name}/root/src.tar")
        machine.run("sh", "-c", PREPARE, "sh", *_requirements(), env=machine._trust())
        return machine

    def _trust(self) -> dict[str, str]:
        """The certificates that pip trusts here, also there: a proxy's own may be among them."""
        bundle = os.environ.get("PIP_CERT", "")
        if not bundle:
            return {}
        self.host.incus("file", "push", "-q", bundle, f"{self.name}/root/ca.pem")
        return {"PIP_CERT": "/root/ca.pem"}

    def run(
        self,
        *command: str,
        expect: int | None = 0,
        env: dict[str, str] | None = None,
        timeout_s: float = 300,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as root in it; fail with all it said when it does not exit as expected."""
        settings = [word for item in (env or {}).items() for word in ("--env", "=".join(item))]
        argv = ["incus", "--project", self.host.prefix, "exec", self.name, *settings, "--"]
        done = subprocess.run(
            [*argv, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if expect is not None and done.returncode != expect:
            pytest.fail(
                f"{' '.join(command)[:200]}: exit {done.returncode}, not {expect}\n"
                f"--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}",
                pytrace=False,
            )
        return done

    def sandbox(self, *args: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run our own command line in it."""
        words = ("env", "-C", "/root/src", "/root/venv/bin/python", "-m", "sandbox", *args)
        return self.run(*words, expect=expect)

    def processes(self) -> str:
        """Every command line in it."""
        return self.run("ps", "-e", "-o", "args=").stdout

    def without_systemd(self) -> None:
        """Start it again with something else as its first process."""
        self.host.incus("stop", "--force", self.name)
        self.host.incus(
            "config", "set", self.name, "raw.lxc=lxc.init.cmd = /usr/bin/sleep infinity"
        )
        self.host.incus("start", self.name)
        self.run("sh", "-c", "command -v dhclient >/dev/null && dhclient eth0 || dhcpcd -q eth0")

    def remove(self) -> None:
        """Take it away, whatever its state."""
        self.host.incus("delete", "--force", self.name, check=False)


def _requirements() -> list[str]:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [item for item in project["dependencies"] if item.startswith(NEEDED)]


def _without_caches(item: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in item.name else item
