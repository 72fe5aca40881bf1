"""Several Rs in a box, and Posit's: what fits the base, each other and their packages."""

import pytest
from pydantic import ValidationError

from sandbox.spec.base_models import Base
from sandbox.spec.bases import load_bases
from sandbox.spec.posit_r import posit_builds
from sandbox.spec.r import InstalledR, R, RPackages
from sandbox.spec.r_installed import default_r, machine_rs
from sandbox.spec.services import Services
from sandbox.spec.shiny_server import ShinyServer
from tests.unit.spec.conftest import HEAD, Load, Problems, Write

DEBIAN_11 = "version: 1\nbase: debian-11\n"
DEBIAN_13 = "version: 1\nbase: debian-13\n"
TWO = """\
r:
  blas: openblas
  versions:
    - {version: "4.4.1", source: posit, default: true}
    - {version: "4.2.2", packages: {names: [shiny]}}
"""


def base(name: str) -> Base:
    return load_bases()[name]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            HEAD + "r: {source: posit}\n",
            "box.yml:3: r.source: Posit has many Rs, and no version is said. "
            'Add `version: "4.4.1"`',
        ),
        (
            HEAD + "r: {source: posit, version: '4.4'}\n",
            "box.yml:3: r.version: Posit's builds have full versions, and `4.4` can be any of "
            'several. Write all three numbers, such as "4.4.1"',
        ),
        (
            HEAD + "r:\n  versions:\n  - {version: '4.4', source: posit}\n",
            "box.yml:5: r.versions[0].version: Posit's builds have full versions, and `4.4` can "
            'be any of several. Write all three numbers, such as "4.4.1"',
        ),
        (
            HEAD + "r: {version: devel}\n",
            "box.yml:3: r.version: Debian has no R `devel`. "
            "Posit builds it every day: add `source: posit`",
        ),
        (
            HEAD + "r:\n  version: '4.2'\n  versions: [{version: '4.2'}]\n",
            "box.yml:4: r.version: `version` is for one R, and `versions` already says which Rs "
            "there are. Leave out `version`, or write `version: null` where an extended box has it",
        ),
        (
            HEAD + "r:\n  source: posit\n  versions: [{version: '4.2'}]\n",
            "box.yml:4: r.source: `source` is for one R, and `versions` already says which Rs "
            "there are. Leave out `source`, or write `source: null` where an extended box has it",
        ),
        (
            HEAD + "r: {versions: []}\n",
            "box.yml:3: r.versions: this is empty. Leave it out for the R of the base",
        ),
        (
            HEAD + "r:\n  versions:\n  - {version: '4.2'}\n  - {version: 4.4.1, source: posit}\n",
            "box.yml:4: r.versions: none of these Rs is the default. "
            "Write `default: true` at the one that `R` is to mean, and only there",
        ),
        (
            HEAD + "r:\n  versions:\n  - {version: '4.2', default: true}\n"
            "  - {version: 4.4.1, source: posit, default: true}\n",
            "box.yml:4: r.versions: 2 of these Rs are the default. "
            "Write `default: true` at the one that `R` is to mean, and only there",
        ),
        (
            HEAD + "r:\n  versions:\n  - {version: '4.2', default: true}\n  - {}\n",
            "box.yml:6: r.versions[1]: R 4.2.2 is there already (line 5). Leave out one",
        ),
        (
            HEAD + "r:\n  versions:\n  - {version: 4.4.1, source: posit, default: true}\n"
            "  - {version: 4.4.1, source: posit}\n",
            "box.yml:6: r.versions[1]: R 4.4.1 is there already (line 5). Leave out one",
        ),
        (
            HEAD + "r:\n  versions:\n  - {version: '4.5', default: true}\n"
            "  - {version: 4.4.1, source: posit}\n",
            "box.yml:5: r.versions[0].version: debian-12 has R 4.2.2, not 4.5. "
            "For R 4.5 use base `debian-13`",
        ),
        (
            DEBIAN_11 + "r: {source: posit, version: 4.5.1}\n",
            "box.yml:3: r.version: Posit's builds for debian-11 end at R 4.5.0, and its portable "
            "build needs a newer system. Use a newer base: `sandbox boxes` lists them",
        ),
        (
            DEBIAN_11 + "r: {source: posit, version: devel}\n",
            "box.yml:3: r.version: Posit's builds for debian-11 end at R 4.5.0, and its portable "
            "build needs a newer system. Use a newer base: `sandbox boxes` lists them",
        ),
        (
            HEAD + "r:\n  source: posit\n  version: 4.6.1\n",
            "box.yml:5: r.version: R 4.6.1 comes for debian-12 only as Posit's portable build, "
            "which has OpenBLAS inside: `blas: reference` cannot be had with it. "
            "Add `blas: openblas` under `r`, or use a newer base",
        ),
        (
            HEAD + "r:\n  source: posit\n  version: 4.6.1\n  blas: reference\n",
            "box.yml:6: r.blas: R 4.6.1 comes for debian-12 only as Posit's portable build, "
            "which has OpenBLAS inside: `blas: reference` cannot be had with it. "
            "Add `blas: openblas` under `r`, or use a newer base",
        ),
        (
            HEAD + "r:\n  source: posit\n  version: 4.4.1\n  packages: {names: [shiny]}\n",
            "box.yml:6: r.packages.names: Debian's R packages are built for Debian's own R, and "
            "R 4.4.1 of Posit's would not find them. "
            "Take them from elsewhere (`source:`), or give them to an R with `source: debian`",
        ),
        (
            HEAD + "r:\n  versions:\n  - version: 4.4.1\n    source: posit\n"
            "    packages: {names: [shiny]}\n",
            "box.yml:7: r.versions[0].packages.names: Debian's R packages are built for Debian's "
            "own R, and R 4.4.1 of Posit's would not find them. "
            "Take them from elsewhere (`source:`), or give them to an R with `source: debian`",
        ),
        (
            HEAD + "r:\n  packages: {names: [DBI]}\n  versions:\n"
            "  - {version: '4.2', packages: {names: [shiny]}}\n",
            "box.yml:4: r.packages: the default R has packages of its own under `versions`, and "
            "these are for it too. Keep one of the two lists",
        ),
        (
            HEAD + "r:\n  versions:\n  - {version: '4.2', packages: {names: [nosuchthing]}}\n",
            "box.yml:5: r.versions[0].packages.names[0]: debian-12 does not have the R package "
            "`nosuchthing`. Leave it out, or add `if_missing: skip`, or take it from CRAN with "
            "`source: repository`",
        ),
    ],
)
def test_what_does_not_fit(problems: Problems, text: str, expected: str) -> None:
    (problem,) = problems(text)
    assert str(problem).split("\n")[0] == expected


