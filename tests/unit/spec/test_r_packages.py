"""R packages that a box asks for: whether the base has them is said before anything starts."""

import pytest

from sandbox.spec.bases import load_bases
from sandbox.spec.r_packages import index_of
from tests.unit.spec.conftest import HEAD, Load, Problems


def names(words: str, more: str = "") -> str:
    return f"{HEAD}r: {{packages: {{names: [{words}]{more}}}}}\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            "ggplt2",
            "debian-12 does not have the R package `ggplt2`. Perhaps you meant `ggplot2`?",
        ),
        (
            "dt",
            "R tells capitals from small letters, and the package is called `DT`. Write DT",
        ),
        (
            "Shiny",
            "R tells capitals from small letters, and the package is called `shiny`. Write shiny",
        ),
        (
            "polished",
            "debian-12 does not have the R package `polished`. "
            "Leave it out, or add `if_missing: skip`, or take it from CRAN with "
            "`source: repository`",
        ),
        (
            "DESeq2",
            "debian-12 does not have the R package `DESeq2`. "
            "Put `r-bioc-deseq2` under `system.packages`: it is not one of the r-cran packages",
        ),
    ],
)
def test_a_package_that_the_base_lacks(problems: Problems, words: str, expected: str) -> None:
    (problem,) = problems(names(words))
    assert problem.line == 3
    assert str(problem).split("\n")[0] == f"box.yml:3: r.packages.names[0]: {expected}"


def test_each_one_is_named_at_once(problems: Problems) -> None:
    assert len(problems(names("ggplt2, shiny, dplyrr"))) == 2


@pytest.mark.parametrize(
    "text",
    [
        names("ggplt2", ", if_missing: skip"),
        names("ggplt2") + "system: {mirror: {debian: 'http://mirror.example/debian'}}\n",
        names("ggplt2") + "providers: {libvirt: {base_image: a/b, base_image_version: '1'}}\n",
        names("shiny, DT, data.table, MASS, stats, R6"),
    ],
)
def test_what_may_be_there_is_not_called_missing(load: Load, text: str) -> None:
    assert load(text)


ELSEWHERE = "an renv.lock (`source: renv`) says versions, and GitHub"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            "shiny@1.7",
            f"a version of a package cannot be asked for, as `shiny@1.7` does: {ELSEWHERE}",
        ),
        (
            "'shiny (>= 1.8)'",
            "a version of a package cannot be asked for, as `shiny (>= 1.8)` does",
        ),
        ("shiny==1.7.0", "a version of a package cannot be asked for, as `shiny==1.7.0` does"),
        ("'shiny >= 1.8'", "a version of a package cannot be asked for, as `shiny >= 1.8` does"),
        ("shiny=1.7", "a version of a package cannot be asked for, as `shiny=1.7` does"),
        ("shiny_1.7.0.tar.gz", "a version of a package cannot be asked for"),
        ("rstudio/shiny", "a package from elsewhere cannot be asked for, as `rstudio/shiny` does"),
        ("rstudio/shiny@v1.7", "a package from elsewhere cannot be asked for"),
        ("'github::rstudio/shiny'", "a package from elsewhere cannot be asked for"),
        ("'https://github.com/rstudio/shiny'", "a package from elsewhere cannot be asked for"),
        ("'git@github.com:rstudio/shiny.git'", "a package from elsewhere cannot be asked for"),
        ("'bioc::DESeq2'", "where a package is from cannot be asked for, as `bioc::DESeq2` does"),
        ("r-cran-dt", "`r-cran-dt` is Debian's name. Write R's own name: DT, not r-cran-dt"),
        ("r-bioc-deseq2", "`r-bioc-deseq2` is the name of a Debian package. Put it under"),
        ("'shiny DT'", "these are 2 packages in one text. Write a list: [shiny, DT]"),
        ("'shiny, DT'", "these are 2 packages in one text. Write a list: [shiny, DT]"),
        ("{shiny: '1.7'}", "`names` takes only names, and this is a map of keys and values"),
        ("123", "expected text, not the number `123`"),
        ("a_b", "expected the name of an R package, such as data.table, not the text `a_b`"),
    ],
)
def test_what_cannot_be_asked_for_is_told_as_that(
    problems: Problems, words: str, expected: str
) -> None:
    (problem,) = problems(names(words))
    told = str(problem).split("\n")[0].split("]: ", 1)[1]
    assert told.startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("r: {packages: {source: cran}}\n", "There is `debian`, `repository`, `renv` or `folder`"),
        ("r: {source: cran}\n", "R comes from the base's Debian (`debian`), or from"),
        ("r: {packages: {versions: {shiny: '1.7'}}}\n", "For versions of packages, an renv.lock"),
        (
            "r: {packages: {snapshot: 2024-01-01}}\n",
            "Write `source: repository`, `repository: URL`",
        ),
        ("r: {packages: {github: [a/b]}}\n", "Bioconductor and GitHub come from an renv.lock. Wr"),
        ("r: {renv: renv.lock}\n", "It belongs under `r.packages`. Write `source: renv` and `lock"),
        ("r: {lock: renv.lock}\n", "It belongs under `r.packages`"),
    ],
)
def test_sources_that_are_said_otherwise(problems: Problems, text: str, expected: str) -> None:
    (problem,) = problems(HEAD + text)
    assert expected in str(problem)


def test_every_base_of_debians_has_its_list() -> None:
    bases = load_bases()
    for base in (one for one in bases if bases[one].distribution == "debian"):
        index = index_of(base)
        assert index is not None, f"run: tools/r_packages.sh SUITE {base}"
        assert index.has("shiny")
        assert index.has("stats")
        assert index.homes["DT"] == "r-cran-dt"


def test_what_ubuntu_has_is_not_known_here(load: Load) -> None:
    assert index_of("ubuntu-24.04") is None
    text = "version: 1\nbase: ubuntu-24.04\nr: {packages: {names: [nosuch]}}\n"
    assert load(text).base.name == "ubuntu-24.04"


def test_what_a_package_brings_is_there_too() -> None:
    index = index_of("debian-12")
    assert index is not None
    there = index.brought_by(["r-cran-shiny", "git"])
    assert {"shiny", "htmltools", "jsonlite", "stats"} <= there
    # R without Debian's Recommends comes without its recommended packages
    assert not {"DT", "MASS"} & there
    assert "shiny" in index.brought_by(["shiny-server"])
