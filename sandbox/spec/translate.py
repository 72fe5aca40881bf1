"""Turn pydantic's errors into plain words, each with its place in the file.

The code uses the error's `type`, which pydantic documents, never its message.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Annotated, Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sandbox.spec.misfit import MISFIT
from sandbox.spec.models import Box
from sandbox.spec.not_there import Refusal, key_refusal, package_refusal, source_refusal
from sandbox.spec.problem import Problem, alternatives, code, near
from sandbox.spec.source import Value
from sandbox.spec.texts import PATTERN_WORDS
from sandbox.spec.values import UNION_TAGS, Secret

Loc = tuple[str | int, ...]

_EXPECTED: Final = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number of a sensible size",
    "float_type": "a number",
    "bool_type": "`true` or `false`",
    "tuple_type": "a list",
    "dict_type": "a map of keys and values",
    "model_type": "a map of keys and values",
    "model_attributes_type": "a map of keys and values",
}
_BOUNDS: Final = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
_SECRET = "PRIVATE KEY"  # noqa: S105  (the marker, not a secret)


@dataclass(frozen=True)
class FieldPlace:
    """The place of an error, in terms of the file."""

    loc: Loc
    missing: bool
    """The last step of `loc` should be there, and is not."""
    may_be_cured_above: bool
    """What the box extends can say something by which this is right."""


def problems_by_place(
    error: ValidationError, top: Value, model: type[BaseModel]
) -> dict[FieldPlace, Problem]:
    """Group the error's details to one problem for each place."""
    grouped: dict[FieldPlace, list[ErrorDetails]] = {}
    for details in error.errors(include_url=False):
        grouped.setdefault(_place(details, top), []).append(details)
    return {place: _problem(place.loc, group, top, model) for place, group in grouped.items()}


def _place(details: ErrorDetails, top: Value) -> FieldPlace:
    """The error's `loc` without pydantic's own steps: `[key]`, and the members of a union."""
    place: list[str | int] = []
    steps = details["loc"]
    if details["type"] == MISFIT:
        # The model knows which of its values it is about
        steps = (*steps, details["ctx"]["key"])
    for step in steps:
        if step in UNION_TAGS:
            continue
        if top.get(*place, step) is None:
            break
        place.append(step)
    missing = details["type"] == "missing"
    if missing:
        place.append(details["loc"][-1])
    cured = missing or details["type"] == MISFIT
    return FieldPlace(tuple(place), missing, cured)


def _problem(loc: Loc, group: list[ErrorDetails], top: Value, model: type[BaseModel]) -> Problem:
    details = group[0]
    kind = details["type"]
    value = top.nearest(loc)
    if kind == "extra_forbidden":
        return _unknown_key(loc, value, model)
    if kind == "missing":
        key = f"{value.key}.{loc[-1]}" if value.key else str(loc[-1])
        what = f"in {code(value.key)}" if value.key else "in the box"
        return value.problem(f"{code(str(loc[-1]))} is missing {what}", key=key)
    if _SECRET in value.raw:
        return private_key_problem(value)
    if len(group) > 1:
        # Each member of a union says what it wanted. For a wrong text, the text member says more
        worded = [entry for entry in group if entry["type"] not in _EXPECTED]
        if not worded:
            return value.problem(f"expected text, a number, `true` or `false`, not {_here(value)}")
        details = worded[0]
    if model is Box and (refusal := _refusal(loc, kind, value)) is not None:
        return value.problem(refusal.message, refusal.suggestion)
    return _wrong_value(details, value)


def _refusal(loc: Loc, kind: str, value: Value) -> Refusal | None:
    """A request that a box cannot make, where saying so helps more than naming wrong letters."""
    if loc[:3] == ("r", "packages", "names"):
        if isinstance(value.content, dict):
            words = f"{code('names')} takes only names, and this is a map of keys and values"
            return Refusal(words, "Versions come from an renv.lock: `source: renv`")
        is_list = len(loc) == len(("r", "packages", "names"))
        return (
            package_refusal(value.raw) if isinstance(value.content, str) and not is_list else None
        )
    return source_refusal(loc) if kind == "literal_error" else None


def private_key_problem(value: Value) -> Problem:
    """Make the problem of a secret in the file. Never shows the secret."""
    return value.problem(
        "this is a private key, which must never be in a box file",
        "Put the public one there (the .pub file), and treat the private one as no longer secret",
    )


def _wrong_value(details: ErrorDetails, value: Value) -> Problem:
    kind = details["type"]
    context: Mapping[str, Any] = details.get("ctx", {})
    if details["loc"][-1:] == ("[key]",):
        words = PATTERN_WORDS.get(context.get("pattern", ""), "a shorter name")
        return value.problem(f"the key must be {words}")
    if kind in _EXPECTED:
        return value.problem(f"expected {_EXPECTED[kind]}, not {_here(value)}", _cure(kind, value))
    if kind in _BOUNDS:
        words, name = _BOUNDS[kind]
        return value.problem(f"{code(value.raw)} is out of range: {words} {context[name]}")
    worded = _WORDED.get(kind)
    if worded is not None:
        return worded(value, context)
    return value.problem(f"{_here(value)} is not valid here ({kind})")


