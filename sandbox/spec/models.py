"""The form of a box file. The JSON Schema that editors use is made from these models.

Frozen, and unknown keys are errors. Text that ends up in a shell, in Ruby or in YAML is quoted
where it is rendered; the patterns here are for early, clear messages, not for safety. Editors read
them as well, as ECMA-262 with the flag `u`: an escape without a meaning there makes the schema
invalid. The docstring of a field is its description in the JSON Schema (see sandbox.spec.schema).
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag

from sandbox.app_files import MAX_MB
from sandbox.spec.choices import ProviderName

_ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
_ENV_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
_DEBIAN_PACKAGE = r"^[a-z0-9][a-z0-9+.-]+$"
_R_PACKAGE = r"^[A-Za-z][A-Za-z0-9.]*[A-Za-z0-9]$"
_R_VERSION = r"^[0-9]+\.[0-9]+(\.[0-9]+)?$"
_R_OPTION = r"^[A-Za-z.][A-Za-z0-9._]*$"
_REPO_NAME = r"^[A-Za-z][A-Za-z0-9_.]*$"
_REPO_URL = r"""^(https?|file)://[^\s'"\\]+$"""
_HTTP_URL = r"""^https?://[^\s'"\\]+$"""
_APP_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"
_USER_NAME = r"^[a-z_][a-z0-9_-]{0,30}$"
_R_CODE = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]*$"
_BASE_NAME = r"^[a-z0-9][a-z0-9.-]*$"
_TIMEZONE = r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$"
_LOCALE = r"^[A-Za-z0-9_.@-]+$"
SUITE: Final = r"^[a-z]+$"
_VAGRANT_BOX = r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$"
_VAGRANT_VERSION = r"^[0-9][A-Za-z0-9.+-]*$"
_SHA256 = r"^[0-9a-f]{64}$"

PATTERN_WORDS: Final[dict[str, str]] = {
    _ONE_LINE: "one line of text without control characters",
    _ENV_NAME: "a variable name of letters, digits and underscores, such as OMP_NUM_THREADS",
    _DEBIAN_PACKAGE: "the name of a Debian package, such as libpq-dev",
    _R_PACKAGE: "the name of an R package, such as data.table",
    _R_VERSION: 'an R version in quotes, such as "4.2" or "4.2.2"',
    _R_OPTION: "the name of an R option, such as digits",
    _REPO_NAME: "a repository's name, such as CRAN",
    _REPO_URL: "a URL that starts with http://, https:// or file://",
    _HTTP_URL: "a URL that starts with http:// or https://",
    _APP_NAME: "a name of letters, digits, dashes and underscores, 63 at most",
    _USER_NAME: "a Linux user or group name: lower case letters, digits, dashes, underscores",
    _R_CODE: "R code without control characters",
    _BASE_NAME: "the name of a base, such as debian-12",
    _TIMEZONE: "an IANA time zone, such as Europe/Vienna",
    _LOCALE: "a locale, such as en_US.UTF-8",
    SUITE: "a Debian release's code name, such as bookworm",
    _VAGRANT_BOX: "the name of a Vagrant box, such as debian/bookworm64",
    _VAGRANT_VERSION: "the version of a Vagrant box, such as 12.20250126.1",
    _SHA256: "a SHA-256 checksum: 64 digits and letters from a to f",
}
"""What each pattern means, for error messages."""

