"""Files that this host brings into a machine: packages for its apt, and those that a plan names."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sandbox.fetch.errors import AbsentFileError, FetchError
from sandbox.fetch.fetcher import Fetched
from sandbox.guest.files_inside import HadBefore
from sandbox.materials.debs import WantedDeb
from sandbox.materials.installed import mark
from sandbox.obtained import Materials, Obtained
from sandbox.providers.place import Place
from sandbox.spec.r import R, RPackages
from sandbox.spec.services import Services
from sandbox.spec.shiny_server import ShinyServer
from sandbox.workflows.context import Context
from tests.unit.factories import plain_plan
from tests.unit.workflows.conftest import Bench

APT = "var/cache/apt/archives"
OURS = "var/lib/sandbox/materials"


@dataclass
class FakeFetcher:
    """Has the files of some addresses."""

    folder: Path
    has: dict[str, bytes]
    asked: list[str] = field(default_factory=list)

    def obtain(self, urls: Sequence[str], *, sha256: str, **_: Any) -> Fetched:
        self.asked += urls
        data = self.has.get(urls[0])
        if data is None:
            raise AbsentFileError("the mirror does not have it", url=urls[0])
        path = self.folder / sha256
        path.write_bytes(data)
        return Fetched(path, sha256, len(data), urls[0])


def deb(name: str, data: bytes) -> WantedDeb:
    url = f"http://mirror.example/{name}.deb"
    return WantedDeb(url, f"{name}_1_all.deb", len(data), hashlib.sha256(data).hexdigest())


@pytest.fixture
def fetcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeFetcher:
    fake = FakeFetcher(tmp_path, {})
    monkeypatch.setattr(Context, "fetcher", lambda *_, **__: fake)
    return fake


def test_packages_come_to_where_apt_looks_first(bench: Bench, fetcher: FakeFetcher) -> None:
    bench.had_before = HadBefore("", (deb("large", b"large one"), deb("small", b"s")))
    fetcher.has = {one.url: b"x" for one in bench.had_before.wanted_debs}
    bench.up(plain_plan())
    assert sorted(bench.unpacked) == [f"{APT}/large_1_all.deb", f"{APT}/small_1_all.deb"]


def test_a_mirror_that_cannot_be_reached_is_asked_once(bench: Bench, fetcher: FakeFetcher) -> None:
    bench.had_before = HadBefore("", (deb("large", b"large one"), deb("small", b"s")))
    bench.up(plain_plan())
    assert fetcher.asked == ["http://mirror.example/small.deb"]
    assert bench.unpacked == []
    assert "the machine itself downloads 2 packages: the mirror does not have it" in bench.notices()


def test_what_one_lacks_keeps_no_other_back(bench: Bench, fetcher: FakeFetcher) -> None:
    wanted = (deb("large", b"large one"), deb("medium", b"medium"), deb("small", b"s"))
    bench.had_before = HadBefore("", wanted)
    fetcher.has = {wanted[0].url: b"x", wanted[2].url: b"x"}
    bench.up(plain_plan())
    assert sorted(bench.unpacked) == [f"{APT}/large_1_all.deb", f"{APT}/small_1_all.deb"]
    assert "the machine itself downloads 1 packages: the mirror does not have it" in bench.notices()


def test_a_server_elsewhere_downloads_by_itself(
    bench: Bench, fetcher: FakeFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.had_before = HadBefore("", (deb("small", b"s"),))
    monkeypatch.setattr(Place, "is_local", property(lambda _: False))
    bench.up(plain_plan())
    assert fetcher.asked == []


def file(name: str, data: bytes) -> Obtained:
    return Obtained(
        kind="r_package",
        name=name,
        version="1.0",
        file_name=f"{name}_1.0.tar.gz",
        url=f"https://cran.example/{name}_1.0.tar.gz",
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        r="4.2.2",
    )


def test_only_files_that_the_machine_lacks_are_sent(bench: Bench, fetcher: FakeFetcher) -> None:
    old, new = file("old", b"old"), file("new", b"new")
    plan = plain_plan().with_materials(Materials(files=(new, old)))
    bench.had_before = HadBefore(f"{mark(old)}\n", ())
    fetcher.has = {new.url: b"new", old.url: b"old"}
    bench.up(plan)
    assert bench.unpacked == [f"{OURS}/new_1.0.tar.gz"]


def test_a_file_of_the_plan_that_is_gone_stops_up(bench: Bench, fetcher: FakeFetcher) -> None:
    plan = plain_plan().with_materials(Materials(files=(file("gone", b"gone"),)))
    with pytest.raises(FetchError):
        bench.up(plan)
    assert bench.provisioned == 0


def test_an_earlier_plan_gives_its_files_while_the_box_asks_for_the_same() -> None:
    materials = Materials(files=(file("a", b"a"),), debian_packages=("libcurl4",))
    earlier = plain_plan().with_materials(materials)
    again = plain_plan().as_made(earlier)
    assert again == earlier
    assert "libcurl4" in again.apt_packages
    other = plain_plan().model_copy(update={"r": R()})
    assert other.as_made(earlier).materials == Materials()


def test_another_option_or_port_asks_for_the_same_files() -> None:
    dated = RPackages(source="repository", names=("cli",), repository="https://cran.example")
    one = plain_plan().model_copy(update={"r": R(packages=dated)})
    same = one.model_copy(
        update={
            "r": R(packages=dated, options={"digits": 9}),
            "services": Services(shiny_server=ShinyServer(port=3839)),
        }
    )
    assert same.request_key == one.request_key
    for other in (
        R(packages=dated.model_copy(update={"names": ("cli", "glue")})),
        R(packages=dated.model_copy(update={"date": "2024-06-13"})),
        R(packages=dated, blas="openblas"),
        R(version="4.4.1", source="posit", packages=dated),
    ):
        changed = one.model_copy(update={"r": other})
        assert changed.request_key != one.request_key


def test_where_a_file_comes_from_is_no_part_of_the_key() -> None:
    one = file("a", b"a")
    here = plain_plan().with_materials(Materials(files=(one,)))
    moved = one.model_copy(update={"url": "https://elsewhere.example/a"})
    there = plain_plan().with_materials(Materials(files=(moved,)))
    assert here.key == there.key
    other = plain_plan().with_materials(Materials(files=(file("a", b"b"),)))
    assert here.key != other.key