@pytest.mark.parametrize(
    ("text", "default"),
    [
        (HEAD + TWO, "4.4.1"),
        (HEAD + "r: {source: posit, version: 4.6.0}\n", "4.6.0"),
        (HEAD + "r: {source: posit, version: 4.6.1, blas: openblas}\n", "4.6.1"),
        (HEAD + "r: {source: posit, version: devel, blas: openblas}\n", "devel"),
        (DEBIAN_11 + "r: {source: posit, version: 4.5.0}\n", "4.5.0"),
        (DEBIAN_13 + "r: {source: posit, version: 4.6.1}\n", "4.6.1"),
        (DEBIAN_13 + "r: {source: posit, version: next}\n", "next"),
    ],
)
def test_what_fits(load: Load, text: str, default: str) -> None:
    r = load(text).box.r
    assert r is not None
    assert r.default_version == default


def test_an_extended_boxs_version_is_taken_back(write: Write, load: Load) -> None:
    write(HEAD + "r: {version: '4.2'}\n", "parent.yml")
    box = load("extends: parent.yml\nr:\n  version: null\n  versions: [{version: '4.2'}]\n").box
    assert box.r is not None
    assert [one.version for one in box.r.installed] == ["4.2"]


def test_one_r_is_resolved_like_several() -> None:
    packages = RPackages(names=("shiny",))
    one = R(version="4.2", packages=packages)
    assert one.installed == (InstalledR(version="4.2", default=True, packages=packages),)
    assert one.default_version == "4.2"
    alone = R(versions=(InstalledR(version="4.4.1", source="posit"),))
    assert (alone.default.version, alone.default.default) == ("4.4.1", True)