Text = Annotated[str, StringConstraints(pattern=_ONE_LINE, max_length=4096)]
"""One line, no control characters."""
FileName = Annotated[str, StringConstraints(pattern=_ONE_LINE, min_length=1, max_length=4096)]
"""A path; one that is not absolute is relative to the box file that says it."""
EnvName = Annotated[str, StringConstraints(pattern=_ENV_NAME, max_length=128)]
DebianPackage = Annotated[str, StringConstraints(pattern=_DEBIAN_PACKAGE, max_length=128)]
RPackage = Annotated[str, StringConstraints(pattern=_R_PACKAGE, max_length=128)]
RVersion = Annotated[str, StringConstraints(pattern=_R_VERSION, max_length=32)]
ROption = Annotated[str, StringConstraints(pattern=_R_OPTION, max_length=128)]
RepoName = Annotated[str, StringConstraints(pattern=_REPO_NAME, max_length=128)]
RepoUrl = Annotated[str, StringConstraints(pattern=_REPO_URL, max_length=2048)]
HttpUrl = Annotated[str, StringConstraints(pattern=_HTTP_URL, max_length=2048)]
AppName = Annotated[str, StringConstraints(pattern=_APP_NAME)]
UserName = Annotated[str, StringConstraints(pattern=_USER_NAME)]
BaseName = Annotated[str, StringConstraints(pattern=_BASE_NAME, max_length=64)]
Timezone = Annotated[str, StringConstraints(pattern=_TIMEZONE, max_length=64)]
Locale = Annotated[str, StringConstraints(pattern=_LOCALE, max_length=64)]
VagrantBox = Annotated[str, StringConstraints(pattern=_VAGRANT_BOX, max_length=128)]
VagrantVersion = Annotated[str, StringConstraints(pattern=_VAGRANT_VERSION, max_length=64)]
Sha256 = Annotated[str, StringConstraints(pattern=_SHA256)]
Architecture = Literal["amd64", "arm64"]
BootSeconds = Annotated[int, Field(ge=10, le=7200)]
Port = Annotated[int, Field(ge=1, le=65535)]


class Model(BaseModel):
    """Base of every part of a box: frozen, strict about keys and types."""

    # schema.py reads the docstrings of fields when asked to; pydantic's own
    # use_attribute_docstrings parses this file once a class, 0.1 s at every start
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class Secret(Model):
    """Stands for a value that the box does not hold, such as a password."""

    secret: EnvName
    """The value's name. `sandbox up` takes the value from its environment's variable of that name,
    from a line of `--secrets FILE`, or asks for it."""

    def __str__(self) -> str:
        """The text that is shown in the value's place."""
        return f"<secret {self.secret}>"


class RCode(Model):
    """Stands for a value of R that YAML has no word for: NULL, a list, names, a function."""

    r: Annotated[str, StringConstraints(pattern=_R_CODE, min_length=1, max_length=4096)]
    """R code that makes the value, in the machine, when R starts: c(a = 1), quote(recover())."""

    def __str__(self) -> str:
        """The code."""
        return self.r


_PLAIN, _SECRET, _LIST, _CODE = "<plain>", "<secret>", "<list>", "<code>"
UNION_TAGS: Final = frozenset({_PLAIN, _SECRET, _LIST, _CODE})
"""Steps in the places of pydantic's errors that do not exist in a file."""


def _kind_of_value(value: object) -> str:
    return _SECRET if isinstance(value, dict | Secret) else _PLAIN


def _kind_of_option(value: object) -> str:
    if isinstance(value, RCode) or (isinstance(value, dict) and "r" in value):
        return _CODE
    return _LIST if isinstance(value, list | tuple) else _kind_of_value(value)


_ByKind = Discriminator(_kind_of_value)
_SecretValue = Annotated[Secret, Tag(_SECRET)]
OptionScalar = bool | int | float | str
OptionValue = OptionScalar | tuple[OptionScalar, ...] | RCode
TextOrSecret = Annotated[Annotated[Text, Tag(_PLAIN)] | _SecretValue, _ByKind]
_Scalar = bool | int | float | Text
_Vector = Annotated[tuple[_Scalar, ...], Field(max_length=1000)]
OptionOrSecret = Annotated[
    Annotated[_Scalar, Tag(_PLAIN)]
    | Annotated[_Vector, Tag(_LIST)]
    | Annotated[RCode, Tag(_CODE)]
    | _SecretValue,
    Discriminator(_kind_of_option),
]
RepoOrSecret = Annotated[Annotated[RepoUrl, Tag(_PLAIN)] | _SecretValue, _ByKind]
ProxyOrSecret = Annotated[Annotated[HttpUrl, Tag(_PLAIN)] | _SecretValue, _ByKind]


