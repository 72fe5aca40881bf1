"""The part `r:` of a box: which R, its settings, and its packages."""

from typing import Annotated, Literal

from sandbox.spec.texts import (
    FileName,
    HttpUrl,
    RepoName,
    ROption,
    RPackage,
    RVersion,
    SnapshotDate,
)
from sandbox.spec.values import NEWER, Model, OptionOrSecret, RepoOrSecret


class RPackages(Model):
    """The R packages of the machine."""

    source: Literal["debian", "repository", "renv", "folder"] = "debian"
    """`debian`: Debian's own r-cran-* packages. `repository`: a CRAN-like repository. `renv`: what
    an renv.lock names, exactly. `folder`: sources in a folder of this computer."""
    names: tuple[RPackage, ...] = ()
    """CRAN names: shiny, data.table, DBI. From a folder, none means all that is in it."""
    if_missing: Literal["fail", "skip"] = "fail"
    """Packages that the source does not have: `skip` leaves them out, and reports them."""
    repository: Annotated[HttpUrl | None, NEWER] = None
    """The repository's address, as in options("repos"), without a date:
    https://packagemanager.posit.co/cran. For `renv`, used in place of those in the lock file; for
    `folder`, where the packages are found that those in the folder need."""
    date: Annotated[SnapshotDate | None, NEWER] = None
    """The day whose snapshot of the repository is used: 2024-06-13. Without it, what the repository
    has at the time."""
    binary: Annotated[bool | None, NEWER] = None
    """Whether packages that are compiled already are used where the repository has them; false
    compiles all in the machine. Without it: true."""
    lock: Annotated[FileName | None, NEWER] = None
    """For `renv`: the lock file, relative to the box file and inside the box's root."""
    folder: Annotated[FileName | None, NEWER] = None
    """For `folder`: a folder with source packages, each a .tar.gz file or a folder of its own;
    relative to the box file and inside the box's root."""

    @property
    def debian_names(self) -> tuple[str, ...]:
        """The packages that Debian's archive must have; none when they come from elsewhere."""
        return self.names if self.source == "debian" else ()

    @property
    def takes_binaries(self) -> bool:
        """Whether packages that are compiled already are used where there are some."""
        return self.binary is not False


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
