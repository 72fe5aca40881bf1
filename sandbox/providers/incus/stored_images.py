"""Base images in Incus: list them, find out which are outdated, and remove these.

A changed recipe is another image under another name; the older image stays until it is removed
here. Machines that were made from it do not need it.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.images.build_folder import clear_folder
from sandbox.paths import cache_dir
from sandbox.providers.incus.client import IncusClient, NotFoundError, api_path
from sandbox.providers.incus.project_images import KEY_PROPERTY

_ALIAS = re.compile(r"base-(?P<base>.+)-(?P<key>[0-9a-f]{12})")
_FRACTION = re.compile(r"\.[0-9]+")


@dataclass(frozen=True)
class OldBase:
    """A base image that Incus has."""

    name: str
    """Its alias, `base-debian-12-0123456789ab`."""
    base: str
    key: str
    fingerprint: str
    made_at: datetime
    used_at: datetime
    """When a machine was last made from it, or else when it came here."""
    size_bytes: int | None
    outdated: bool
    """There is a newer one of the same base."""


def base_images(client: IncusClient) -> tuple[OldBase, ...]:
    """List all our base images; empty where Incus is not set up.

    Raises:
        HostError, ProviderError: Incus could not be asked.
    """
    answer = client.query("GET", api_path("images"), parameters={"recursion": "1"})
    found = sorted(
        (base for image in answer for base in _read(image)),
        key=lambda base: base.made_at,
        reverse=True,
    )
    newest: dict[str, str] = {}
    for base in found:
        newest.setdefault(base.base, base.fingerprint)
    return tuple(
        OldBase(**{**vars(base), "outdated": newest[base.base] != base.fingerprint})
        for base in found
    )


def remove_base(client: IncusClient, base: OldBase) -> bool:
    """Remove an image, and the rest of its build; nothing ever needs it."""
    # Another command may be quicker
    with suppress(NotFoundError):
        client.query("DELETE", api_path("images", base.fingerprint), timeout_s=300)
    clear_folder(cache_dir() / "images" / base.key)
    return True


def built_keys(client: IncusClient) -> frozenset[str]:
    """Return the keys of the present images, each with a folder of its build on this host.

    Raises:
        HostError, ProviderError: Incus could not be asked.
    """
    return frozenset(base.key for base in base_images(client))


def _read(image: dict[str, Any]) -> Iterator[OldBase]:
    """The image as one of ours; empty for somebody else's."""
    names = [str(entry["name"]) for entry in image.get("aliases") or ()]
    matches = [found for name in names if (found := _ALIAS.fullmatch(name))]
    key = (image.get("properties") or {}).get(KEY_PROPERTY)
    if not matches:
        return
    made_at = _time(image.get("uploaded_at"))
    used_at = max(made_at, _time(image.get("last_used_at")))
    yield OldBase(
        name=matches[0][0],
        base=matches[0]["base"],
        key=str(key or matches[0]["key"]),
        fingerprint=str(image["fingerprint"]),
        made_at=made_at,
        used_at=used_at,
        size_bytes=int(image["size"]) if image.get("size") else None,
        outdated=False,
    )


def _time(text: object) -> datetime:
    """Read Incus's time: it has nanoseconds, and Python reads microseconds; year 1 means never."""
    try:
        return datetime.fromisoformat(_FRACTION.sub("", str(text))).astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.min.replace(tzinfo=UTC)
