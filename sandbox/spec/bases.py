"""The bases that boxes start from: the files of `boxes/_base`."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from sandbox.paths import data_dir
from sandbox.spec.base_models import Base
from sandbox.spec.problem import box_error
from sandbox.spec.source import read_source
from sandbox.spec.translate import problems_by_place

Bases = Mapping[str, Base]


class _Folder(Mapping[str, Base]):
    """The bases; each file is read when it is first asked for: most boxes need one of them."""

    def __init__(self, folder: Path) -> None:
        self._paths = {path.stem: path for path in sorted(folder.glob("*.yml"))}
        self._read: dict[str, Base] = {}

    def __getitem__(self, name: str) -> Base:
        if name not in self._read:
            self._read[name] = load_base(self._paths[name])
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def load_bases(folder: Path | None = None) -> Bases:
    """Load all bases by name, oldest first; each is named like its file.

    Asking for a base with a wrong file raises InvalidBoxError.
    """
    return _Folder(folder or data_dir("boxes") / "_base")


def load_base(path: Path) -> Base:
    """Read one base file.

    Raises:
        InvalidBoxError: it is wrong.
    """
    parsed = read_source(path)
    if parsed.problems or parsed.top is None:
        raise box_error(parsed.problems, path)
    try:
        return Base.model_validate_json(json.dumps(parsed.top.plain()))
    except ValidationError as error:
        found = problems_by_place(error, parsed.top, Base)
        raise box_error(list(found.values()), path) from None


def gives_r(base: Base, wanted: str) -> bool:
    """Tell whether the base's R is the wanted version: "4.2" is any 4.2.x, "4.2.2" only one."""
    return base.r_version == wanted or base.r_version.startswith(f"{wanted}.")
