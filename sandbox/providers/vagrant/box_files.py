"""The files of a Vagrant box around its disk, and the catalogue that names it. Pure.

`metadata.json` also says which files the box has and how large they are: Vagrant moves them into
its store one by one, and a box that was cut off there must not count as whole.
"""

import json
from collections.abc import Mapping
from typing import Protocol

from sandbox.images.disk import DISK_GB
from sandbox.images.vm_recipe import GRUB_CONFIG, MKE2FS_CONF
from sandbox.providers.vagrant.files import VmProvider

VERSION = "1.0.0"
"""The version of every box of ours: its name says what it is made of."""


class BoxForm(Protocol):
    """The form of a disk as a box of one provider."""

    @property
    def provider(self) -> VmProvider:
        """The name of the provider."""
        ...

    @property
    def disk_name(self) -> str:
        """The disk's file name in a box."""
        ...

    @property
    def convert(self) -> tuple[str, ...]:
        """The options for qemu-img to make that disk from a raw one."""
        ...

    @property
    def vagrantfile(self) -> str:
        """The settings that Vagrant reads before the Vagrantfile of a machine."""
        ...

    @property
    def metadata(self) -> Mapping[str, object]:
        """The entries of `metadata.json` besides those of every box."""
        ...

    def template(self) -> str:
        """Return the text that `machine_files` fills in; empty when there is none."""
        ...

    def machine_files(self, disk_bytes: int) -> Mapping[str, str]:
        """Name and text of the files that describe the machine."""
        ...


def wrapping(form: BoxForm) -> str:
    """Return all our text around the root, for the image's key."""
    parts = [GRUB_CONFIG, MKE2FS_CONF, str(DISK_GB)]
    parts += [form.vagrantfile, " ".join(form.convert), VERSION]
    template = form.template()
    return "\n".join([*parts, template] if template else parts)


def box_files(form: BoxForm, *, key: str, disk_bytes: int) -> Mapping[str, str]:
    """Name and text of each file of the box but the disk itself; `metadata.json` comes last."""
    files = {"Vagrantfile": form.vagrantfile, **form.machine_files(disk_bytes)}
    sizes = {name: len(text.encode()) for name, text in files.items()}
    metadata: dict[str, object] = {
        "provider": form.provider,
        "architecture": "amd64",
        "sandbox": {"key": key, "files": {**sizes, form.disk_name: disk_bytes}},
        **form.metadata,
    }
    return {**files, "metadata.json": json.dumps(metadata, indent=1) + "\n"}


def catalogue(
    name: str,
    version: str,
    provider: VmProvider,
    url: str,
    *,
    sha256: str | None = None,
    architecture: str = "amd64",
) -> str:
    """Write the catalogue entry for `vagrant box add`: one box, at one version, its checksum."""
    where: dict[str, object] = {
        "name": provider,
        "url": url,
        # Vagrant 2.4 uses these two; earlier ones know of no architectures
        "architecture": architecture,
        "default_architecture": True,
    }
    if sha256 is not None:
        where |= {"checksum_type": "sha256", "checksum": sha256}
    versions = [{"version": version, "status": "active", "providers": [where]}]
    return json.dumps({"name": name, "versions": versions}, indent=1) + "\n"
