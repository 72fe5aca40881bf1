"""Images of our project in Incus: list them, give Incus one, and let a name point at one.

Light to import: what knows how images are made is elsewhere.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.errors import ProviderError
from sandbox.providers.incus.client import ExistsError, IncusClient, api_path

KEY_PROPERTY = "sandbox.key"
"""Says which recipe an image was made by."""
COPY_S = 1800.0
"""Seconds that an image may take on its way to Incus, or from there."""


@dataclass(frozen=True)
class BaseImage:
    """A base image that Incus has."""

    alias: str
    """Its name in Incus, `base-debian-12-0123456789ab`: the base and the key."""
    fingerprint: str
    package_index_path: Path | None
    """The names of the packages its archive has, gzipped; None when nobody listed them."""

    @property
    def image(self) -> str:
        """The name for `MachineSpec.image`."""
        return self.alias


def our_images(client: IncusClient) -> list[dict[str, Any]]:
    """List the images of our project, as Incus describes them.

    Raises:
        HostError, ProviderError: Incus could not be asked.
    """
    images = client.query("GET", api_path("images"), parameters={"recursion": "1"})
    return list(images)


def point(client: IncusClient, alias: str, fingerprint: str) -> None:
    """Make `alias` mean the image `fingerprint`, whatever it meant before."""
    entry = {"name": alias, "target": fingerprint, "description": ""}
    try:
        client.query("POST", api_path("images", "aliases"), entry)
    except ExistsError:
        client.query(
            "PUT",
            api_path("images", "aliases", alias),
            {"target": fingerprint, "description": ""},
        )


def import_image(client: IncusClient, files: Sequence[Path], *properties: str) -> str:
    """Give files of an image to Incus, and return its fingerprint.

    Args:
        client: of our project.
        files: what describes the image, then its root; or both in one.
        properties: `KEY=VALUE`, instead of what the image says itself.

    Raises:
        HostError, ProviderError: Incus does not take them.
    """
    target = f"{client.place.remote}:"
    done = client.run("image", "import", *files, target, *properties, timeout_s=COPY_S)
    found = re.search(r"\b[0-9a-f]{64}\b", done.stdout + done.stderr)
    if found is None:
        raise ProviderError("Incus named no fingerprint", details=done.stdout + done.stderr)
    return found.group()
