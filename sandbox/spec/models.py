"""The form of a box file. The JSON Schema that editors use is made from these models.

Frozen, and unknown keys are errors. Which texts there are is in sandbox.spec.texts. The docstring
of a field is its description in the JSON Schema (see sandbox.spec.schema).
"""

from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from sandbox.app_files import MAX_MB
from sandbox.spec.choices import ProviderName
from sandbox.spec.misfit import misfit
from sandbox.spec.texts import (
    BaseName,
    BootSeconds,
    DebianPackage,
    EnvName,
    FileName,
    HttpUrl,
    Locale,
    PlainName,
    Port,
    RepoName,
    RepoUrl,
    ROption,
    RPackage,
    RText,
    RVersion,
    Sha256,
    Text,
    Timezone,
    UserName,
    VagrantBox,
    VagrantVersion,
)


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

    r: RText
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


_Newer = Field(exclude_if=lambda value: value is None)
"""Of a key that boxes could not say before: where one does not, its plan is what it was, key and
all. Or else every sandbox would be provisioned once more."""


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


class Nginx(Model):
    """nginx, Debian's package, in front of Shiny Server: it hands on every request."""

    port: Port = 80
    """The port that nginx listens on, inside the machine."""


class Services(Model):
    """The servers that the machine runs."""

    shiny_server: ShinyServer | None = None
    """Shiny Server; `{}` for its defaults, leave out for none."""
    nginx: Annotated[Nginx | None, _Newer] = None
    """nginx in front of Shiny Server; `{}` for its defaults, leave out for none."""

    @model_validator(mode="after")
    def _nginx_has_a_server_behind_it(self) -> Self:
        if self.nginx is not None and self.shiny_server is None:
            cure = "Add `shiny_server: {}` beside it"
            raise misfit("nginx", "nginx has no server behind it to hand requests on to", cure)
        return self


class App(Model):
    """A Shiny app (or a folder of R Markdown documents) that Shiny Server serves at /NAME/."""

    name: PlainName
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
    cpu_mode: Annotated[Literal["host-passthrough", "host-model", "custom"] | None, _Newer] = None
    """The processor inside: this host's own, libvirt's name for it, or the one that `cpu_model`
    names. By its instructions OpenBLAS picks how it computes: last digits differ with it."""
    cpu_model: Annotated[PlainName | None, _Newer] = None
    """A processor by QEMU's name, such as Haswell; only with `cpu_mode: custom`."""

    @model_validator(mode="after")
    def _processor_fits(self) -> Self:
        mode, is_custom = self.cpu_mode, self.cpu_mode == "custom"
        if is_custom and self.cpu_model is None:
            cure = "Add `cpu_model`, such as Haswell: `virsh cpu-models x86_64` lists them"
            raise misfit("cpu_mode", "the processor is not named", cure)
        if not is_custom and self.cpu_model is not None:
            without = f"with `cpu_mode: {mode}`" if mode else "without `cpu_mode: custom`"
            cure = "Write `cpu_mode: custom`" if mode else "Add it"
            raise misfit("cpu_model", f"{without} no processor can be named", cure)
        if mode is not None and not is_custom and self.driver == "qemu":
            cure = "or name one: `cpu_mode: custom`, `cpu_model: Haswell`"
            raise misfit(
                "cpu_mode",
                "QEMU's emulation cannot be this host's processor",
                f"Leave out `driver: qemu`, {cure}",
            )
        return self


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
