"""The bases that boxes start from: the files of `boxes/_base`."""

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from sandbox.paths import data_dir
from sandbox.spec.models import Base
from sandbox.spec.problem import box_error
from sandbox.spec.source import read
from sandbox.spec.translate import problems_of

Bases = Mapping[str, Base]


def load_bases(folder: Path | None = None) -> Bases:
    """All bases by name, oldest first.

    Raises:
        InvalidBoxError: a base file is wrong.
    """
    folder = folder or data_dir("boxes") / "_base"
    bases = [load_base(path) for path in sorted(folder.glob("*.yml"))]
    return {base.name: base for base in bases}


def load_base(path: Path) -> Base:
    """One base file.

    Raises:
        InvalidBoxError: it is wrong.
    """
    parsed = read(path)
    if parsed.problems or parsed.top is None:
        raise box_error(parsed.problems, path)
    try:
        return Base.model_validate_json(json.dumps(parsed.top.plain()))
    except ValidationError as error:
        found = problems_of(error, parsed.top, Base)
        raise box_error(list(found.values()), path) from None


def gives_r(base: Base, wanted: str) -> bool:
    """Whether the base's R is the wanted version: "4.2" is any 4.2.x, "4.2.2" just that."""
    return base.r_version == wanted or base.r_version.startswith(f"{wanted}.")
