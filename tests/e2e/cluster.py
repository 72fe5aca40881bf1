"""An Incus cluster on this one machine, for the tests that need real members."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import cannot_run

SCRIPT = Path(__file__).parents[1] / "cluster_lab.sh"
FOLDER = Path("/var/lib/sbx-cluster-lab")
"""Short: the path of a daemon's socket has 108 bytes at the most."""


@dataclass(frozen=True)
class Lab:
    """A cluster that runs. Its members are the remotes `clab1`, `clab2`, … of the user."""

    folder: Path
    members: int

    @property
    def remotes(self) -> tuple[str, ...]:
        return tuple(f"clab{one}" for one in range(1, self.members + 1))

    def script(self, *words: str) -> str:
        return lab_script(self.folder, *words)


def obstacle() -> str:
    """Why no cluster can be made here; empty when one can."""
    if os.geteuid() != 0:
        return "it needs root, for network namespaces"
    if not Path("/usr/libexec/incus/incusd").exists():
        return "there is no /usr/libexec/incus/incusd"
    lacking = [one for one in ("incus", "ip", "unshare", "nft") if shutil.which(one) is None]
    return f"there is no {', '.join(lacking)}" if lacking else ""


def lab_script(folder: Path, *words: str) -> str:
    env = {**os.environ, "CLUSTER_LAB_HOME": str(folder)}
    done = subprocess.run(
        [str(SCRIPT), *words], env=env, text=True, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextmanager
def cluster_of(members: int, configuration: Path) -> Iterator[Lab]:
    """Give a cluster of so many members; `configuration` is a folder for the user's remotes.

    For the time of the block it is the `incus` configuration of this process and its children.
    """
    if why := obstacle():
        cannot_run(f"NO CLUSTER WAS TESTED: {why}")
    lab_script(FOLDER, "down")
    patched = pytest.MonkeyPatch()
    try:
        first = lab_script(FOLDER, "up", str(members)).splitlines()[-1]
        patched.setenv("INCUS_CONF", str(configuration))
        token = say({"INCUS_DIR": first}, "config", "trust", "add", "sandbox-test", "-q")
        lab = Lab(FOLDER, members)
        others = [f"https://10.89.0.{one}:8443" for one in range(2, members + 1)]
        for name, where in zip(lab.remotes, (token.splitlines()[-1], *others), strict=True):
            say({}, "remote", "add", "--accept-certificate", name, where)
        yield lab
    finally:
        patched.undo()
        lab_script(FOLDER, "down")


def say(env: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        ["incus", *words],
        env={**os.environ, **env},
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
