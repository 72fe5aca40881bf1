"""The part `r:` of a box: which Rs, their settings, and their packages."""

import re
from collections.abc import Collection
from typing import Annotated, Final, Literal, Self

from pydantic import model_validator

from sandbox.spec.misfit import misfit
from sandbox.spec.texts import (
    FileName,
    HttpUrl,
    RBuild,
    RepoName,
    ROption,
    RPackage,
    SnapshotDate,
)
from sandbox.spec.values import NEWER, Model, OptionOrSecret, RepoOrSecret

RSource = Literal["debian", "posit"]
MOVING: Final = ("devel", "next")
"""Posit's builds of R's own development: another R every day."""

_FULL = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")


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
    def takes_binaries(self) -> bool:
        """Whether packages that are compiled already are used where there are some."""
        return self.binary is not False


class InstalledR(Model):
    """One R of several."""

    version: RBuild | None = None
    """In quotes. From Posit the full one: "4.4.1". Of Debian's R, major.minor will do."""
    source: RSource = "debian"
    """`debian`: the R of the base. `posit`: a build of Posit's, in /opt/R."""
    default: bool = False
    """Whether `R` and `Rscript` mean this one. One of several is the default."""
    packages: RPackages | None = None
    """The packages of this R; those of the default may stand in `r.packages` too."""

    @property
    def is_moving(self) -> bool:
        """Tell whether this name means another R every day, which no lock can hold."""
        return self.version in MOVING

    @model_validator(mode="after")
    def _version_fits_source(self) -> Self:
        _check_version(self.version, self.source)
        return self


class R(Model):
    """Which R, and its settings for everyone on the machine."""

    version: RBuild | None = None
    """Major.minor or the full version, in quotes: "4.2". Checked: never replaced by another one.
    From Posit the full one: "4.4.1"."""
    source: RSource = "debian"
    """`debian`: the R of the base. `posit`: Posit's build for the base, else its portable one, in
    /opt/R."""
    versions: Annotated[tuple[InstalledR, ...] | None, NEWER] = None
    """Several Rs side by side, instead of `version` and `source`; one has `default: true`."""
    blas: Literal["reference", "openblas"] = "reference"
    """The linear algebra library; it changes the last digits of results, and the speed a lot. One
    for the whole machine."""
    options: dict[ROption, OptionOrSecret] = {}
    """R options() for every session, in Rprofile.site. A value keeps its type: 7 is 7L, 7.0 is 7,
    "7" is text, a list is a vector. For a value that YAML has no word for, write `{r: CODE}`; for a
    secret, `{secret: NAME}`."""
    repos: dict[RepoName, RepoOrSecret] = {}
    """options("repos"): name to URL, or to `{secret: NAME}`. Empty: those of the base."""
    packages: RPackages = RPackages()
    """The R packages everyone on the machine has; with several Rs, those of the default."""

    @property
    def installed(self) -> tuple[InstalledR, ...]:
        """Return every R that the box asks for, each with its packages; one is the default."""
        if not self.versions:
            one = InstalledR(version=self.version, source=self.source, packages=self.packages)
            return (one.model_copy(update={"default": True}),)
        alone = len(self.versions) == 1
        return tuple(self._resolved(one, default=one.default or alone) for one in self.versions)

    def _resolved(self, one: InstalledR, *, default: bool) -> InstalledR:
        packages = one.packages or (self.packages if default else RPackages())
        return one.model_copy(update={"default": default, "packages": packages})

    @property
    def default(self) -> InstalledR:
        """Return the R that `R` means."""
        return next(one for one in self.installed if one.default)

    @property
    def default_packages(self) -> RPackages:
        """Return the packages of the default R."""
        return self.default.packages or RPackages()

    @property
    def debian_packages(self) -> RPackages:
        """Return the packages that Debian is to give its own R; none where there is no such R."""
        found = (one.packages for one in self.installed if one.source == "debian")
        packages = next(found, None) or RPackages()
        return packages if packages.source == "debian" else RPackages()

    def without_packages(self, gone: Collection[str]) -> Self:
        """Return the same without those packages from Debian."""
        update: dict[str, object] = {"packages": _without(self.packages, gone)}
        if self.versions:
            update["versions"] = tuple(
                one.model_copy(update={"packages": _without(one.packages, gone)})
                if one.packages is not None and one.source == "debian"
                else one
                for one in self.versions
            )
        return self.model_copy(update=update)

    @property
    def default_version(self) -> str | None:
        """Return the version of the default R, as the box says it; None: the base's."""
        return self.default.version

    @model_validator(mode="after")
    def _rs_fit_together(self) -> Self:
        if self.versions is None:
            _check_version(self.version, self.source)
            return self
        if self.version is not None or self.source != "debian":
            key = "version" if self.version is not None else "source"
            raise misfit(
                key,
                f"`{key}` is for one R, and `versions` already says which Rs there are",
                f"Leave out `{key}`, or write `{key}: null` where an extended box has it",
            )
        if not self.versions:
            raise misfit("versions", "this is empty", "Leave it out for the R of the base")
        defaults = sum(one.default for one in self.versions)
        if len(self.versions) > 1 and defaults != 1:
            words = "none of these Rs is" if not defaults else f"{defaults} of these Rs are"
            raise misfit(
                "versions",
                f"{words} the default",
                "Write `default: true` at the one that `R` is to mean, and only there",
            )
        if self.packages != RPackages() and self.default.packages != self.packages:
            raise misfit(
                "packages",
                "the default R has packages of its own under `versions`, and these are for it too",
                "Keep one of the two lists",
            )
        return self


def _without(packages: RPackages, gone: Collection[str]) -> RPackages:
    if packages.source != "debian":
        return packages
    kept = tuple(name for name in packages.names if name not in gone)
    return packages.model_copy(update={"names": kept})


def _check_version(version: str | None, source: RSource) -> None:
    """Whether this version can be had there.

    Raises:
        PydanticCustomError: it cannot.
    """
    if source == "posit" and version is None:
        raise misfit(
            "source", "Posit has many Rs, and no version is said", 'Add `version: "4.4.1"`'
        )
    if source == "posit" and version not in MOVING and not _FULL.fullmatch(version or ""):
        raise misfit(
            "version",
            f"Posit's builds have full versions, and `{version}` can be any of several",
            f'Write all three numbers, such as "{version}.1"',
        )
    if source == "debian" and version in MOVING:
        raise misfit(
            "version",
            f"Debian has no R `{version}`",
            "Posit builds it every day: add `source: posit`",
        )
