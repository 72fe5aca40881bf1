"""Whether the APIs of a box are there, and fit its R and each other."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from sandbox.plain_file import NO_SUCH_FILE, not_a_file
from sandbox.spec.problem import Problem, code, short

if TYPE_CHECKING:
    from sandbox.spec.plumber import Place, PlumberApi
    from sandbox.spec.semantics import BoxContext

PACKAGE: Final = "plumber"


def plumber_problems(context: "BoxContext") -> Iterator[Problem]:
    """Yield what does not fit; sandbox.spec.semantics looks at the files of each folder."""
    plumber = context.box.services.plumber
    if plumber is None:
        return
    if context.box.r is None and context.absent("r"):
        value = context.at("services", "plumber")
        yield value.problem(
            "plumber needs R, and this box has none", "Add `r: {}` for the R of the base"
        )
    yield from _r_without_plumber(context)
    names = {app.name for app in context.box.apps}
    for loc, api in plumber.placed:
        if api.name in names:
            message = f"another app or API is called {code(api.name)}"
            cure = "Give it a name of its own, as one of `apis`: commands name both"
            yield context.at(*loc, "name").problem(message, cure)
        names.add(api.name)
        yield from _file(context, loc, api)


def _r_without_plumber(context: "BoxContext") -> Iterator[Problem]:
    """Debian's plumber is in Debian's R only; what a lock file or a folder has is not known."""
    r = context.box.r
    if r is None or r.default.source == "debian":
        return
    packages = r.default_packages
    if packages.source in {"renv", "folder"} or PACKAGE in packages.names:
        return
    value = context.at("services", "plumber")
    message = (
        f"its APIs run in the default R, {r.default_version} of Posit's, and the package "
        f"{code(PACKAGE)} is not among the packages of that R"
    )
    cure = f"Add {code(PACKAGE)} to them, from a `source:` other than Debian"
    yield value.problem(message, cure)


def _file(context: "BoxContext", loc: "Place", api: "PlumberApi") -> Iterator[Problem]:
    folder = context.at(*loc, "path")
    if context.root.refusal(folder) is not None:
        return
    value = context.at(*loc, "file")
    if api.file.startswith("/") or ".." in api.file.split("/"):
        yield value.problem(f"{code(api.file)} is not below `path`", "Name a file in that folder")
        return
    path = folder.as_path() / api.file
    if (wrong := not_a_file(path)) is not None:
        what = "there is no such file" if wrong == NO_SUCH_FILE else wrong
        suggestion = "Say `file:` when it has another name than plumber.R"
        message = f"no API at {code(api.file)}: {what} ({short(path)})"
        yield value.problem(message, suggestion)
