"""The part `r:` of a box: which R, its settings, and its packages."""

from typing import Literal

from sandbox.spec.texts import RepoName, ROption, RPackage, RVersion
from sandbox.spec.values import Model, OptionOrSecret, RepoOrSecret


class RPackages(Model):
    """The R packages of the machine."""

    source: Literal["debian"] = "debian"
    """`debian`: Debian's own r-cran-* packages."""
    names: tuple[RPackage, ...] = ()
    """CRAN names: shiny, data.table, DBI."""
    if_missing: Literal["fail", "skip"] = "fail"
    """Packages that the source does not have: `skip` leaves them out, and reports them."""


class R(Model):
    """Which R, and its settings for everyone on the machine."""

    version: RVersion | None = None
    """Major.minor or the full version, in quotes: "4.2". Checked: never replaced by another one."""
    source: Literal["debian"] = "debian"
    """`debian`: the R of the base."""
    blas: Literal["reference", "openblas"] = "reference"
    """The linear algebra library; it changes the last digits of results, and the speed a lot."""
    options: dict[ROption, OptionOrSecret] = {}
    """R options() for every session, in Rprofile.site. A value keeps its type: 7 is 7L, 7.0 is 7,
    "7" is text, a list is a vector. For a value that YAML has no word for, write `{r: CODE}`; for a
    secret, `{secret: NAME}`."""
    repos: dict[RepoName, RepoOrSecret] = {}
    """options("repos"): name to URL, or to `{secret: NAME}`. Empty: those of the base."""
    packages: RPackages = RPackages()
    """The R packages everyone on the machine has."""
