"""The kinds of files that users write, and our own files of each."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.paths import data_dir
from sandbox.spec.models import Box
from sandbox.spec.workshop import Workshop

LOCK_SUFFIX: Final = ".lock.yml"
"""What a box's lock ends with: next to its box, and no box."""


@dataclass(frozen=True)
class FileKind:
    """A kind of file that users write, and by what one is known to be meant as such."""

    word: str
    """box, workshop."""
    says: str
    """What each such file says."""
    keys: Collection[str]
    """Of its top map."""
    signs: tuple[str, ...]
    """Keys of which each such file has one."""
    many: str
    """The word for several: boxes."""
    shipped: Callable[[], list[Path]] = list
    """Lists our own files of this kind."""

    @property
    def empty(self) -> str:
        """The problem with an empty file."""
        return f"it is empty; a {self.word} says at least {self.says}"


def shipped_boxes() -> list[Path]:
    """List our own boxes."""
    found = sorted(data_dir("boxes").glob("*.yml"))
    return [path for path in found if not path.name.endswith(LOCK_SUFFIX)]


BOX_FILE: Final = FileKind(
    "box",
    "`version: 1` and `base: debian-12`",
    tuple(Box.model_fields),
    ("base", "extends"),
    "boxes",
    shipped_boxes,
)

WORKSHOP_SUFFIX: Final = ".workshop.yml"
"""What the name of a workshop file ends with; a folder's boxes are told apart by it."""
WORKSHOP_FILE: Final = FileKind(
    "workshop",
    "`version: 1`, `box:` and `seats:`",
    tuple(Workshop.model_fields),
    ("box", "seats", "roster", "extends"),
    "workshops",
)
