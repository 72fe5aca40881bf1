"""The packages of a plan: resolved, fetched and looked into, from a web in memory."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import BoxError
from sandbox.fetch.errors import FetchError
from sandbox.materials.packages.obtain import obtain
from sandbox.materials.packages.variables import library_variables
from sandbox.obtained import Materials, Obtained
from sandbox.plan import Plan, RInput
from sandbox.spec.r import InstalledR, R, RPackages
from tests.fakes.fetching import FakeFetcher
from tests.unit.factories import plain_plan
from tests.unit.materials.made import AARCH64, X86_64, binary, description, elf, source, tar

BASE = "https://p.example/cran"
DAY = f"{BASE}/2024-06-13/src/contrib"
BIN = f"{BASE}/2024-06-13/bin/linux/bookworm-x86_64/4.2/src/contrib"
OLD = f"{BASE}/__linux__/bookworm/2024-06-13/src/contrib"
QUERY = "?r_version=4.2&arch=x86_64"


def index(*records: str) -> bytes:
    """PACKAGES.gz: `name version`, and after a bar what it needs."""
    parts = []
    for one in records:
        head, _, needs = one.partition("|")
        name, version = head.split()
        parts.append(f"Package: {name}\nVersion: {version}\nImports: {needs}\n")
    return gzip.compress("\n".join(parts).encode())


def plan(packages: RPackages, path: Path | None = None) -> Plan:
    inputs = (
        (RInput(r="4.2.2", path=path, place="box.yml:3", sha256=""),) if path is not None else ()
    )
    return plain_plan().model_copy(update={"r": R(packages=packages), "r_inputs": inputs})


def dated(*names: str, **more: Any) -> Plan:
    said = {"source": "repository", "repository": BASE, "date": "2024-06-13", **more}
    return plan(RPackages(names=names, **said))


@pytest.fixture
def web(tmp_path: Path) -> FakeFetcher:
    return FakeFetcher(tmp_path / "cache")


def get(made: Plan, web: FakeFetcher, told: list[str] | None = None) -> Materials:
    tell = told.append if told is not None else lambda _: None
    return obtain(made, web, tell, architecture="x86_64")


def by_name(found: Materials) -> dict[str, Obtained]:
    return {one.name: one for one in found.files}


def refused(made: Plan, web: FakeFetcher) -> str:
    with pytest.raises(BoxError) as caught:
        get(made, web)
    assert caught.value.hint
    return f"{caught.value.message}\n{caught.value.details}\n{caught.value.hint}"


# A repository


def test_a_plan_with_debians_packages_asks_for_nothing(web: FakeFetcher) -> None:
    assert get(plan(RPackages(names=("shiny",))), web) == Materials()
    assert get(plain_plan(), web) == Materials()
    assert web.asked == []


def test_sources_with_all_that_they_need(web: FakeFetcher) -> None:
    web.web = {
        f"{DAY}/PACKAGES.gz": index("aa 1.0|bb (>= 1.0), methods", "bb 1.1|stats", "cc 3.0"),
        f"{DAY}/aa_1.0.tar.gz": source(
            "aa", Imports="bb (>= 1.0)", SystemRequirements="GNU make, libxml2", LinkingTo="bb"
        ),
        f"{DAY}/bb_1.1.tar.gz": source("bb", "1.1"),
    }
    made = dated("aa", "stats")
    found = get(made, web)
    assert list(by_name(found)) == ["aa", "bb"]
    aa = by_name(found)["aa"]
    assert (aa.is_binary, aa.needs, aa.linked_to, aa.r) == (False, ("bb",), ("bb 1.1",), "4.2.2")
    assert aa.url == f"{DAY}/aa_1.0.tar.gz"
    assert aa.file_name == f"aa_1.0.{aa.sha256[:12]}.tar.gz"
    assert {"libxml2-dev", "r-base-dev"} <= set(found.debian_packages)
    (library,) = library_variables(made, found)
    assert [one.name for one in library.files] == ["bb", "aa"]
    assert library.library == "/usr/local/lib/R/site-library"


def test_the_second_time_no_file_is_asked_for(web: FakeFetcher) -> None:
    web.web = {
        f"{DAY}/PACKAGES.gz": index("aa 1.0"),
        f"{DAY}/aa_1.0.tar.gz": source("aa"),
    }
    first = get(dated("aa"), web)
    web.asked.clear()
    del web.web[f"{DAY}/aa_1.0.tar.gz"]
    assert get(dated("aa"), web) == first
    assert not [one for one in web.asked if one.endswith("aa_1.0.tar.gz")]


@pytest.mark.parametrize("form", [1, 2, 3])
def test_a_binary_by_each_form_of_address(web: FakeFetcher, form: int) -> None:
    data = binary("aa", library=elf(X86_64))
    where = {
        1: {f"{BIN}/PACKAGES.gz": index("aa 1.0"), f"{BIN}/aa_1.0.tar.gz": data},
        2: {f"{OLD}/PACKAGES.gz{QUERY}": index("aa 1.0"), f"{OLD}/aa_1.0.tar.gz{QUERY}": data},
        3: {
            f"{OLD}/PACKAGES.gz{QUERY}": index("aa 1.0"),
            f"{OLD}/aa_1.0.tar.gz AGENT": data,
        },
    }
    web.web = {**where[form], f"{DAY}/aa_1.0.tar.gz": source("aa")}
    found = get(dated("aa"), web)
    assert by_name(found)["aa"].is_binary
    assert found.debian_packages == (), "nothing is compiled"


@pytest.mark.parametrize(
    "wrong",
    [
        binary("aa", r="4.3.1"),
        binary("aa", library=elf(AARCH64)),
        binary("aa", "0.9"),
        binary("bb"),
        b"<html>",
    ],
)
def test_a_binary_that_does_not_fit_is_compiled_from_source(web: FakeFetcher, wrong: bytes) -> None:
    web.web = {
        f"{BIN}/PACKAGES.gz": index("aa 1.0"),
        f"{BIN}/aa_1.0.tar.gz": wrong,
        f"{DAY}/aa_1.0.tar.gz": source("aa"),
    }
    found = by_name(get(dated("aa"), web))["aa"]
    assert (found.is_binary, found.url) == (False, f"{DAY}/aa_1.0.tar.gz")


def test_source_in_a_binarys_place_is_source(web: FakeFetcher) -> None:
    web.web = {f"{BIN}/PACKAGES.gz": index("aa 1.0"), f"{BIN}/aa_1.0.tar.gz": source("aa")}
    found = get(dated("aa"), web)
    assert not by_name(found)["aa"].is_binary
    assert "r-base-dev" in found.debian_packages


def test_a_box_that_wants_source_gets_no_binary(web: FakeFetcher) -> None:
    web.web = {
        f"{DAY}/PACKAGES.gz": index("aa 1.0"),
        f"{BIN}/PACKAGES.gz": index("aa 1.0"),
        f"{BIN}/aa_1.0.tar.gz": binary("aa"),
        f"{DAY}/aa_1.0.tar.gz": binary("aa"),
    }
    words = refused(dated("aa", binary=False), web)
    assert "it is compiled already, and the box wants source (`binary: false`)" in words
    assert not [one for one in web.asked if "/bin/" in one]


def test_a_wrong_file_without_another_is_refused_with_the_reason(web: FakeFetcher) -> None:
    web.web = {
        f"{BIN}/PACKAGES.gz": index("aa 1.0"),
        f"{BIN}/aa_1.0.tar.gz": binary("aa", library=elf(AARCH64)),
    }
    words = refused(dated("aa"), web)
    assert "its libraries are for aarch64, and this machine is x86_64" in words


def test_a_plain_mirror_has_no_dates(web: FakeFetcher) -> None:
    web.web = {
        f"{BASE}/src/contrib/PACKAGES": gzip.decompress(index("aa 1.0")),
        f"{BASE}/src/contrib/aa_1.0.tar.gz": source("aa"),
    }
    assert by_name(get(dated("aa", date=None), web))["aa"].version == "1.0"
    words = refused(dated("aa"), web)
    assert f"no repository of R packages with a snapshot of 2024-06-13 at {BASE}" in words
    assert "a plain mirror of CRAN has no dates" in words


def test_all_that_does_not_fit_is_said_at_once(web: FakeFetcher) -> None:
    web.web[f"{DAY}/PACKAGES.gz"] = gzip.compress(
        gzip.decompress(index("ggplot2 1.0|scales (>= 2.0), gone", "scales 1.9"))
        + b"\nPackage: newer\nVersion: 5.0\nDepends: R (>= 4.4)\n"
    )
    words = refused(dated("ggplot2", "ggplto2", "newer"), web)
    for expected in (
        "the repository does not have `ggplto2`. Perhaps you meant `ggplot2`?",
        "the repository does not have `gone`, which ggplot2 1.0 needs",
        "ggplot2 1.0 needs scales (>= 2.0), and the repository has scales 1.9",
        "newer 5.0: it needs R (>= 4.4), and this R is 4.2.2. An earlier `date`",
    ):
        assert expected in words
    assert len(web.asked) < 9, "no file was fetched"


def test_what_may_be_missing_is_left_out_and_told(web: FakeFetcher) -> None:
    web.web = {
        f"{DAY}/PACKAGES.gz": index("aa 1.0"),
        f"{DAY}/aa_1.0.tar.gz": source("aa"),
    }
    told: list[str] = []
    found = get(dated("aa", "nothere", if_missing="skip"), web, told)
    assert list(by_name(found)) == ["aa"]
    assert "R packages: left out, not in the repository: nothere" in told


def test_a_file_that_is_gone_is_named_and_the_archive_was_asked(web: FakeFetcher) -> None:
    web.web[f"{DAY}/PACKAGES.gz"] = index("aa 1.0", "bb 1.0")
    web.web[f"{BASE}/src/contrib/Archive/bb/bb_1.0.tar.gz"] = source("bb")
    words = refused(dated("aa", "bb"), web)
    assert "a package of 2 cannot be had" in words
    assert "aa 1.0: it is not there any more" in words


def test_a_server_that_does_not_answer_is_an_error_of_the_host(web: FakeFetcher) -> None:
    web.web[f"{DAY}/PACKAGES.gz"] = index(*(f"p{number}p 1.0" for number in range(50)))
    web.unreachable = (f"{DAY}/p",)
    with pytest.raises(FetchError, match="no answer"):
        get(dated(*(f"p{number}p" for number in range(50))), web)
    assert len([one for one in web.asked if ".tar.gz" in one]) < 50


def test_posits_r_has_the_recommended_packages_already(web: FakeFetcher) -> None:
    one = InstalledR(
        version="4.2.3",
        source="posit",
        default=True,
        packages=RPackages(source="repository", repository=BASE, date="2024-06-13", names=("aa",)),
    )
    made = plain_plan().model_copy(update={"r": R(versions=(one,))})
    web.web = {
        f"{DAY}/PACKAGES.gz": index("aa 1.0|MASS, Matrix (>= 1.5)", "Matrix 1.5-1", "MASS 7.3-58"),
        f"{DAY}/aa_1.0.tar.gz": source("aa", Imports="MASS, Matrix (>= 1.5)"),
        f"{DAY}/Matrix_1.5-1.tar.gz": source("Matrix", "1.5-1"),
    }
    found = get(made, web)
    assert list(by_name(found)) == ["Matrix", "aa"]
    assert "g++" in found.debian_packages
    (library,) = library_variables(made, found)
    assert library.library == "/opt/R/4.2.3/lib/R/site-library"


# A lock file


def lock(tmp_path: Path, packages: dict[str, dict[str, str]], **more: Any) -> Plan:
    path = tmp_path / "renv.lock"
    said = {
        "R": {
            "Version": more.pop("r", "4.2.1"),
            "Repositories": [{"Name": "CRAN", "URL": f"{BASE}/2024-06-13"}],
        },
        "Packages": {
            name: {"Package": name, "Version": "1.0", "Source": "Repository", **fields}
            for name, fields in packages.items()
        },
        **({"Bioconductor": {"Version": more.pop("bioc")}} if "bioc" in more else {}),
    }
    path.write_text(json.dumps(said, indent=2), "utf-8")
    return plan(RPackages(source="renv", lock="renv.lock", **more), path)


SHA = "a" * 40
GITHUB = {"Source": "GitHub", "RemoteUsername": "o", "RemoteRepo": "r", "RemoteSha": SHA}


def test_a_lock_with_an_archived_a_github_and_a_bioconductor_package(
    web: FakeFetcher, tmp_path: Path
) -> None:
    made = lock(
        tmp_path,
        {
            "old": {},
            "hub": {**GITHUB, "RemoteSubdir": "pkg"},
            "Biobase": {"Source": "Bioconductor"},
            "Matrix": {"Version": "1.4-0"},
        },
        bioc="3.16",
    )
    hub = source("hub", Imports="old, Matrix (>= 1.4-0)")
    inside = {"r-aaa/pkg/DESCRIPTION": b"Package: hub\nVersion: 1.0\nImports: old, Matrix\n"}
    assert hub
    web.web = {
        f"{BASE}/latest/src/contrib/Archive/old/old_1.0.tar.gz": source("old"),
        f"https://codeload.github.com/o/r/tar.gz/{SHA}": tar(inside),
        "https://bioconductor.org/packages/3.16/bioc/src/contrib/Biobase_1.0.tar.gz": source(
            "Biobase"
        ),
        f"{BIN}/Matrix_1.4-0.tar.gz": binary("Matrix", "1.4-0"),
    }
    found = by_name(get(made, web))
    assert {name: one.version for name, one in found.items()} == {
        "Biobase": "1.0",
        "Matrix": "1.4-0",
        "hub": "1.0",
        "old": "1.0",
    }
    assert ("RemoteSha", SHA) in found["hub"].remote
    assert found["hub"].needs == ("Matrix", "old")
    (library,) = library_variables(made, Materials(files=tuple(found.values())))
    files = {one.name: one for one in library.files}
    assert files["hub"].folder == "pkg"
    assert library.locked_with == "4.2.1"
    assert [*files].index("hub") > [*files].index("old")


@pytest.mark.parametrize(
    ("packages", "more", "expected"),
    [
        (
            {"aa": {}},
            {"r": "4.4.1"},
            "was locked with R 4.4.1, and this R is 4.2.2\npackages of one minor version of R are "
            'not for another\ngive the box that R: `version: "4.4.1"` and `source: posit`',
        ),
        (
            {"Biobase": {"Source": "Bioconductor"}},
            {"bioc": "3.19"},
            "has packages of Bioconductor 3.19, which is for R 4.4, and this R is 4.2.2",
        ),
        ({"aa": {}, "gone": {}}, {}, "gone 1.0: it is not there any more"),
        ({"aa": {"Version": "1.1"}}, {}, "aa 1.1: it is not there any more"),
        ({"needy": {}}, {}, "needy 1.0 needs aa (>= 2.0), which is not among the packages"),
        (
            {"needy": {}, "aa": {}},
            {},
            "needy 1.0 needs aa (>= 2.0), and aa 1.0 is to be installed",
        ),
        (
            {"mine": {"Source": "Local"}},
            {},
            "mine: its source is Local; put it at renv/cellar/mine_",
        ),
        ({"newr": {}}, {}, "newr 1.0 needs R (>= 4.4), and this R is 4.2.2"),
        ({"one": {}, "two": {}}, {}, "one needs two needs one"),
    ],
)
def test_a_lock_that_cannot_be_restored_exactly(
    web: FakeFetcher,
    tmp_path: Path,
    packages: dict[str, dict[str, str]],
    more: dict[str, Any],
    expected: str,
) -> None:
    web.web = {
        f"{DAY}/aa_1.0.tar.gz": source("aa"),
        f"{DAY}/needy_1.0.tar.gz": source("needy", Imports="aa (>= 2.0)"),
        f"{DAY}/newr_1.0.tar.gz": source("newr", Depends="R (>= 4.4)"),
        f"{DAY}/one_1.0.tar.gz": source("one", Imports="two"),
        f"{DAY}/two_1.0.tar.gz": source("two", Imports="one"),
    }
    assert expected in refused(lock(tmp_path, packages, **more), web)


def test_the_line_of_the_lock_is_told(web: FakeFetcher, tmp_path: Path) -> None:
    words = refused(lock(tmp_path, {"gone": {}}), web)
    assert "renv.lock:12: gone 1.0: it is not there any more" in words


def test_a_package_beside_the_lock(web: FakeFetcher, tmp_path: Path) -> None:
    cellar = tmp_path / "renv" / "cellar"
    cellar.mkdir(parents=True)
    (cellar / "mine_1.0.tar.gz").write_bytes(source("mine"))
    found = by_name(get(lock(tmp_path, {"mine": {"Source": "Local"}}), web))["mine"]
    path = web.store.find(found.sha256)
    assert path is not None
    assert path.read_bytes() == source("mine") or path.stat().st_size == found.size_bytes
    (cellar / "mine_1.0.tar.gz").write_bytes(source("other"))
    assert "it holds the package `other`" in refused(
        lock(tmp_path, {"mine": {"Source": "Local"}}), web
    )


def test_a_repository_of_the_box_stands_for_those_of_the_lock(
    web: FakeFetcher, tmp_path: Path
) -> None:
    made = lock(tmp_path, {"aa": {}}, repository="https://intern.example/cran")
    web.web["https://intern.example/cran/src/contrib/aa_1.0.tar.gz"] = source("aa")
    assert by_name(get(made, web))["aa"].url.startswith("https://intern.example/")
    assert not [one for one in web.asked if one.startswith(BASE)]


# A folder


def test_a_folder_of_sources(web: FakeFetcher, tmp_path: Path) -> None:
    folder = tmp_path / "packages"
    (folder / "mine" / "R").mkdir(parents=True)
    (folder / "mine" / "DESCRIPTION").write_text(
        "Package: mine\nVersion: 0.1\nImports: other, aa\n", "utf-8"
    )
    (folder / "mine" / ".Renviron").write_text("TOKEN=x", "utf-8")
    (folder / "other_1.0.tar.gz").write_bytes(source("other"))
    (folder / "notes.txt").write_text("hello", "utf-8")
    said = RPackages(source="folder", folder="packages")
    assert "mine 0.1 needs aa, which is not among the packages" in refused(plan(said, folder), web)
    web.web = {
        f"{BASE}/src/contrib/PACKAGES.gz": index("aa 1.0"),
        f"{BASE}/src/contrib/aa_1.0.tar.gz": source("aa"),
    }
    said = said.model_copy(update={"repository": BASE, "names": ("mine",)})
    found = get(plan(said, folder), web)
    assert list(by_name(found)) == ["aa", "mine", "other"]
    mine = by_name(found)["mine"]
    assert mine.url == "mine"
    path = web.store.find(mine.sha256)
    assert path is not None
    assert b"TOKEN" not in gzip.decompress(path.read_bytes())
    assert get(plan(said, folder), web) == found, "the same folder gives the same bytes"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "there is no package in it"),
        ({"aa_1.0.tar.gz": b"x"}, "aa_1.0.tar.gz: it is not a whole tar file"),
        ({"aa_1.0.tar.gz": source("aa"), "b.tar.gz": source("aa")}, "are both the package aa"),
        ({"aa_1.0.tar.gz": binary("aa", r="4.1.0")}, "it was built with R 4.1.0"),
        (
            {"aa_1.0.tar.gz": tar({"aa/DESCRIPTION": description("../../etc")})},
            "aa_1.0.tar.gz: its DESCRIPTION names no package",
        ),
        (
            {"aa_1.0.tar.gz": tar({"aa/DESCRIPTION": description('a"); q("no')})},
            "aa_1.0.tar.gz: its DESCRIPTION names no package",
        ),
    ],
)
def test_a_folder_that_will_not_do(
    web: FakeFetcher, tmp_path: Path, files: dict[str, bytes], expected: str
) -> None:
    folder = tmp_path / "packages"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    assert expected in refused(plan(RPackages(source="folder", folder="packages"), folder), web)
