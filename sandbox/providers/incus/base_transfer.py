"""Base images of Incus, out to files and in again: the same bytes have the same fingerprint."""

import re
from collections.abc import Sequence
from pathlib import Path

from sandbox.errors import ProviderError
from sandbox.providers.incus.client import IncusClient, api_path
from sandbox.providers.incus.project_images import (
    COPY_S,
    KEY_PROPERTY,
    BaseImage,
    import_image,
    our_images,
    point,
)

_ALIAS = re.compile(r"base-.+-[0-9a-f]{12}")


class IncusBaseTransfer:
    """The part of the engine that gives and takes base images; see `abilities.BaseTransfer`."""

    client: IncusClient

    def export_base(self, identity: str, folder: Path) -> tuple[Path, ...]:
        """Write the image into an empty folder; what describes it comes before its root.

        Raises:
            HostError, ProviderError: Incus does not have it, or cannot write it.
        """
        self.client.run("image", "export", self.client.ref(identity), folder, timeout_s=COPY_S)
        files = sorted(folder.iterdir(), key=lambda one: (not _describes(one), one.name))
        if not files:
            raise ProviderError(f"Incus wrote nothing of the image {identity[:12]}")
        return tuple(files)

    def has_base(self, identity: str) -> bool:
        """Tell whether Incus has the image.

        Raises:
            HostError, ProviderError: Incus cannot be asked.
        """
        return any(str(one["fingerprint"]) == identity for one in our_images(self.client))

    def import_base(self, identity: str, base: str, files: Sequence[Path]) -> None:
        """Give Incus the files that `export_base` wrote.

        Raises:
            HostError, ProviderError: Incus does not take them, or they are another image.
        """
        # Only whoever asks for this very image gets it. By its recipe's key, other boxes would take
        # it for one that was built here, and nobody here knows who made it.
        came = import_image(self.client, files, f"{KEY_PROPERTY}=")
        if came != identity:
            self.client.query("DELETE", api_path("images", came))
            raise ProviderError(
                "the base image of the bundle is another one than the bundle says",
                details=f"{came[:12]}, and not {identity[:12]}: it was removed",
            )
        point(self.client, _bundled(base, identity), identity)


def exact_base(client: IncusClient, base: str, identity: str) -> BaseImage | None:
    """Find the image with that fingerprint, whatever it was made by; None when it is not there.

    Raises:
        HostError, ProviderError: Incus cannot be asked.
    """
    for image in our_images(client):
        if image["fingerprint"] != identity:
            continue
        names = [str(entry["name"]) for entry in image.get("aliases") or ()]
        alias = next((one for one in sorted(names) if _ALIAS.fullmatch(one)), None)
        if alias is None:
            alias = _bundled(base, identity)
            point(client, alias, identity)
        return BaseImage(alias, identity, None)
    return None


def _bundled(base: str, identity: str) -> str:
    """A name like those of other base images, so that listings and pruning know it."""
    return f"base-bundled-{base}-{identity[:12]}"


def _describes(file: Path) -> bool:
    return file.name.startswith("meta")
