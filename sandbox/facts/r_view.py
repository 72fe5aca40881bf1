"""R as one kind of process sees it."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, Field

from sandbox.facts.part import FactsModel, PartsHolder


class RLimit(FactsModel):
    """A resource limit; None is unlimited."""

    soft: int | None
    hard: int | None


class RLimits(FactsModel):
    """Resource limits of one process."""

    nofile: RLimit | None = None
    nproc: RLimit | None = None


class L10n(FactsModel):
    """R's l10n_info()."""

    multibyte: bool
    utf8: bool
    latin1: bool
    codeset: str | None = None


class RPackage(FactsModel):
    """One installed R package, in one library."""

    name: str
    version: str
    library: str
    built: str
    """The R version it was built under."""
    priority: str | None = None
    """`base` or `recommended` for those of R itself."""
    repository: str | None = None
    """Where it came from, as its DESCRIPTION says: `CRAN`, a URL."""
    remote: str | None = None
    """Of one that was not from a repository: `github:tidyverse/dplyr@<sha>`."""
    needs: tuple[str, ...] = ()
    """Packages that it imports, depends on or links to."""


class Graphics(FactsModel):
    """Whether a plot can be drawn, found out by drawing."""

    png_written: bool
    """png(type = "cairo") wrote a non-empty file."""
    real_glyphs: bool | None
    """"Ab" and "Xy" give different images; False means that no font is found (boxes are drawn)."""
    error: str | None = None
    """R's own words when drawing failed."""
    picture: str | None = None
    """MD5 of the picture of "Ab": the same font, drawn by the same libraries, gives the same."""


class PackageLoad(FactsModel):
    """An attempt to load one R package, in an R process of this view."""

    name: str
    ok: bool
    version: str | None = None
    error: str | None = None
    """R's own words."""


Viewer = Literal["login", "shiny", "rstudio"]
"""Who runs R: each gets it on a road of its own."""


class RView(PartsHolder):
    """R as one kind of process sees it."""

    seen_by: Viewer
    """A login, an app inside Shiny Server, or a session of RStudio Server."""
    how: Literal["login", "worker", "replay"]
    """`worker`: with the environment and limits of a live app's or session's process; `replay`:
    started on the road that Shiny Server takes."""
    user: str
    working_dir: str
    version_string: str
    """R.version.string"""
    version: str
    """`4.2.2`"""
    home: str
    """R.home()"""
    locale: dict[str, str]
    """Sys.getlocale() by category: LC_CTYPE, LC_COLLATE, LC_TIME, LC_NUMERIC, LC_MONETARY, …"""
    l10n: L10n
    timezone: str | None
    """Sys.timezone(); None when R answers NA."""
    tz_variable: str | None
    """TZ; None when it is not set."""
    environment: dict[str, str]
    """Sys.getenv(), secrets redacted. Of an app, without what Shiny Server's adapter sets inside R
    (SHINY_…, WORKER_ID, RSTUDIO_PANDOC, LOG_FILE); of a `replay`, also without the XDG_… of a
    systemd session."""
    environment_files: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Personal files (~/.Renviron) that R reads here, and the names of what each sets."""
    capabilities: dict[str, bool | None]
    external_software: dict[str, str]
    """extSoftVersion(): BLAS, PCRE, ICU, …"""
    la_library: str
    la_version: str
    rng_kind: tuple[str, ...]
    repos: dict[str, str]
    """options("repos")"""
    options: dict[str, str]
    """The other options, each as the R code that makes its value (r_value.py): `7L`, `"1e9"`,
    `c("contr.sum", "contr.poly")`; `<environment>` of what no code makes."""
    lib_paths: tuple[str, ...]
    packages: tuple[RPackage, ...]
    umask: str
    """`0022`"""
    limits: RLimits
    tempdir: str
    tempdir_exec: bool | None
    """Whether a script in tempdir() can be executed."""
    sort_probe: tuple[str, ...]
    """sort(c("b", "A", "a", "B")): tells collations apart."""
    graphics: Graphics
    loads: tuple[PackageLoad, ...] = ()
    """Only of the packages the caller asked for."""
    startup_output: str = ""
    """What was said before R's first command: by the profile of the login shell, by Rprofile.site,
    about locales."""
    startup_error: str | None = None
    """Set when R does not start with its site files; the view was then taken without them."""
    profile_skipped: str | None = None
    """A personal .Rprofile that R would read here, and the probe does not."""
    programs: dict[str, str] = Field(default_factory=dict)
    """Sys.which() of programs that R packages call, those found."""

    @classmethod
    def part_models(cls) -> Mapping[str, type[BaseModel]]:
        """Return the part models of subjects that ask R and are younger than the fields above."""
        from sandbox.facts import registry

        return registry.r_parts()

    def package(self, name: str) -> RPackage | None:
        """Find the package that `library(name)` would load: the first in the libraries' order."""
        found = {one.library: one for one in self.packages if one.name == name}
        return next((found[path] for path in self.lib_paths if path in found), None)
