"""Secrets, which a box names without a value (`{secret: NAME}`): the names and the values.

The values are only in memory, from the moment `up` gets them until the machine has them. The plan,
its record, rendered files, logs and images hold the names.
"""

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NoReturn, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from sandbox.plan import Plan
from sandbox.spec.texts import PATTERN_WORDS, HttpUrl, RepoUrl, Text
from sandbox.spec.values import Secret

_LAZY = ConfigDict(defer_build=True)
Kind = Literal["text", "repository", "proxy"]
"""The rule for a value, at the place where the box uses it."""

_TYPES: Final[dict[Kind, TypeAdapter[str]]] = {
    "text": TypeAdapter(Text, config=_LAZY),
    "repository": TypeAdapter(RepoUrl, config=_LAZY),
    "proxy": TypeAdapter(HttpUrl, config=_LAZY),
}
_SHORTEST_HIDDEN = 4
"""Shorter values stand in any text by chance; hiding them would only make it unreadable."""
Plain = TypeVar("Plain")


@dataclass(frozen=True)
class NeededSecret:
    """A value that a plan needs and does not hold."""

    name: str
    places: tuple[str, ...]
    """Where the box names it: `system.environment.SALES_DB`."""
    kinds: frozenset[Kind]

    def trouble_with(self, value: str) -> str | None:
        """Say why a value cannot stand there, without showing the value; None when it can."""
        if not value:
            return "it is empty"
        for kind in sorted(self.kinds):
            try:
                _TYPES[kind].validate_python(value, strict=True)
            except ValidationError as error:
                details = error.errors(include_url=False, include_input=False)[0]
                limits = details.get("ctx", {})
                if "max_length" in limits:
                    return f"it is longer than {limits['max_length']} characters"
                return f"it is not {PATTERN_WORDS.get(limits.get('pattern', ''), 'valid there')}"
        return None


def needed_secrets(plan: Plan) -> tuple[NeededSecret, ...]:
    """List the secrets that the plan names, in the order of their names."""
    found: dict[str, list[tuple[str, Kind]]] = {}
    for place, kind, secret in _named(plan):
        found.setdefault(secret.secret, []).append((place, kind))
    return tuple(
        NeededSecret(name, tuple(place for place, _ in uses), frozenset(kind for _, kind in uses))
        for name, uses in sorted(found.items())
    )


def _named(plan: Plan) -> Iterator[tuple[str, Kind, Secret]]:
    places: list[tuple[str, Kind, object]] = [("system.proxy", "proxy", plan.system.proxy)]
    places += [
        (f"system.environment.{name}", "text", value)
        for name, value in plan.system.environment.items()
    ]
    if plan.r is not None:
        places += [(f"r.options.{name}", "text", one) for name, one in plan.r.options.items()]
        places += [(f"r.repos.{name}", "repository", one) for name, one in plan.r.repos.items()]
    for place, kind, value in places:
        if isinstance(value, Secret):
            yield place, kind, value


def secret_targets(plan: Plan) -> frozenset[str]:
    """Return the variables, options and repositories that hold a secret on the machine."""
    return frozenset(
        place.split(".", 2)[2]
        for one in needed_secrets(plan)
        for place in one.places
        if place != "system.proxy"
    )


def without_secrets(plan: Plan) -> Plan:
    """Return the plan of a machine that differs only in what the secrets' values change."""

    def plain(values: Mapping[str, Plain | Secret]) -> dict[str, Plain]:
        return {name: one for name, one in values.items() if not isinstance(one, Secret)}

    system, r = plan.system, plan.r
    proxy = None if isinstance(system.proxy, Secret) else system.proxy
    system = system.model_copy(update={"environment": plain(system.environment), "proxy": proxy})
    if r is not None:
        r = r.model_copy(update={"options": plain(r.options), "repos": plain(r.repos)})
    return plan.model_copy(update={"system": system, "r": r})


class SecretValues:
    """The secrets' values by name. Nothing that shows or saves an object shows or saves a value."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = dict(values or {})

    def __repr__(self) -> str:
        """Leave out the values: the text could end in a log."""
        return f"SecretValues({', '.join(sorted(self._values))})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("the values of secrets are never saved")

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Each name and its value."""
        return iter(self._values.items())

    def __bool__(self) -> bool:
        return bool(self._values)

    def lacks(self, needed: Iterable[NeededSecret]) -> tuple[NeededSecret, ...]:
        """List the needed secrets that have no value."""
        return tuple(one for one in needed if one.name not in self._values)

    def of(self, planned: Plain | Secret) -> Plain | str:
        """Return the text a machine gets for a planned value; a placeholder without a value."""
        if not isinstance(planned, Secret):
            return planned
        return self._values.get(planned.secret, str(planned))

    def hide(self, text: str) -> str:
        """Put names in place of the values in `text`, also as shells, JSON and R write them."""
        for name, value in sorted(self._values.items(), key=lambda one: -len(one[1])):
            if len(value) < _SHORTEST_HIDDEN:
                continue
            for form in dict.fromkeys(
                (shlex.quote(value), json.dumps(value)[1:-1], repr(value)[1:-1], value)
            ):
                text = text.replace(form, str(Secret(secret=name)))
        return text


NO_VALUES: Final = SecretValues()
"""The text that is shown in place of a value: its name."""
