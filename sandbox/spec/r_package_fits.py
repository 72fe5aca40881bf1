"""Whether what a box says about its R packages fits together: a source, and the keys it reads."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sandbox.plain_file import is_of_the_kernel, not_a_file
from sandbox.spec.problem import Problem, code
from sandbox.spec.r import InstalledR, RPackages
from sandbox.spec.r_fits import Place, packages_place, r_places
from sandbox.spec.root import real
from sandbox.spec.source import Value

if TYPE_CHECKING:
    from sandbox.spec.semantics import BoxContext

_READ_BY: Final[dict[str, tuple[str, ...]]] = {
    "names": ("debian", "repository", "folder"),
    "repository": ("repository", "renv", "folder"),
    "date": ("repository", "renv", "folder"),
    "binary": ("repository", "renv", "folder"),
    "lock": ("renv",),
    "folder": ("folder",),
    "if_missing": ("debian", "repository"),
}
"""The sources that read each key."""
_NEEDED: Final = {
    "repository": ("repository", "Add `repository: https://packagemanager.posit.co/cran`"),
    "renv": ("lock", "Add `lock: renv.lock`, the file's path from here"),
    "folder": ("folder", "Add `folder: packages/`, the folder's path from here"),
}
_FIRST_SNAPSHOT: Final = date(2014, 9, 17)
"""No public snapshot of CRAN is older."""


def r_package_problems(context: "BoxContext") -> Iterator[Problem]:
    """List what does not fit in the packages of every R of the box."""
    r = context.box.r
    seen = set[Place]()
    for place, one in r_places(r) if r is not None else ():
        if r is None or one.packages is None:
            continue
        where = packages_place(r, place)
        if where not in seen:
            yield from _problems(context, one.packages, where)
            yield from _moving(context, one, where)
        seen.add(where)


def _moving(context: "BoxContext", one: InstalledR, loc: Place) -> Iterator[Problem]:
    packages = one.packages
    if one.is_moving and packages is not None and packages.source != "debian":
        message = f"R {one.version} is another R every day, and packages are built for one"
        suggestion = 'Name a full version of R, such as "4.4.1"'
        yield context.at(*loc, "source").problem(message, suggestion)


def _problems(context: "BoxContext", packages: RPackages, loc: Place) -> Iterator[Problem]:
    yield from _unread(context, packages, loc)
    yield from _not_said(context, packages, loc)
    yield from _date(context, packages, loc)
    if packages.lock is not None and packages.source == "renv":
        yield from _path(context, context.at(*loc, "lock"), is_folder=False)
    if packages.folder is not None and packages.source == "folder":
        yield from _path(context, context.at(*loc, "folder"), is_folder=True)


def _unread(context: "BoxContext", packages: RPackages, loc: Place) -> Iterator[Problem]:
    """Keys that mean nothing for this source: whoever wrote them believes otherwise."""
    for key, sources in _READ_BY.items():
        said = context.said.get(*loc, key)
        if said is None or said.content is None or packages.source in sources:
            continue
        if key == "if_missing" and said.content == "fail":
            continue
        if key == "names":
            message = "an renv.lock names its packages itself, and no others are installed"
            suggestion = "Remove `names`, or add the package to the lock with renv"
        else:
            message = f"{code(key)} means nothing for `source: {packages.source}`"
            suggestion = f"Make it `source: {sources[0]}`, or remove {code(key)}"
        yield context.at(*loc, key).problem(message, suggestion)


def _not_said(context: "BoxContext", packages: RPackages, loc: Place) -> Iterator[Problem]:
    key, suggestion = _NEEDED.get(packages.source, ("", ""))
    # A key with a wrong value is told of elsewhere, and is not absent
    if not key or not context.complete or context.said.get(*loc, key) is not None:
        return
    message = f"`source: {packages.source}` needs {code(key)}"
    yield context.at(*loc, "source").problem(message, suggestion)


def _date(context: "BoxContext", packages: RPackages, loc: Place) -> Iterator[Problem]:
    if packages.date is None:
        return
    value = context.at(*loc, "date")
    if context.complete and context.said.get(*loc, "repository") is None:
        message = "a date is that of a snapshot, and no repository is named"
        yield value.problem(message, "Add `repository: https://packagemanager.posit.co/cran`")
    try:
        day = date.fromisoformat(packages.date)
    except ValueError:
        yield value.problem(f"there is no day {code(packages.date)}")
        return
    if day < _FIRST_SNAPSHOT:
        yield value.problem(
            f"no repository has a snapshot of {code(packages.date)}",
            f"The first one is of {_FIRST_SNAPSHOT.isoformat()}",
        )


def _path(context: "BoxContext", value: Value, *, is_folder: bool) -> Iterator[Problem]:
    if (refusal := context.root.refusal(value)) is not None:
        yield refusal
        return
    path = value.as_path()
    if is_folder:
        if (wrong := _not_a_folder(path)) is not None:
            yield value.problem(f"no packages at {code(value.raw)}: {wrong}")
    elif (wrong := not_a_file(path)) is not None:
        suggestion = "In R, `renv::snapshot()` writes one"
        yield value.problem(f"no lock file at {code(value.raw)}: {wrong}", suggestion)


def _not_a_folder(path: Path) -> str | None:
    try:
        folder = real(path)
        if not folder.exists():
            return "there is no such folder"
        if not folder.is_dir() or is_of_the_kernel(folder):
            return "it is not a folder"
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        return f"it cannot be read: {getattr(error, 'strerror', error)}"
    return None