def test_the_packages_of_r_are_those_of_the_default() -> None:
    posit = InstalledR(version="4.4.1", source="posit")
    debian = InstalledR(version="4.2", default=True)
    r = R(versions=(posit, debian), packages=RPackages(names=("shiny",)))
    assert [one.packages for one in r.installed] == [RPackages(), RPackages(names=("shiny",))]
    assert r.debian_packages.names == ("shiny",)
    assert r.without_packages(["shiny"]).debian_packages.names == ()
    assert R(version="4.4.1", source="posit").debian_packages == RPackages()


def test_packages_under_versions_are_left_out_there() -> None:
    debian = InstalledR(version="4.2", packages=RPackages(names=("shiny", "DBI")))
    r = R(versions=(InstalledR(version="4.4.1", source="posit", default=True), debian))
    assert r.without_packages(["DBI"]).debian_packages.names == ("shiny",)


@pytest.mark.parametrize(
    ("version", "is_moving"), [("devel", True), ("next", True), ("4.4.1", False)]
)
def test_daily_builds_move(version: str, *, is_moving: bool) -> None:
    assert InstalledR(version=version, source="posit").is_moving is is_moving


def test_a_plan_of_before_reads_and_writes_the_same() -> None:
    text = R(version="4.2").model_dump_json()
    assert "versions" not in text
    assert R.model_validate_json(text) == R(version="4.2")


def test_a_model_made_by_hand_is_checked_too() -> None:
    with pytest.raises(ValidationError):
        R(source="posit", version="4.4")


def test_places_of_the_rs_of_a_machine() -> None:
    r = R(
        versions=(
            InstalledR(version="4.2"),
            InstalledR(version="4.4.1", source="posit", default=True),
        )
    )
    rs = machine_rs(r, base("debian-12"), Services())
    assert [(one.version, one.home, one.program, one.is_default) for one in rs] == [
        ("4.4.1", "/opt/R/4.4.1/lib/R", "/opt/R/4.4.1/bin/R", True),
        ("4.2.2", "/usr/lib/R", "/usr/bin/R", False),
    ]
    assert default_r(rs) == rs[0]


def test_debians_shiny_server_brings_debians_r() -> None:
    r = R(version="4.4.1", source="posit")
    shiny = Services(shiny_server=ShinyServer())
    rs = machine_rs(r, base("debian-12"), shiny)
    assert [(one.version, one.is_asked_for) for one in rs] == [("4.4.1", True), ("4.2.2", False)]
    assert [one.version for one in machine_rs(r, base("debian-12"), Services())] == ["4.4.1"]
    assert [one.version for one in machine_rs(R(), base("debian-12"), shiny)] == ["4.2.2"]
    assert machine_rs(None, base("debian-12"), shiny) == ()


@pytest.mark.parametrize(
    ("name", "version", "own", "portable"),
    [
        ("debian-12", "4.6.0", True, False),
        ("debian-12", "4.10.0", False, True),
        ("debian-12", "next", False, True),
        ("debian-13", "devel", True, False),
        ("debian-11", "4.5.1", False, False),
    ],
)
def test_which_builds_posit_has(name: str, version: str, *, own: bool, portable: bool) -> None:
    builds = posit_builds(base(name))
    assert builds is not None
    assert (builds.has_own(version), builds.is_portable(version)) == (own, portable)
