"""Posit's builds of R: which address is asked, what is refused, and what the playbooks get."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from sandbox.architecture import debian_architecture
from sandbox.errors import BoxError
from sandbox.fetch.errors import AbsentFileError, FetchError
from sandbox.fetch.fetcher import Fetched, LooksWrong
from sandbox.materials.r_builds import is_portable, obtain
from sandbox.materials.r_variables import r_variables
from sandbox.obtained import Materials
from sandbox.plan import Plan
from sandbox.spec.bases import load_bases
from sandbox.spec.r import InstalledR, R
from tests.unit.factories import plain_plan, shiny_plan

CDN = "https://cdn.posit.co/r"
DEB = b"!<arch>\ndebian-binary   1\n"


class ServerInMemory:
    """Stands in for the Fetcher: addresses and their bytes."""

    def __init__(self, files: dict[str, bytes], folder: Path) -> None:
        self.files, self.folder = files, folder
        self.asked: list[str] = []
        self.kept: dict[str, Fetched] = {}

    def obtain(self, urls: Sequence[str], *, looks_wrong: LooksWrong | None = None) -> Fetched:
        (url,) = urls
        if url in self.kept:
            return self.kept[url]
        self.asked.append(url)
        if url not in self.files:
            raise AbsentFileError("it is not there", url=url)
        sha256 = hashlib.sha256(self.files[url]).hexdigest()
        path = self.folder / sha256
        path.write_bytes(self.files[url])
        if looks_wrong is not None and (why := looks_wrong(path)):
            raise FetchError(f"what came is not the file: {why}", url=url)
        self.kept[url] = Fetched(path, sha256, len(self.files[url]), url)
        return self.kept[url]


@pytest.fixture(autouse=True)
def an_amd64_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


def plan_of(*rs: InstalledR, base: str = "debian-12", blas: str = "openblas") -> Plan:
    r = R.model_validate({"versions": [one.model_dump() for one in rs], "blas": blas}, strict=False)
    return plain_plan().model_copy(update={"r": r, "base": load_bases()[base]})


def posit(version: str, *, default: bool = True) -> InstalledR:
    return InstalledR(version=version, source="posit", default=default)


def fetched(plan: Plan, files: dict[str, bytes], folder: Path) -> tuple[Materials, list[str]]:
    told: list[str] = []
    return obtain(plan, ServerInMemory(files, folder), told.append), told


def test_the_distributions_own_build_is_taken(tmp_path: Path) -> None:
    url = f"{CDN}/debian-12/pkgs/r-4.4.1_1_amd64.deb"
    portable = f"{CDN}/manylinux_2_34/pkgs/r-4.4.1_1_amd64.deb"
    plan = plan_of(posit("4.4.1"), InstalledR(version="4.2"))
    materials, told = fetched(plan, {url: DEB, portable: DEB + b"x"}, tmp_path)
    (file,) = materials.files
    assert (file.kind, file.name, file.version, file.r) == ("r", "R", "4.4.1", "4.4.1")
    assert (file.url, file.file_name) == (url, "r-4.4.1_1_amd64.deb")
    assert (file.sha256, file.size_bytes) == (hashlib.sha256(DEB).hexdigest(), len(DEB))
    assert materials.debian_packages == ()
    assert len(told) == 1
    assert "no checksums" in told[0]


def test_the_portable_build_is_the_fallback(tmp_path: Path) -> None:
    url = f"{CDN}/manylinux_2_34/pkgs/r-4.4.1_1_amd64.deb"
    server = ServerInMemory({url: DEB}, tmp_path)
    materials = obtain(plan_of(posit("4.4.1")), server, lambda _: None)
    assert server.asked == [f"{CDN}/debian-12/pkgs/r-4.4.1_1_amd64.deb", url]
    assert is_portable(materials.files[0])
    assert "libxcursor1" in materials.debian_packages


def test_a_build_that_cannot_be_there_is_not_asked_for(tmp_path: Path) -> None:
    url = f"{CDN}/manylinux_2_34/pkgs/r-4.6.1_1_amd64.deb"
    server = ServerInMemory({url: DEB}, tmp_path)
    obtain(plan_of(posit("4.6.1")), server, lambda _: None)
    assert server.asked == [url]


def test_trust_is_told_once_and_not_of_what_the_store_has(tmp_path: Path) -> None:
    files = {f"{CDN}/debian-12/pkgs/r-4.{n}.1_1_amd64.deb": DEB + bytes([n]) for n in (3, 4)}
    server = ServerInMemory(files, tmp_path)
    plan = plan_of(posit("4.4.1"), posit("4.3.1", default=False))
    told: list[str] = []
    materials = obtain(plan, server, told.append)
    assert [file.version for file in materials.files] == ["4.3.1", "4.4.1"]
    assert len(told) == 1
    assert obtain(plan, server, told.append) == materials
    assert len(told) == 1


def test_a_daily_build_is_said_to_be_one(tmp_path: Path) -> None:
    url = f"{CDN}/debian-13/pkgs/r-devel_1_amd64.deb"
    _, told = fetched(plan_of(posit("devel"), base="debian-13"), {url: DEB}, tmp_path)
    assert told[1] == "R devel is another build every day: this machine gets the first fetched"


def test_a_version_that_is_nowhere_names_what_was_asked(tmp_path: Path) -> None:
    with pytest.raises(BoxError) as caught:
        fetched(plan_of(posit("4.4.9")), {}, tmp_path)
    assert caught.value.message == "Posit has no R 4.4.9 for debian-12 on amd64"
    assert caught.value.details.splitlines() == [
        f"not there: {CDN}/debian-12/pkgs/r-4.4.9_1_amd64.deb",
        f"not there: {CDN}/manylinux_2_34/pkgs/r-4.4.9_1_amd64.deb",
    ]


def test_debian_11_has_no_fallback(tmp_path: Path) -> None:
    url = f"{CDN}/manylinux_2_34/pkgs/r-4.4.1_1_amd64.deb"
    with pytest.raises(BoxError) as caught:
        fetched(plan_of(posit("4.4.1"), base="debian-11"), {url: DEB}, tmp_path)
    assert caught.value.details == f"not there: {CDN}/debian-11/pkgs/r-4.4.1_1_amd64.deb"


def test_the_portable_build_and_the_reference_blas_are_refused(tmp_path: Path) -> None:
    url = f"{CDN}/manylinux_2_34/pkgs/r-4.4.1_1_amd64.deb"
    with pytest.raises(BoxError, match="portable build, which has OpenBLAS inside"):
        fetched(plan_of(posit("4.4.1"), blas="reference"), {url: DEB}, tmp_path)


def test_a_server_in_trouble_is_no_reason_for_another_build(tmp_path: Path) -> None:
    class Broken(ServerInMemory):
        def obtain(self, urls: Sequence[str], *, looks_wrong: LooksWrong | None = None) -> Fetched:
            raise FetchError("refused", url=urls[0])

    with pytest.raises(FetchError, match="refused"):
        obtain(plan_of(posit("4.4.1")), Broken({}, tmp_path), lambda _: None)


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    url = f"{CDN}/debian-12/pkgs/r-4.4.1_1_amd64.deb"
    with pytest.raises(FetchError, match="it is no Debian package"):
        fetched(plan_of(posit("4.4.1")), {url: b"<html>"}, tmp_path)


def test_arm64_has_its_own_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    url = f"{CDN}/debian-12/pkgs/r-4.4.1_1_arm64.deb"
    materials, _ = fetched(plan_of(posit("4.4.1")), {url: DEB}, tmp_path)
    assert materials.files[0].file_name == "r-4.4.1_1_arm64.deb"


def test_other_architectures_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "ppc64le")
    with pytest.raises(BoxError, match="architecture ppc64el"):
        fetched(plan_of(posit("4.4.1")), {}, tmp_path)


def test_a_mac_is_arm64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert debian_architecture() == "arm64"


def test_nothing_is_asked_for_debians_r(tmp_path: Path) -> None:
    server = ServerInMemory({}, tmp_path)
    assert obtain(shiny_plan(), server, lambda _: None) == Materials()
    assert server.asked == []


def test_the_playbooks_get_every_r(tmp_path: Path) -> None:
    url = f"{CDN}/debian-12/pkgs/r-4.4.1_1_amd64.deb"
    plan = plan_of(InstalledR(version="4.2"), posit("4.4.1"))
    materials, _ = fetched(plan, {url: DEB}, tmp_path)
    newer, debian = r_variables(plan, materials)
    assert newer.model_dump() == {
        "version": "4.4.1",
        "expected": "4.4.1",
        "source": "posit",
        "home": "/opt/R/4.4.1/lib/R",
        "program": "/opt/R/4.4.1/bin/R",
        "deb": "r-4.4.1_1_amd64.deb",
        "sha256": hashlib.sha256(DEB).hexdigest(),
        "is_default": True,
    }
    assert (debian.version, debian.expected, debian.deb) == ("4.2.2", "4.2", "")
    assert [one.sha256 for one in r_variables(plan)] == ["", ""]


def test_a_daily_build_may_have_any_version() -> None:
    (one,) = r_variables(plan_of(posit("devel"), base="debian-13"))
    assert (one.version, one.expected, one.deb) == ("devel", "", "r-devel_1_amd64.deb")


def test_debians_r_alone() -> None:
    (one,) = r_variables(shiny_plan())
    assert (one.source, one.program, one.home) == ("debian", "/usr/bin/R", "/usr/lib/R")
    assert one.is_default
    assert r_variables(plain_plan()) == ()