def _pattern(value: Value, context: Mapping[str, Any]) -> Problem:
    words = PATTERN_WORDS.get(context["pattern"], "something else")
    return value.problem(f"expected {words}, not {_here(value)}")


def _literal(value: Value, context: Mapping[str, Any]) -> Problem:
    known = [word.strip("'") for word in context["expected"].replace(" or ", ", ").split(", ")]
    message = f"expected {alternatives(known)}, not {_here(value)}"
    return value.problem(message, near(value.raw, known, most=1))


def _too_long(value: Value, context: Mapping[str, Any]) -> Problem:
    return value.problem(f"longer than {context['max_length']} characters")


def _too_short(value: Value, _: Mapping[str, Any]) -> Problem:
    return value.problem("this is empty")


def _misfit(value: Value, context: Mapping[str, Any]) -> Problem:
    return value.problem(context["message"], context["suggestion"])


_WORDED: Final[dict[str, Callable[[Value, Mapping[str, Any]], Problem]]] = {
    "string_pattern_mismatch": _pattern,
    "string_too_long": _too_long,
    "string_too_short": _too_short,
    "literal_error": _literal,
    MISFIT: _misfit,
}


def _here(value: Value) -> str:
    """The value in the file, in words."""
    match value.content:
        case None:
            return "nothing"
        case dict():
            return "a map of keys and values"
        case list():
            return "a list"
        case bool():
            return f"{code(value.raw)} (true or false)"
        case int() | float():
            return f"the number {code(value.raw)}"
        case str():
            return f"the text {code(value.raw)}"


def _cure(kind: str, value: Value) -> str:
    content = value.content
    if content is None:
        return "Give it a value, or remove the key"
    if kind == "string_type" and not isinstance(content, dict | list):
        return f'Put it in quotes: "{value.raw}"'
    if kind == "tuple_type" and isinstance(content, str):
        return f"Write it as a list: [{code(value.raw).strip('`')}]"
    if kind.startswith(("int", "float")) and isinstance(content, str):
        number = value.raw.strip()
        if value.quoted and number.isascii() and number.replace(".", "", 1).isdigit():
            return f"Write it without quotes: {number}"
    if kind == "bool_type" and isinstance(content, str):
        word = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(value.raw.lower())
        return f"Perhaps you meant `{word}`?" if word else ""
    return ""


def _unknown_key(loc: Loc, value: Value, model: type[BaseModel]) -> Problem:
    name = str(loc[-1])
    if model is Box and (refusal := key_refusal(loc)) is not None:
        return value.problem(refusal.message, refusal.suggestion)
    section = model_at(model, loc[:-1])
    known = list(section.model_fields) if section else []
    suggestion = near(name, known, most=2)
    if not suggestion and model is Box and len(homes := _homes(Box).get(name, ())) == 1:
        suggestion = f"It belongs under {code(homes[0])}" if homes[0] else "It belongs at the top"
    if not suggestion and known:
        suggestion = f"Known here: {', '.join(sorted(known))}"
    return value.problem(f"unknown key {code(name)}", suggestion)


def model_at(model: type[BaseModel], loc: Loc) -> type[BaseModel] | None:
    """Find the model for the value at `loc`; None when there is no model."""
    found: Any = model
    for step in loc:
        if isinstance(step, int):
            found = get_args(found)[0] if get_origin(found) is tuple else None
        elif get_origin(found) is dict:
            # Instead of a value there may be one object that has keys
            found = Secret
        else:
            fields = getattr(found, "model_fields", {})
            found = _unwrap(fields[step].annotation) if step in fields else None
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def _unwrap(annotation: Any) -> Any:  # noqa: ANN401  (annotations are of any type)
    members = [member for member in get_args(annotation) if member is not NoneType]
    optional = NoneType in get_args(annotation)
    found = members[0] if optional and members else annotation
    choices = get_args(get_args(found)[0]) if get_origin(found) is Annotated else ()
    # Of a value or a secret, only the secret has keys
    return Secret if any(get_args(choice)[:1] == (Secret,) for choice in choices) else found


@cache
def _homes(model: type[BaseModel], above: str = "") -> dict[str, tuple[str, ...]]:
    """For each key of the format, the sections that have it."""
    homes: dict[str, tuple[str, ...]] = {}
    for name, field in model.model_fields.items():
        homes[name] = (*homes.get(name, ()), above)
        inner = _unwrap(field.annotation)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            section = f"{above}.{name}" if above else name
            for key, places in _homes(inner, section).items():
                homes[key] = (*homes.get(key, ()), *places)
    return homes
