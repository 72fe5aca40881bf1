"""A model made from a file; where values are wrong, from the rest, so that all is told at once."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from sandbox.spec.extending import Gathered
from sandbox.spec.problem import Problem
from sandbox.spec.source import Value
from sandbox.spec.translate import FieldPlace, problems_by_place

_ROUNDS: Final = 10
"""How often wrong values are taken out until the rest is valid."""

M = TypeVar("M", bound=BaseModel)


def valid_part(gathered: Gathered, model: type[M]) -> tuple[M | None, Value, list[Problem]]:
    """Make the model; return it, the values that it is made of, and what is wrong with the others.

    None for the model when even the rest cannot be read.
    """
    assert gathered.top is not None  # noqa: S101  (for mypy: the caller looked)
    top = gathered.top
    problems = list(gathered.problems)
    for round_number in range(_ROUNDS):
        try:
            return model.model_validate_json(json.dumps(top.plain())), top, problems
        except ValidationError as error:
            found = problems_by_place(error, top, model)
            if round_number == 0:  # later problems are caused by the removed values
                problems += [
                    problem
                    for place, problem in found.items()
                    if gathered.complete or not place.may_be_cured_above
                ]
            top = _without(top, found)
    return None, top, problems


def _without(top: Value, wrong: Iterable[FieldPlace]) -> Value:
    """The tree without its wrong values, so that the rest can be checked."""
    doomed = set[int]()
    for place in wrong:
        if place.loc == ("version",):
            content = top.content if isinstance(top.content, dict) else {}
            top = replace(top, content={**content, "version": replace(top, content=1)})
        else:
            doomed.add(id(top.get(*(place.loc[:-1] if place.missing else place.loc))))
    return _pruned(top, doomed)


def _pruned(value: Value, doomed: set[int]) -> Value:
    if isinstance(value.content, dict):
        kept = {key: item for key, item in value.content.items() if id(item) not in doomed}
        content = {key: _pruned(item, doomed) for key, item in kept.items()}
        return replace(value, content=content)
    if isinstance(value.content, list):
        items = [_pruned(item, doomed) for item in value.content if id(item) not in doomed]
        return replace(value, content=items)
    return value
