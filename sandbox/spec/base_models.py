"""What a base may say: a file in boxes/_base, and where each provider gets that base."""

from typing import Annotated, Literal, Self

from pydantic import StringConstraints, model_validator

from sandbox.spec.models import Model
from sandbox.spec.texts import (
    SUITE,
    Architecture,
    BaseName,
    DebianPackage,
    RepoUrl,
    RVersion,
    Sha256,
    Text,
    VagrantBox,
    VagrantVersion,
)


class PublicBox(Model):
    """A base image that others publish for Vagrant, at one version."""

    box: VagrantBox
    """Its name in Vagrant's public catalogue, `debian/bookworm64`."""
    box_version: VagrantVersion
    architectures: tuple[Architecture, ...] = ("amd64",)
    """What it is published for; arm64 is what Apple silicon needs."""
    url: RepoUrl | None = None
    """Where the .box file is, when not where the public catalogue has it; needs `sha256`, of one
    architecture."""
    sha256: dict[Architecture, Sha256] = {}  # noqa: RUF012  (pydantic copies it)
    """Of the .box file for each architecture; without it, Vagrant goes by what the catalogue says
    at the time."""

    @model_validator(mode="after")
    def _sums_fit(self) -> Self:
        if self.url is not None and len(self.sha256) != 1:
            raise ValueError("a url needs the file's sha256 beside it, of one architecture")
        if not set(self.sha256) <= set(self.architectures):
            raise ValueError("there is a sha256 for what is not among its architectures")
        return self


class BaseImages(Model):
    """Where each provider gets a base."""

    incus_public: Text
    """The image on the public Incus image server, `images:debian/12`."""
    libvirt_public: PublicBox | None = None
    """The public Vagrant box for libvirt."""
    virtualbox_public: PublicBox | None = None
    """The public Vagrant box for VirtualBox."""
    masked_units: tuple[Text, ...] = ()
    """systemd units that cannot work in a container; masked in the Incus image."""

    def public_box(self, provider: str) -> PublicBox | None:
        """The public Vagrant box for `provider`; None where there is none."""
        return {"libvirt": self.libvirt_public, "virtualbox": self.virtualbox_public}.get(provider)


class Base(Model):
    """A file in boxes/_base: an operating system that boxes start from."""

    version: Literal[1]
    """The version of this format: 1."""
    name: BaseName
    description: Text
    distribution: Literal["debian"]
    suite: Annotated[str, StringConstraints(pattern=SUITE)]
    """The release's code name: bookworm."""
    r_version: RVersion
    """The R that its r-base-core package gives."""
    offers: tuple[Literal["shiny_server"], ...] = ()
    """Services that the distribution has a package of."""
    packages: tuple[DebianPackage, ...] = ()
    """Debian packages that every machine of this base gets, to be like those of other bases."""
    images: BaseImages
