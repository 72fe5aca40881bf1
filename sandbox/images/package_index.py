"""The packages in the archive of a base when its image was built."""

import gzip
from pathlib import Path
from typing import Protocol


class Indexed(Protocol):
    """An image of any provider."""

    @property
    def package_index_path(self) -> Path | None:
        """The names of the packages in its archive, gzipped; None when nobody listed them."""
        ...


def available_packages(image: Indexed) -> frozenset[str] | None:
    """Read the names of all packages of the base's archive at the build; None when not known."""
    if image.package_index_path is None:
        return None
    try:
        with gzip.open(image.package_index_path, "rt", encoding="utf-8") as lines:
            return frozenset(line.strip() for line in lines if line.strip())
    except (OSError, EOFError, ValueError):
        # Only for early messages: apt itself decides
        return None
