"""The R packages of a server as lock files beside the box, which the real reader accepts."""

import json
from pathlib import Path
from typing import Any

import yaml

from sandbox.capture.write_box import CapturedBox, write_box
from sandbox.facts.facts import Facts
from sandbox.facts.making import Room
from sandbox.facts.r_view import RPackage
from sandbox.facts.subjects.packages import SystemPackage
from sandbox.facts.subjects.r import RInstallation, RInstallations
from sandbox.materials.packages.renv_lock import RenvLock, read_renv_lock
from sandbox.spec.bases import load_bases
from sandbox.spec.load import load_box
from tests.unit.changed_facts import with_named
from tests.unit.checks.samples import good

FACTS = good().facts
SHA = "0123456789abcdef0123456789abcdef01234567"
SITE = "/usr/local/lib/R/site-library"
POSITS = "/opt/R/4.4.1/lib/R"


def package(name: str, version: str = "1.0.0", library: str = SITE, **more: Any) -> RPackage:
    return RPackage(name=name, version=version, library=library, built="4.2.2", **more)


def cran(name: str, *needs: str, library: str = SITE) -> RPackage:
    return package(name, library=library, repository="CRAN", needs=needs)


def seen(*packages: RPackage, repos: dict[str, str] | None = None, posit: bool = False) -> Facts:
    one = FACTS[RInstallations][0]
    home, version = (POSITS, "4.4.1") if posit else ("/usr/lib/R", "4.2.2")
    libraries = (f"{home}/library",) if posit else (SITE, "/usr/lib/R/site-library")
    update: dict[str, Any] = {"packages": packages, "lib_paths": libraries, "home": home}
    update |= {"version": version, "repos": repos if repos is not None else one.views[0].repos}
    views = tuple(view.model_copy(update=update) for view in one.views)
    found = RInstallation(
        home=home, version=version, found_as=("/usr/local/bin/R",), on_path=True, views=views
    )
    return with_named(FACTS, r=(found,))


def captured(facts: Facts) -> CapturedBox:
    room = Room(cpus=4, memory_mb=8192)
    return write_box(
        facts, source="prod", facts_file="prod.facts.json", bases=load_bases(), room=room
    )


def written(box: CapturedBox, folder: Path) -> tuple[dict[str, Any], RenvLock]:
    """What box and lock say, after the real readers have found nothing wrong with them."""
    (folder / "prod.facts.json").write_text("{}")
    path = folder / "prod.yml"
    path.write_text(box.text)
    (one,) = box.files
    (folder / one.name).write_text(one.text)
    load_box(path)
    return yaml.safe_load(box.text)["r"], read_renv_lock(folder / one.name)


def test_each_package_is_locked_with_its_origin(tmp_path: Path) -> None:
    facts = seen(
        cran("Rcpp"),
        package("limma", "3.58.1", repository="Bioconductor 3.16"),
        package("mine", "0.1", remote=f"github:acme/mine@{SHA}"),
        repos={"CRAN": "https://packagemanager.posit.co/cran/2023-06-12/"},
    )
    r, lock = written(captured(facts), tmp_path)
    assert r["packages"] == {"source": "renv", "lock": "prod-R4.2.2.renv.lock"}
    assert lock.r_version == "4.2.2"
    assert lock.bioconductor == "3.16"
    assert lock.repositories == (("CRAN", "https://packagemanager.posit.co/cran/2023-06-12"),)
    found = {one.name: (one.version, one.source) for one in lock.packages}
    assert found == {
        "Rcpp": ("1.0.0", "Repository"),
        "limma": ("3.58.1", "Bioconductor"),
        "mine": ("0.1", "GitHub"),
    }
    (mine,) = (one for one in lock.packages if one.name == "mine")
    assert dict(mine.remote) == {
        "RemoteType": "github",
        "RemoteHost": "api.github.com",
        "RemoteUsername": "acme",
        "RemoteRepo": "mine",
        "RemoteSha": SHA,
    }


def test_posits_r_has_all_of_its_packages_in_the_lock(tmp_path: Path) -> None:
    library = f"{POSITS}/library"
    facts = seen(
        cran("shiny", "Matrix", library=library),
        package("Matrix", "1.6-1", library, priority="recommended"),
        posit=True,
    )
    r, lock = written(captured(facts), tmp_path)
    assert (r["version"], r["source"]) == ("4.4.1", "posit")
    # What came with R is there without a lock
    assert [one.name for one in lock.packages] == ["shiny"]


def test_a_newer_recommended_package_is_locked(tmp_path: Path) -> None:
    facts = seen(package("Matrix", "1.7-0", repository="CRAN", priority="recommended"))
    _, lock = written(captured(facts), tmp_path)
    assert [(one.name, one.version) for one in lock.packages] == [("Matrix", "1.7-0")]


def test_debians_packages_stay_debians_but_for_those_that_others_need(tmp_path: Path) -> None:
    debian = "/usr/lib/R/site-library"
    facts = with_named(
        seen(cran("own", "R6"), package("R6", library=debian), package("shiny", library=debian)),
        system_packages=tuple(
            SystemPackage(name=f"r-cran-{name}", version="1-1", manual=True)
            for name in ("r6", "shiny")
        ),
    )
    box = captured(facts)
    _, lock = written(box, tmp_path)
    assert [one.name for one in lock.packages] == ["own", "R6"]
    assert yaml.safe_load(box.text)["system"]["packages"] == ["r-cran-shiny"]
    assert any("has packages that are debian's on the server" in note for note in box.notes)


def test_what_is_from_nowhere_is_named_with_what_to_do(tmp_path: Path) -> None:
    box = captured(
        seen(cran("good"), package("own"), cran("above", "own"), package("fork", remote="github:x"))
    )
    _, lock = written(box, tmp_path)
    assert [one.name for one in lock.packages] == ["good"]
    notes = " ".join(box.notes)
    assert f"own 1.0.0 ({SITE}): its DESCRIPTION does not say where it is from" in notes
    assert f"above 1.0.0 ({SITE}): it needs own" in notes
    assert f"fork 1.0.0 ({SITE}): it is from somewhere that is not known" in notes
    assert "put its NAME_VERSION.tar.gz in renv/cellar" in notes


def test_no_login_gets_into_the_lock(tmp_path: Path) -> None:
    box = captured(
        seen(
            package("one", repository="https://ada:geheim@cran.example.org"),
            repos={
                "A": "https://ada:geheim@cran.example.org",
                "B": "<not taken: 33-64 characters, #0123456789abcdef>",
            },
        )
    )
    (lock,) = box.files
    assert "geheim" not in lock.text
    assert "not taken" not in lock.text
    assert json.loads(lock.text)["R"]["Repositories"] == [
        {"Name": "CRAN", "URL": "https://cloud.r-project.org"}
    ]
    assert any("is without the address of A, B: it was not taken" in one for one in box.notes)
    (tmp_path / lock.name).write_text(lock.text)
    assert [one.name for one in read_renv_lock(tmp_path / lock.name).packages] == ["one"]


def test_bioconductor_of_no_release_is_named() -> None:
    box = captured(seen(package("limma", repository="Bioconductor")))
    assert box.files == ()
    assert any("limma" in one and "which release" in one for one in box.notes)
