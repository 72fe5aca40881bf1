"""The part of a provider that VirtualBox and libvirt share, because Vagrant drives both."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from sandbox.events import Listener
from sandbox.providers.place import Place

if TYPE_CHECKING:
    from sandbox.providers.base_images import PreparedBase, StoredBase, WantedBase
    from sandbox.providers.vagrant.box_files import BoxForm
    from sandbox.providers.vagrant.files import VmProvider


class VagrantProvider(ABC):
    """Base images in Vagrant's own store, and a record in the instance's folder."""

    name: ClassVar["VmProvider"]

    @abstractmethod
    def box_form(self) -> "BoxForm":
        """Return the form of a disk as a box for this provider."""

    def made(self, folder: Path) -> bool:
        """Tell whether the record in the folder names this provider."""
        from sandbox.providers.vagrant.vm import maker_of

        return maker_of(folder) == self.name

    def prepare_base(
        self, wanted: "WantedBase", place: Place, listener: Listener
    ) -> "PreparedBase":
        """Find, build or fetch a box: the one named by the sandbox's box file, if it names one.

        Raises:
            SandboxError: as in `ensure_vagrant_box`, `ensure_public_box`, `not_here`.
        """
        from sandbox.images.package_index import available_packages
        from sandbox.providers.base_images import PreparedBase, not_here
        from sandbox.providers.vagrant.base_box import (
            ensure_public_box,
            ensure_vagrant_box,
            named_box,
        )

        del place
        if wanted.identity:
            raise not_here(wanted)
        options = wanted.options
        if options is not None and options.base_image and options.base_image_version:
            public = named_box(options.base_image, options.base_image_version)
            sha256 = options.base_image_sha256
            found = ensure_public_box(
                public, sha256, provider=self.name, listener=listener, fetcher=wanted.fetcher
            )
        else:
            found = ensure_vagrant_box(
                wanted.base,
                form=self.box_form(),
                source=wanted.source,
                mirror=wanted.mirror,
                listener=listener,
                archives=wanted.archives,
                routes=wanted.routes,
                fetcher=wanted.fetcher,
            )
        return PreparedBase(found.image, found.image, available_packages(found))

    def stored_bases(self, place: Place) -> "tuple[StoredBase, ...]":
        """List our boxes for it in Vagrant's store; a user has one store, whatever the prefix."""
        from sandbox.providers.vagrant.stored_boxes import stored_bases

        del place
        return stored_bases(self.name)

    def needed_builds(self, place: Place) -> frozenset[str]:
        """Return the keys of all our boxes in the store."""
        from sandbox.providers.vagrant.stored_boxes import stored_keys

        del place
        return stored_keys()