class Machine(Model):
    """The size of the machine, and who can reach it; the provider enforces these limits."""

    cpus: Annotated[int, Field(ge=1, le=256)] = 2
    """Processors."""
    memory_mb: Annotated[int, Field(ge=256, le=4 * 1024 * 1024)] = 2048
    """Memory, in MB."""
    disk_gb: Annotated[int, Field(ge=4, le=64 * 1024)] = 20
    """Size of the disk, in GB."""
    isolated: bool = True
    """Other sandboxes on this host cannot reach its ports, and it cannot reach theirs; false lets
    it talk to all of them. Set when the machine is made, and at each start."""


class Limits(Model):
    """Resource limits that logins and Shiny apps get (pam_limits)."""

    nofile: Annotated[int, Field(ge=256, le=1048576)] | None = None
    """Open files."""
    nproc: Annotated[int, Field(ge=64, le=4194304)] | None = None
    """Processes of one user."""


class Mirror(Model):
    """Where Debian's packages come from, when not from the base image's sources."""

    debian: HttpUrl
    """Base URL of a Debian mirror."""
    security: HttpUrl | None = None
    """Base URL of the security archive."""


class System(Model):
    """The operating system's part of "looks like production"."""

    timezone: Timezone = "Etc/UTC"
    """An IANA name, such as Europe/Vienna."""
    locale: Locale = "C.UTF-8"
    """As in LANG: en_US.UTF-8, de_AT.UTF-8, C.UTF-8."""
    packages: tuple[DebianPackage, ...] = ()
    """Debian packages in addition to those that the rest of the box needs."""
    environment: dict[EnvName, TextOrSecret] = {}
    """Set for every login, every R, and inside Shiny apps: values, or `{secret: NAME}`."""
    limits: Limits = Limits()
    """Resource limits for logins and Shiny apps."""
    mirror: Mirror | None = None
    """Where Debian's packages come from; leave it out for the base image's sources."""
    proxy: ProxyOrSecret | None = None
    """HTTP proxy that the machine uses to fetch packages; or `{secret: NAME}`."""
    ca_certificates: tuple[FileName, ...] = ()
    """PEM files, relative to the box file, that the machine trusts."""


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


class ShinyServer(Model):
    """Shiny Server, Debian's package."""

    port: Port = 3838
    """The port that Shiny Server listens on, inside the machine."""


class Services(Model):
    """The servers that the machine runs."""

    shiny_server: ShinyServer | None = None
    """Shiny Server; `{}` for its defaults, leave out for none."""


class App(Model):
    """A Shiny app (or a folder of R Markdown documents) that Shiny Server serves at /NAME/."""

    name: AppName
    """The app's place in the URL: /NAME/."""
    path: FileName
    """The app's folder, relative to the box file and inside the box's root."""
    include: tuple[FileName, ...] = ()
    """Files that would be left out, by name: .Renviron, www/*.pem. See docs/boxes.md."""
    max_mb: Annotated[int, Field(ge=1, le=1_000_000)] = MAX_MB
    """How many MB the app's folder may hold; a larger one is refused."""


class User(Model):
    """A person's account. It has no password: the person logs in with an ssh key."""

    name: UserName
    """The login name."""
    groups: tuple[UserName, ...] = ()
    """Further groups; made when they do not exist."""
    sudo: bool = False
    """Whether this person may become root, without a password."""
    ssh_keys: tuple[Text, ...] = ()
    """Public keys, one line each."""


