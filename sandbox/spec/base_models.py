"""The form of a base: a file in boxes/_base, and where each provider gets that base."""

from typing import Annotated, Literal, Self

from pydantic import StringConstraints, model_validator

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
from sandbox.spec.values import Model


class PublicBox(Model):
    """A base image that others publish for Vagrant, at one version."""

    box: VagrantBox
    """Its name in Vagrant's public catalogue, `debian/bookworm64`."""
    box_version: VagrantVersion
    architectures: tuple[Architecture, ...] = ("amd64",)
    """The architectures it is published for; Apple silicon needs arm64."""
    url: RepoUrl | None = None
    """Where the .box file is, when not in the public catalogue; then `sha256` is needed, of one
    architecture."""
    sha256: dict[Architecture, Sha256] = {}
    """Checksum of the .box file for each architecture; without it, Vagrant uses the catalogue's
    present one."""

    @model_validator(mode="after")
    def _sums_fit(self) -> Self:
        if self.url is not None and len(self.sha256) != 1:
            raise ValueError("a url needs the file's sha256 too, of one architecture")
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
        """Return the public Vagrant box for `provider`; None where there is none."""
        return {"libvirt": self.libvirt_public, "virtualbox": self.virtualbox_public}.get(provider)


class Base(Model):
    """A file in boxes/_base: an operating system that boxes start from."""

    version: Literal[1]
    """The version of this format: 1."""
    name: BaseName
    description: Text
    distribution: Literal["debian", "ubuntu"]
    suite: Annotated[str, StringConstraints(pattern=SUITE)]
    """The release's code name: bookworm."""
    r_version: RVersion
    """The version of R in its r-base-core package."""
    offers: tuple[Literal["shiny_server"], ...] = ()
    """Services for which the distribution has a package."""
    packages: tuple[DebianPackage, ...] = ()
    """Debian packages that every machine of this base gets, to match the other bases."""
    images: BaseImages
