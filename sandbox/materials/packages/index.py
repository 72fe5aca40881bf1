"""PACKAGES: what a repository has, read into records."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Self

from sandbox.materials.packages.dcf import as_text, records, unpacked
from sandbox.materials.packages.versions import Requirement, Version, requirements
from sandbox.spec.problem import alternatives

_NEEDS: Final = ("Depends", "Imports", "LinkingTo")


@dataclass(frozen=True, slots=True)
class IndexRecord:
    """A package in an index. Its fields are read when asked for: most records never are."""

    name: str
    version: str
    fields: Mapping[str, str]

    @property
    def needs(self) -> tuple[Requirement, ...]:
        """The packages, and the R, that it needs."""
        return requirements(*(self.fields.get(name, "") for name in _NEEDS))

    @property
    def is_binary(self) -> bool:
        """Whether the index says that it is compiled."""
        return bool(self.fields.get("Built"))

    @property
    def file(self) -> str:
        """The file's path below the index's folder."""
        name = self.fields.get("File") or f"{self.name}_{self.version}.tar.gz"
        return f"{path}/{name}" if (path := self.fields.get("Path", "").strip("/")) else name

    def fits(self, r_version: str) -> bool:
        """Tell whether it runs on that R, as far as it says."""
        return all(one.holds(r_version) for one in self.needs if one.name == "R")


class Index:
    """The records of a repository, by name."""

    def __init__(self, found: Iterable[IndexRecord]) -> None:
        self._by_name: dict[str, list[IndexRecord]] = defaultdict(list)
        for record in found:
            self._by_name[record.name].append(record)

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Read the bytes of PACKAGES or PACKAGES.gz.

        Raises:
            BrokenRecordsError: the compressed data is damaged.
        """
        return cls(_read(as_text(unpacked(data))))

    def __len__(self) -> int:
        return len(self._by_name)

    def versions(self, name: str) -> list[IndexRecord]:
        """List the records of a package, newest first."""
        found = self._by_name.get(name, [])
        return sorted(found, key=lambda one: Version(one.version), reverse=True)

    def newest(self, name: str, r_version: str) -> IndexRecord | None:
        """Find the newest version that says it runs on that R; None when there is none."""
        return next((one for one in self.versions(name) if one.fits(r_version)), None)

    def nearest(self, name: str) -> str:
        """Suggest the nearest name: ``Perhaps you meant `ggplot2`?``; empty if none is near."""
        known: dict[str, list[str]] = defaultdict(list)
        for one in self._by_name:
            known[one.lower()].append(one)
        found = get_close_matches(name.lower(), known, n=3, cutoff=0.75)
        names = [one for word in found for one in known[word]]
        return f"Perhaps you meant {alternatives(names)}?" if names else ""


def _read(text: str) -> Iterator[IndexRecord]:
    for fields in records(text):
        name, version = fields.get("Package", ""), fields.get("Version", "")
        try:
            Version(version)
        except ValueError:
            continue  # no R would install it either
        if name:
            yield IndexRecord(name, version, fields)
