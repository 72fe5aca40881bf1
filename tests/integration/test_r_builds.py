"""Posit's builds of R through the real fetcher, from the tests' mirror of their server."""

import hashlib
import platform
from pathlib import Path

import pytest

from sandbox.errors import BoxError
from sandbox.events import ignore
from sandbox.fetch.fetcher import Fetcher
from sandbox.fetch.routes import Routes
from sandbox.fetch.store import Store
from sandbox.materials.r_builds import is_portable, obtain
from sandbox.plan import Plan
from sandbox.spec.bases import load_bases
from sandbox.spec.mirrors import Mirrors
from sandbox.spec.r import InstalledR, R
from tests.mirror.server import Mirror
from tests.unit.factories import plain_plan

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the tests' mirror has builds for x86_64"
)


def plan_of(*versions: str) -> Plan:
    rs = tuple(
        InstalledR(version=one, source="posit", default=one == versions[0]) for one in versions
    )
    update = {"r": R(versions=rs, blas="openblas"), "base": load_bases()["debian-12"]}
    return plain_plan().model_copy(update=update)


def fetcher(mirror: Mirror, folder: Path) -> Fetcher:
    return Fetcher(Routes(Mirrors(posit=mirror.url)), Store(folder), ignore)


def own(version: str) -> str:
    return f"/r/debian-12/pkgs/r-{version}_1_amd64.deb"


def test_two_builds_are_fetched_once(mirror: Mirror, tmp_path: Path) -> None:
    told: list[str] = []
    found = obtain(plan_of("4.2.2", "4.0.4"), fetcher(mirror, tmp_path), told.append)
    assert [file.version for file in found.files] == ["4.0.4", "4.2.2"]
    for file in found.files:
        assert file.url == f"https://cdn.posit.co{own(file.version)}"
        kept = Store(tmp_path).find(file.sha256)
        assert kept is not None
        assert hashlib.sha256(kept.read_bytes()).hexdigest() == file.sha256
    assert len(told) == 1
    asked = len(mirror.log)
    assert obtain(plan_of("4.2.2", "4.0.4"), fetcher(mirror, tmp_path), told.append) == found
    assert len(mirror.log) == asked
    assert len(told) == 1


def test_without_a_build_of_its_own_the_portable_one_comes(mirror: Mirror, tmp_path: Path) -> None:
    mirror.vanish(own("4.2.2"))
    found = obtain(plan_of("4.2.2"), fetcher(mirror, tmp_path), lambda _: None)
    assert is_portable(found.files[0])
    assert mirror.asked("manylinux_2_34")


def test_a_version_that_nobody_built(mirror: Mirror, tmp_path: Path) -> None:
    with pytest.raises(BoxError, match=r"Posit has no R 4\.1\.9 for debian-12"):
        obtain(plan_of("4.1.9"), fetcher(mirror, tmp_path), lambda _: None)
