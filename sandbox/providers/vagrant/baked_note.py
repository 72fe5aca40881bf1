"""The note of an image of VMs: one line, kept where its hypervisor keeps such things."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote, unquote

from sandbox.errors import ProviderError
from sandbox.providers.abilities import BakedImage
from sandbox.providers.moments import NEVER, moment_of
from sandbox.providers.sealing import IMAGE_PREFIX

_NOTE: Final = "made-by=sandbox-baked"
_NAME: Final = re.compile(rf"{IMAGE_PREFIX}([a-z0-9]+)-[0-9a-f]{{6}}")


def key_in(name: str) -> str | None:
    """Read the key in the name of an image; None when it is not the name of one."""
    found = _NAME.fullmatch(name)
    return found[1] if found else None


def require_whole(image: str, images: tuple[BakedImage, ...]) -> None:
    """Make sure that machines can be made from it.

    Raises:
        ProviderError: there is no image of that name, or only half of one.
    """
    if not any(one.image == image and one.complete for one in images):
        raise ProviderError(
            f"there is no baked image {image}", hint="sandbox cache list", details="it was removed"
        )


def can_go(image: str, images: Callable[[], tuple[BakedImage, ...]]) -> bool:
    """Tell whether there is such an image to remove.

    Raises:
        ProviderError: it is not a baked image of ours, or machines need it to run.
    """
    if key_in(image) is None:
        raise ProviderError(f"{image} is not a baked image of ours")
    found = next((one for one in images() if one.image == image), None)
    if found is not None and found.machines:
        raise ProviderError(
            f"{image} is still needed by machines",
            details=", ".join(found.machines),
            hint="sandbox destroy them first",
        )
    return found is not None


@dataclass(frozen=True)
class Draft:
    """An image in the making."""

    name: str
    key: str
    labels: tuple[tuple[str, str], ...]

    def note(self, made_at: datetime | None = None) -> str:
        """Write the note to keep with the image: unfinished without `made_at`."""
        pairs = [("key", self.key), ("complete", made_at.isoformat() if made_at else "")]
        words = (
            f"{quote(word, safe='')}={quote(text, safe='')}"
            for word, text in (*pairs, *self.labels)
        )
        return " ".join([_NOTE, *words])

    def finished(self, made_at: datetime) -> BakedImage:
        """Return the image that this draft became."""
        return BakedImage(self.name, self.key, made_at, complete=True, labels=self.labels)


@dataclass(frozen=True)
class Note:
    """The content of such a line."""

    key: str
    made_at: datetime | None
    labels: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, line: str) -> "Note | None":
        """Read the line; None when it is not an image's. Without a valid time it is unfinished."""
        words = line.split()
        if _NOTE not in words:
            return None
        pairs = (word.partition("=") for word in words if word != _NOTE)
        said = {unquote(word): unquote(text) for word, _, text in pairs}
        finished = said.pop("complete", "")
        return cls(
            key=said.pop("key", ""),
            made_at=moment_of(finished),
            labels=tuple(sorted(said.items())),
        )

    def image(
        self, name: str, *, there: bool, size_bytes: int | None, machines: tuple[str, ...]
    ) -> BakedImage:
        """Return the noted image of that name; unfinished when its disk is not `there`."""
        return BakedImage(
            image=name,
            key=self.key,
            made_at=self.made_at or NEVER,
            complete=self.made_at is not None and there,
            labels=self.labels,
            size_bytes=size_bytes,
            machines=machines,
        )
