"""The form of a box file. The JSON Schema that editors use is made from these models.

Frozen, and unknown keys are errors. Which texts there are is in sandbox.spec.texts, which values in
sandbox.spec.values; `r:` and `services:` have files of their own. The docstring of a field is its
description in the JSON Schema (see sandbox.spec.schema).
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sandbox.app_files import MAX_MB
from sandbox.spec.choices import ProviderName
from sandbox.spec.mirrors import Mirrors, NoProxyEntry
from sandbox.spec.misfit import misfit
from sandbox.spec.r import R
from sandbox.spec.services import Services
from sandbox.spec.texts import (
    BaseName,
    BootSeconds,
    DebianPackage,
    EnvName,
    FileName,
    HttpUrl,
    Locale,
    PlainName,
    Sha256,
    Text,
    Timezone,
    UserName,
    VagrantBox,
    VagrantVersion,
)
from sandbox.spec.values import NEWER, Model, ProxyOrSecret, TextOrSecret


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
    """Where the distribution's packages come from, when not from the base image's sources."""

    debian: Annotated[HttpUrl | None, NEWER] = None
    """Base URL of a Debian mirror, for a base of Debian's."""
    security: HttpUrl | None = None
    """Base URL of the security archive; for Ubuntu the same as `ubuntu` when left out."""
    ubuntu: Annotated[HttpUrl | None, NEWER] = None
    """Base URL of an Ubuntu mirror, with `main` and `universe`, for a base of Ubuntu's."""

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if self.debian is None and self.ubuntu is None:
            cure = "Say `debian:` or `ubuntu:`, the base URL of a mirror"
            raise misfit("debian", "no mirror is named", cure)
        return self

    def of(self, distribution: str) -> str | None:
        """Return the mirror of a distribution; None when the box names none of it."""
        return {"debian": self.debian, "ubuntu": self.ubuntu}.get(distribution)


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
    no_proxy: Annotated[tuple[NoProxyEntry, ...] | None, NEWER] = None
    """What the machine's apt reaches without the proxy: a host, .domain, 10.0.0.0/8."""
    ca_certificates: tuple[FileName, ...] = ()
    """PEM files, relative to the box file, that the machine trusts."""


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
    """The same page again, and the sign-in page of RStudio Server."""
    rstudio_session_s: Annotated[float | None, Field(gt=0, le=300), NEWER] = None
    """A session of RStudio Server, from its start to the first line that its R runs; 20 when it is
    not said."""


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
    cpu_mode: Annotated[Literal["host-passthrough", "host-model", "custom"] | None, NEWER] = None
    """The processor inside: this host's own, libvirt's name for it, or the one that `cpu_model`
    names. By its instructions OpenBLAS picks how it computes: last digits differ with it."""
    cpu_model: Annotated[PlainName | None, NEWER] = None
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
    """The operating system it starts from: debian-11, debian-12, debian-13, ubuntu-22.04,
    ubuntu-24.04."""
    provider: ProviderName | None = None
    """The provider, unless --provider says otherwise."""
    providers: Providers = Providers()
    """Settings for one provider."""
    machine: Machine = Machine()
    """The size of the machine."""
    mirrors: Annotated[Mirrors | None, NEWER] = None
    """Servers that stand for public ones; also in ~/.config/sandbox/config.yml, for all boxes."""
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
