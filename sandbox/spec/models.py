"""What a box file may say. The JSON Schema that editors use is made from these models.

Frozen, and unknown keys are errors. Text that ends up in a shell, in Ruby or in YAML is quoted where it is
rendered; the patterns here are for early, clear messages, not for safety.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Provider = Literal["virtualbox", "libvirt", "incus"]

_NO_CONTROL = r"^[^\x00-\x1f\x7f]*$"

Text = Annotated[str, StringConstraints(pattern=_NO_CONTROL, max_length=4096)]
"""One line, no control characters."""
EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128)]
DebianPackage = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9+.-]+$", max_length=128)]
RPackage = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9.]*[A-Za-z0-9]$")]
RVersion = Annotated[str, StringConstraints(pattern=r"^[0-9]+\.[0-9]+(\.[0-9]+)?$")]
AppName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
UserName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_-]{0,30}$")]
Port = Annotated[int, Field(ge=1, le=65535)]


class Model(BaseModel):
    """Base of every part of a box: frozen, strict about keys and types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class Machine(Model):
    """The size of the machine; the provider really sets these limits."""

    cpus: Annotated[int, Field(ge=1, le=256)] = 2
    memory_mb: Annotated[int, Field(ge=256, le=4 * 1024 * 1024)] = 2048
    disk_gb: Annotated[int, Field(ge=4, le=64 * 1024)] = 20


class Limits(Model):
    """Resource limits that logins and Shiny apps get (pam_limits)."""

    nofile: Annotated[int, Field(ge=256, le=1048576)] | None = None
    """Open files."""
    nproc: Annotated[int, Field(ge=64, le=4194304)] | None = None
    """Processes of one user."""


class Mirror(Model):
    """Where Debian's packages come from, when not from where the base image has them."""

    debian: Annotated[str, StringConstraints(pattern=r"^https?://[^\s'\"\\]+$")]
    """Base URL of a Debian mirror."""
    security: Annotated[str, StringConstraints(pattern=r"^https?://[^\s'\"\\]+$")] | None = None
    """Base URL of the security archive."""


class System(Model):
    """The operating system's side of "looks like production"."""

    timezone: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$")] = (
        "Etc/UTC"
    )
    """An IANA name, such as Europe/Vienna."""
    locale: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@-]+$")] = "C.UTF-8"
    """As in LANG: en_US.UTF-8, de_AT.UTF-8, C.UTF-8."""
    packages: tuple[DebianPackage, ...] = ()
    """Debian packages on top of what the rest of the box needs."""
    environment: dict[EnvName, Text] = {}
    """Set for every login, every R, and inside Shiny apps."""
    limits: Limits = Limits()
    mirror: Mirror | None = None
    proxy: Annotated[str, StringConstraints(pattern=r"^https?://[^\s'\"\\]+$")] | None = None
    """HTTP proxy that the machine uses to fetch packages."""
    ca_certificates: tuple[Text, ...] = ()
    """PEM files, relative to the box file, that the machine trusts."""


class RPackages(Model):
    """The R packages of the machine."""

    source: Literal["debian"] = "debian"
    """`debian`: Debian's own r-cran-* packages."""
    names: tuple[RPackage, ...] = ()
    """CRAN names: shiny, data.table, DBI."""


class R(Model):
    """Which R, and how it is set up for everyone on the machine."""

    version: RVersion | None = None
    """Major.minor or the full version, in quotes: "4.2". Checked, never silently another."""
    source: Literal["debian"] = "debian"
    """`debian`: the R of the base."""
    blas: Literal["reference", "openblas"] = "reference"
    options: dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z.][A-Za-z0-9._]*$")],
                  bool | int | float | Text] = {}  # fmt: skip
    """R options() for every session, written to Rprofile.site."""
    repos: dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.]*$")],
                Annotated[str, StringConstraints(pattern=r"^(https?|file)://[^\s'\"\\]+$")]] = {}  # fmt: skip
    """options("repos"): name to URL. Empty: as the base has it."""
    packages: RPackages = RPackages()


class ShinyServer(Model):
    """Shiny Server, Debian's package."""

    port: Port = 3838


class Services(Model):
    """The servers that the machine runs."""

    shiny_server: ShinyServer | None = None


class App(Model):
    """A Shiny app (or a folder of R Markdown documents) that Shiny Server serves at /NAME/."""

    name: AppName
    path: Text
    """The app's folder, relative to the box file."""


class User(Model):
    """A person's account. No password unless one is given as a hash."""

    name: UserName
    groups: tuple[UserName, ...] = ()
    sudo: bool = False
    ssh_keys: tuple[Text, ...] = ()
    """Public keys, one line each."""


class Budget(Model):
    """How fast is fast enough; checked in the goal `snappy`."""

    first_page_s: Annotated[float, Field(gt=0, le=300)] = 5.0
    """An app's page when no R process of it runs yet."""
    warm_page_s: Annotated[float, Field(gt=0, le=300)] = 1.0
    """The same page again."""


class Checks(Model):
    """What `sandbox check` verifies beyond what it makes from the box."""

    budget: Budget = Budget()
    files: tuple[Text, ...] = ()
    """testinfra files of your own, relative to the box file."""


class Box(Model):
    """A box: what a machine must be."""

    version: Literal[1]
    """The version of this format: 1."""
    description: Text = ""
    extends: Text | None = None
    """Another box file, relative to this one; what stands here overrides it."""
    base: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*$")] | None = None
    """The operating system it starts from: debian-11, debian-12, debian-13."""
    provider: Provider | None = None
    """Where it runs, unless --provider says otherwise."""
    machine: Machine = Machine()
    system: System = System()
    r: R | None = None
    """Leave out for a machine without R."""
    services: Services = Services()
    apps: tuple[App, ...] = ()
    users: tuple[User, ...] = ()
    checks: Checks = Checks()


class BaseImages(Model):
    """Where each provider gets a base."""

    incus_public: Text
    """The image on the public Incus image server, `images:debian/12`."""
    masked_units: tuple[Text, ...] = ()
    """systemd units that cannot work in a container; masked in the Incus image."""


class Base(Model):
    """A file in boxes/_base: an operating system that boxes start from."""

    version: Literal[1]
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    description: Text
    distribution: Literal["debian"]
    suite: Annotated[str, StringConstraints(pattern=r"^[a-z]+$")]
    r_version: RVersion
    """The R that its r-base-core package gives."""
    offers: tuple[Literal["shiny_server"], ...] = ()
    """Services that the distribution has a package of."""
    images: BaseImages
