"""How a machine is set up beside R: programs, drivers, fonts, certificates, configuration files."""

from typing import Literal

from sandbox.probe.facts_base import FactsModel


class Tool(FactsModel):
    """A program that R packages call."""

    name: str
    """`pandoc`, `java`, `python3`"""
    path: str
    version: str | None
    """As it says itself; None when it says nothing that looks like a version."""


class OdbcDriver(FactsModel):
    """A section of odbcinst.ini."""

    name: str
    library: str
    """What `Driver` says: a path, or a bare file name that the loader looks for."""
    library_found: bool | None
    """Whether a library given by its path is there; None for a bare name."""


class CaBundle(FactsModel):
    """The certificates that programs of this machine trust."""

    path: str
    sha256: str | None
    certificates: int | None
    local: tuple[str, ...]
    """File names of certificates that were added here, such as a company's own."""


class ConfigFile(FactsModel):
    """A configuration file as keys and values, secrets redacted where it was read."""

    path: str
    settings: dict[str, str]
    """`section.key` to value; of a file that is code (Rprofile.site), `line 1` to the line.
    Comments and empty lines are left out."""


class UserPackage(FactsModel):
    """An R package in somebody's own library."""

    user: str
    name: str
    version: str
    library: str


class LinkedLibrary(FactsModel):
    """A shared library outside R that R or its packages are linked to."""

    path: str
    package: str | None
    """The system package that owns it; None when none does."""
    version: str | None
    """Of that package."""


class UnitSettings(FactsModel):
    """What a service's unit sets, drop-ins included."""

    name: str
    """`shiny-server.service`"""
    settings: dict[str, str]
    """`User`, `LimitNOFILE`, `Environment` (redacted), …"""


Manager = Literal["dpkg", "rpm"]
"""What installs packages on a machine."""


class ShinyListen(FactsModel):
    """One `listen` line of Shiny Server."""

    port: int
    address: str | None
    """None: all addresses."""


class ShinyStatement(FactsModel):
    """A statement of Shiny Server's configuration."""

    within: tuple[str, ...]
    """The blocks around it: `server`, `location /sales`; the second of the same is `server #2`."""
    name: str
    """`app_idle_timeout`"""
    words: tuple[str, ...]
    block: bool = False
    """Whether it opens a block."""

    @property
    def text(self) -> str:
        """As it stands in the file, without quotes."""
        return " ".join((self.name, *self.words, *(["{"] if self.block else [])))


class ShinyServer(FactsModel):
    """Shiny Server, its configuration parsed lightly."""

    version: str | None
    config_path: str
    config_target: str
    """What it is when symbolic links are followed."""
    run_as: tuple[str, ...]
    listens: tuple[ShinyListen, ...]
    site_dirs: tuple[str, ...]
    app_dirs: tuple[str, ...]
    log_dirs: tuple[str, ...]
    statements: tuple[ShinyStatement, ...] = ()
    """All of them, in the order of the file."""


class SystemPackage(FactsModel):
    """A package of the distribution that matters here: R, r-*, servers, BLAS, chosen ones."""

    name: str
    version: str
    manual: bool | None = None
    """Whether somebody asked for it, not just another package; None when not known."""
