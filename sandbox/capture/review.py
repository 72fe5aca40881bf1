"""The values that were not taken from a server: each one's name, place, length, and the reason."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sandbox.facts.facts import Facts
from sandbox.facts.subjects.configs import Configs
from sandbox.facts.subjects.environment import SESSION_VARIABLES
from sandbox.facts.subjects.options import COSMETIC_OPTIONS
from sandbox.facts.subjects.r import RInstallations
from sandbox.facts.subjects.units import Units
from sandbox.probe.known import Kind, knows
from sandbox.probe.untaken import is_untaken, length_of


@dataclass(frozen=True)
class NotTaken:
    """A value that stayed on the server."""

    name: str
    """The name that `capture --take` uses."""
    place: str
    """`the environment`, `R's options`, `/etc/rstudio/rserver.conf`"""
    length: str
    """`9-16`: the length in characters."""
    why: str


def not_taken(facts: Facts) -> tuple[NotTaken, ...]:
    """List each value that was not taken once, in the order in which a person looks for them."""
    found = {(one.name, one.place): one for one in _all(facts)}
    return tuple(found.values())


def _all(facts: Facts) -> Iterator[NotTaken]:
    for r in facts[RInstallations]:
        for view in r.views:
            yield from _of(view.environment, "env", "the environment of R")
            yield from _of(view.options, "option", "R's options")
            yield from _of(view.repos, "repo", "R's repositories")
    for config in facts.get(Configs) or ():
        yield from _of(config.settings, _kind(config.path), config.path)
    for unit in facts.get(Units) or ():
        yield from _of(unit.settings, "unit", unit.name)


def _kind(path: str) -> Kind:
    if path.endswith(("/environment", "Renviron", "Renviron.site")):
        return "env"
    if "/rstudio" in path:
        return "rstudio"
    return "odbc" if path.endswith("odbc.ini") else "option"


def _of(values: Mapping[str, str], kind: Kind, place: str) -> Iterator[NotTaken]:
    for key, value in values.items():
        if not is_untaken(value):
            continue
        name = key.rpartition(".")[2] if kind in ("odbc", "rstudio") else key
        of_kind: Kind = "env" if key.startswith("Environment.") else kind
        name = name.removeprefix("Environment.")
        if not _is_of_no_use(of_kind, name):
            yield NotTaken(name, place, length_of(value), _why(of_kind, name))


def _is_of_no_use(kind: Kind, name: str) -> bool:
    """Whether nobody misses this name: it belongs to one session, or to how R shows things."""
    if kind == "env":
        return SESSION_VARIABLES.fullmatch(name) is not None
    return kind == "option" and COSMETIC_OPTIONS.fullmatch(name) is not None


def _why(kind: Kind, name: str) -> str:
    if name.startswith(("line ", "expression ")):
        return "a part of it is not known"
    if knows(kind, name):
        return f"it does not look as {name} usually does"
    return "nothing is known of that name"
