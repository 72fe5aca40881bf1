"""Whether the settings of Shiny Server fit each other, the box's apps and the base's version."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sandbox.spec.problem import Problem, alternatives, code
from sandbox.spec.shiny_directives import DIRECTIVES, PACKAGED, knows
from sandbox.spec.shiny_server import ShinyLocation, ShinyServer, ShinySettings

if TYPE_CHECKING:
    from sandbox.spec.semantics import BoxContext

_Loc = tuple[str | int, ...]
_AT: _Loc = ("services", "shiny_server")


def shiny_problems(context: "BoxContext") -> Iterator[Problem]:
    """Yield what does not fit."""
    shiny = context.box.services.shiny_server
    if shiny is None:
        return
    for loc, block in _blocks(shiny):
        yield from _too_new(context, loc, block)
        yield from _as_root(context, loc, block)
    for loc, locations in _lists(shiny):
        yield from _locations(context, loc, locations)


def _blocks(shiny: ShinyServer) -> Iterator[tuple[_Loc, ShinySettings]]:
    """Everything that has settings, with its place."""
    yield _AT, shiny
    for index, site in enumerate(shiny.servers or ()):
        yield (*_AT, "servers", index), site
    for loc, locations in _lists(shiny):
        for index, location in enumerate(locations):
            yield (*loc, index), location


def _lists(shiny: ShinyServer) -> Iterator[tuple[_Loc, tuple[ShinyLocation, ...]]]:
    """The locations of each server, with their place."""
    yield (*_AT, "locations"), shiny.locations or ()
    for index, site in enumerate(shiny.servers or ()):
        yield (*_AT, "servers", index, "locations"), site.locations


def _too_new(context: "BoxContext", loc: _Loc, block: ShinySettings) -> Iterator[Problem]:
    base = context.base
    version = PACKAGED.get(base.suite) if base is not None else None
    if base is None or version is None:
        return
    for name, directive in DIRECTIVES.items():
        if getattr(block, name, None) is not None and not knows(version, directive):
            message = f"Shiny Server of {base.name} is {version}, and knows no {code(name)}"
            suggestion = f"Leave it out: it came with version {directive.since}"
            yield context.at(*loc, name).problem(message, suggestion)


def _as_root(context: "BoxContext", loc: _Loc, block: ShinySettings) -> Iterator[Problem]:
    if block.run_as is not None and "root" in block.run_as.split():
        message = "apps cannot run as root: what an app can be talked into is then done as root"
        suggestion = "Name an account of their own, such as shiny"
        yield context.at(*loc, "run_as").problem(message, suggestion)


def _locations(
    context: "BoxContext", loc: _Loc, locations: tuple[ShinyLocation, ...]
) -> Iterator[Problem]:
    first: dict[str, int] = {}
    of_apps = loc == (*_AT, "locations")
    apps = [app.name for app in context.box.apps]
    for index, location in enumerate(locations):
        bare = location.path.rstrip("/") or "/"
        value = context.at(*loc, index, "path")
        if bare == "/" and of_apps:
            message = "the apps of the box are at this place"
            yield value.problem(message, "Settings for them stand beside `port`")
        elif of_apps and (name := bare.removeprefix("/")) in apps and location.app != name:
            message = f"the app {code(name)} of the box is at this place"
            yield value.problem(message, f"Write `app: {name}` to give it settings of its own")
        if bare in first:
            where = context.at(*loc, first[bare], "path").line
            yield value.problem(f"another location is at {code(bare)} (line {where})")
        first.setdefault(bare, index)
        if location.app is not None and location.app not in apps and context.complete:
            suggestion = f"The box has {alternatives(apps)}" if apps else "Name it in `apps`"
            message = f"the box has no app {code(location.app)}"
            yield context.at(*loc, index, "app").problem(message, suggestion)
