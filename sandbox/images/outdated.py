"""Base images in Incus: which are there, which have been overtaken, and removing those.

A changed recipe is another image under another name; the one before it stays until it is removed
here. Machines that were made from it do not need it.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.engines.incus_client import IncusClient, NotFoundError, api_path
from sandbox.errors import SandboxError
from sandbox.images.build import KEY_PROPERTY
from sandbox.images.build_folder import sweep
from sandbox.locks import HeldError, hold_now
from sandbox.paths import cache_dir, vagrant_home

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
    """All of ours; none where Incus is not set up.

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


def remove_base(client: IncusClient, base: OldBase) -> None:
    """Remove an image, and what was kept of its build."""
    # Another command may be quicker
    with suppress(NotFoundError):
        client.query("DELETE", api_path("images", base.fingerprint), timeout_s=300)
    clear_folder(cache_dir() / "images" / base.key)


def stale_folders(client: IncusClient) -> tuple[Path, ...]:
    """Folders of builds whose image is gone from Incus and from Vagrant."""
    keys = {base.key for base in base_images(client)}
    boxes = vagrant_home() / "boxes"
    stale = []
    for folder in sorted((cache_dir() / "images").glob("*")):
        has_content = any(path.name != "lock" for path in folder.iterdir())
        is_needed = folder.name in keys or any(boxes.glob(f"sandbox-VAGRANTSLASH-*-{folder.name}"))
        if has_content and not is_needed and not is_held(folder):
            stale.append(folder)
    return tuple(stale)


def clear_folder(folder: Path) -> bool:
    """Remove what is in the folder of a build; False when a build is going on in it.

    The lock's file stays: somebody may be waiting at it.
    """
    with no_build_in(folder) as is_ours:
        if not is_ours or not folder.is_dir():
            return False
        empty_folder(folder)
    return True


def empty_folder(folder: Path) -> None:
    """Remove what is in the folder of a build, whose lock we hold, but for the lock."""
    sweep(folder)
    for path in folder.glob("*"):
        if path.name == "lock":
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def no_build_in(folder: Path) -> Iterator[bool]:
    """Hold the lock of builds in `folder`, so that none begins; False when one is going on."""
    if not folder.is_dir():
        yield True
        return
    try:
        lock = hold_now(folder / "lock")
    except HeldError:
        yield False
        return
    with lock:
        yield True


def is_held(folder: Path) -> bool:
    """Whether a build goes on in it."""
    with no_build_in(folder) as is_ours:
        return not is_ours


def _read(image: dict[str, Any]) -> Iterator[OldBase]:
    """The image as one of ours; nothing for somebody else's."""
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
    """Incus writes nanoseconds, of which Python reads microseconds; and the year 1 for never."""
    try:
        return datetime.fromisoformat(_FRACTION.sub("", str(text))).astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.min.replace(tzinfo=UTC)


def bases_or_none(client: IncusClient) -> tuple[OldBase, ...] | None:
    """As `base_images`; None when Incus cannot be asked."""
    try:
        return base_images(client)
    except SandboxError:
        return None
