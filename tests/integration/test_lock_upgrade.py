"""`sandbox lock --upgrade` with the tests' mirror, whose repository changes from day to day.

No machine is made: what its apt would bring does not change, and is left out of these locks.
"""

import os
import platform
import subprocess
from difflib import unified_diff
from pathlib import Path

import pytest
import yaml

from sandbox.box_lock.model import LockedBase, LockedFile, MachineLock
from sandbox.box_lock.text import lock_path
from sandbox.providers.place import Place
from sandbox.spec.mirrors import Mirrors
from sandbox.spec.user_config import UserConfig
from sandbox.workflows.choose_placement import Overrides, placement_for
from sandbox.workflows.context import Context
from sandbox.workflows.files_to_fetch import with_files
from sandbox.workflows.lock import write_lock
from sandbox.workflows.lock_inputs import inputs_of
from tests.conftest import SANDBOX
from tests.mirror.server import Mirror

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the tests' mirror has binaries for x86_64"
)
BOX = """\
version: 1
base: debian-12
r:
  packages:
    source: repository
    repository: https://packagemanager.posit.co/cran
    names: [{names}]
"""


class Bench:
    """A box and its lock; the repository that it names is the tests' mirror."""

    def __init__(self, mirror: Mirror, folder: Path) -> None:
        self.mirror, self.folder = mirror, folder
        self.box = folder / "sales.yml"
        config = folder / "config/sandbox/config.yml"
        config.parent.mkdir(parents=True)
        config.write_text(f"mirrors: {{cran: {mirror.url}/cran}}\n")

    def lock(self, day: str, *names: str) -> str:
        """Lock what the repository has on a day, as `sandbox lock` does it; without a machine."""
        self.mirror.settings.today = day
        self.box.write_text(BOX.format(names=", ".join(names)))
        mirrors = Mirrors(cran=f"{self.mirror.url}/cran")
        context = Context(
            place=Place("none"), provider="incus", user_config=lambda: UserConfig(mirrors=mirrors)
        )
        placement = placement_for(str(self.box), Overrides(), context, cwd=self.folder)
        plan = with_files(placement, context, again=True).plan
        made = MachineLock(
            date=day,
            base=LockedBase(name=plan.base.name, image="f00d"),
            inputs=inputs_of(placement.plan),
            files=tuple(LockedFile.of(one) for one in plan.materials.files),
            debian_packages=plan.materials.debian_packages,
        )
        return write_lock(placement, made).path.read_text()

    def upgrade(self, day: str, package: str, *, expect: int = 0) -> str:
        """Run the command on another day; return what it says."""
        self.mirror.settings.today = day
        self.mirror.log.clear()
        done = subprocess.run(
            [SANDBOX, "lock", "--provider", "incus", "--upgrade", package, self.box],
            env=os.environ,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stderr

    @property
    def text(self) -> str:
        return lock_path(self.box).read_text()

    @property
    def versions(self) -> dict[str, str]:
        (machine,) = yaml.safe_load(self.text)["machines"].values()
        return {one["name"]: one["version"] for one in machine["files"]}


@pytest.fixture
def bench(mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    for name in ("state", "cache", "config"):
        monkeypatch.setenv(f"XDG_{name.upper()}_HOME", str(tmp_path / name))
    return Bench(mirror, tmp_path)


def difference(before: str, after: str) -> list[str]:
    """The lines of a diff that are not only its frame."""
    found = unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [one for one in found if not one.startswith(("---", "+++", "@@"))]


JUNE_9, JUNE_12, AUGUST_25 = "2023-06-09", "2023-06-12", "2025-08-11"


def test_one_package_changes_and_the_diff_is_small(bench: Bench) -> None:
    bench.mirror.settings.only_source.add("praise")
    before = bench.lock(JUNE_9, "R6", "digest", "glue", "chainfirst", "praise")
    old = bench.versions
    bench.upgrade(JUNE_9, "R6")
    assert bench.text == before
    bench.upgrade(JUNE_12, "R6")
    assert bench.versions == {**old, "R6": "2.6.1"}
    # Its version, file, checksum, size and address, and the day; no other package was asked for
    lines = difference(before, bench.text)
    assert len([one for one in lines if one.startswith("+")]) <= 7, lines
    assert len(lines) <= 14, lines
    files = {one.rpartition("/")[2] for one in bench.mirror.asked(".tar.gz")}
    assert files == {"R6_2.6.1.tar.gz"}


def test_what_the_package_needs_changes_with_it(bench: Bench) -> None:
    bench.mirror.settings.only_source.add("digest")
    bench.lock(JUNE_9, "R6", "digest", "chainfirst")
    old = bench.versions
    assert old["chainlast"] == "1.0.0"
    # The day has newer ones of all but two
    bench.upgrade(JUNE_12, "chainfirst")
    assert bench.versions == {**old, "chainlast": "1.1.0"}


def test_what_is_compiled_with_the_package_says_so(bench: Bench) -> None:
    bench.mirror.settings.only_source.add("later")
    bench.lock(JUNE_9, "later", "digest")
    assert '"Rcpp 1.0.10"' in bench.text
    bench.upgrade(AUGUST_25, "Rcpp")
    assert bench.versions["Rcpp"] == "1.0.14"
    assert '"Rcpp 1.0.14"' in bench.text
    assert "Rcpp 1.0.10" not in bench.text


def test_a_package_that_would_need_a_compiler_is_refused(bench: Bench) -> None:
    before = bench.lock(JUNE_9, "R6", "cli")
    # Nothing of the lock is compiled in the machine, and it has no compiler
    said = bench.upgrade(AUGUST_25, "cli", expect=2)
    assert "cli cannot change alone: today's version needs " in said
    assert "r-base-dev" in said or "g++" in said
    assert bench.text == before


def test_a_package_that_has_left_the_repository_is_refused(bench: Bench) -> None:
    before = bench.lock(JUNE_9, "vanished", "R6")
    said = bench.upgrade(JUNE_12, "vanished", expect=3)
    assert "the repository does not have `vanished`" in said
    assert bench.text == before