class Budget(Model):
    """How fast is fast enough; checked in the goal `snappy`."""

    first_page_s: Annotated[float, Field(gt=0, le=300)] = 5.0
    """An app's page when no R process of it runs yet."""
    warm_page_s: Annotated[float, Field(gt=0, le=300)] = 1.0
    """The same page again."""


class Checks(Model):
    """Checks of `sandbox check` in addition to those that it makes from the box."""

    budget: Budget = Budget()
    """How fast the apps must answer."""
    files: tuple[FileName, ...] = ()
    """testinfra files of your own, relative to the box file."""


class Accepted(Model):
    """A difference from production that is known, and left."""

    fact: Annotated[Text, Field(min_length=1)]
    """A fact's id as `sandbox diff` shows it, or a pattern: r.package.shiny, machine.*."""
    why: Annotated[Text, Field(min_length=1)]
    """Why the difference may stay: one sentence."""


class VagrantOptions(Model):
    """Settings that both providers of virtual machines have."""

    base_image: VagrantBox | None = None
    """A public Vagrant box to start from instead of an image of ours: debian/bookworm64."""
    base_image_version: VagrantVersion | None = None
    """The version of `base_image`; without it, the same box may later mean another machine."""
    base_image_sha256: Sha256 | None = None
    """The checksum of that version's file."""
    boot_timeout_s: BootSeconds | None = None
    """How long the first answer by ssh may take, in seconds; by default more on a slow host."""
    ssh_timeout_s: BootSeconds = 15
    """How long one try to connect by ssh may take, in seconds."""


class VirtualBoxOptions(VagrantOptions):
    """How VirtualBox runs the machine."""

    linked_clone: bool = True
    """Share the base image's disk, and keep the differences: up in seconds, and little space."""
    customize: tuple[tuple[Text, ...], ...] = ()
    """Words for `VBoxManage modifyvm`, one list an option: [modifyvm, --vram, "16"]."""


class LibvirtOptions(VagrantOptions):
    """How libvirt runs the machine."""

    driver: Literal["kvm", "qemu"] | None = None
    """kvm, or qemu for QEMU's own emulation; leave out for kvm where it really works."""


class Providers(Model):
    """Settings for one provider; the others ignore them."""

    virtualbox: VirtualBoxOptions = VirtualBoxOptions()
    """How VirtualBox runs the machine."""
    libvirt: LibvirtOptions = LibvirtOptions()
    """How libvirt runs the machine."""

    def options(self, provider: str) -> VagrantOptions | None:
        """Return the settings for `provider`; None where a box has none."""
        found = getattr(self, provider, None) if provider in type(self).model_fields else None
        return found if isinstance(found, VagrantOptions) else None


class Box(Model):
    """A box: the description of a machine."""

    version: Literal[1]
    """The version of this format: 1."""
    description: Text = ""
    """One line, shown by `sandbox boxes`."""
    extends: FileName | None = None
    """Another box: a file, relative to this one, or the name of a shipped box. This file overrides
    that box: maps are merged, lists replaced, and null takes back a value."""
    base: BaseName | None = None
    """The operating system it starts from: debian-11, debian-12, debian-13."""
    provider: ProviderName | None = None
    """The provider, unless --provider says otherwise."""
    providers: Providers = Providers()
    """Settings for one provider."""
    machine: Machine = Machine()
    """The size of the machine."""
    system: System = System()
    """Time zone, locale, packages and the like."""
    r: R | None = None
    """Leave out for a machine without R."""
    services: Services = Services()
    """The servers that the machine runs."""
    apps: tuple[App, ...] = ()
    """Shiny apps that Shiny Server serves."""
    users: tuple[User, ...] = ()
    """People's accounts."""
    checks: Checks = Checks()
    """Checks of `sandbox check` in addition to those that it makes from the box."""
    production: FileName | None = None
    """The facts of a production server, as `sandbox capture` writes them, relative to the box file:
    `sandbox check` compares the machine with them."""
    accept: tuple[Accepted, ...] = ()
    """Differences from production that are known, and why they may stay."""
