"""A model that itself finds what does not fit together says so at a line, in its own words."""

import json
from typing import Self

import pytest
from pydantic import ValidationError, model_validator

from sandbox.spec.misfit import misfit
from sandbox.spec.source import read_source
from sandbox.spec.translate import problems_by_place
from sandbox.spec.values import Model
from tests.unit.spec.conftest import Write


class Range(Model):
    """Two numbers, the second not below the first."""

    least: int = 0
    most: int = 9

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if self.most < self.least:
            raise misfit("most", "`most` is below `least`", f"Say at least {self.least}")
        return self


class Top(Model):
    """Holds one, and may itself find something."""

    range: Range = Range()
    wrong: bool = False

    @model_validator(mode="after")
    def _is_right(self) -> Self:
        if self.wrong:
            raise misfit("wrong", "this is wrong")
        return self


def said(write: Write, text: str) -> list[str]:
    top = read_source(write(text)).top
    assert top is not None
    with pytest.raises(ValidationError) as caught:
        Top.model_validate_json(json.dumps(top.plain()))
    found = problems_by_place(caught.value, top, Top).values()
    return [str(problem).split("\n")[0] for problem in found]


def test_it_is_told_at_the_value_that_it_is_about(write: Write) -> None:
    assert said(write, "range:\n  least: 5\n  most: 3\n") == [
        "box.yml:3: range.most: `most` is below `least`. Say at least 5"
    ]


def test_what_is_not_said_is_told_at_what_is_around_it(write: Write) -> None:
    assert said(write, "range:\n  least: 10\n") == [
        "box.yml:1: range: `most` is below `least`. Say at least 10"
    ]


def test_the_whole_can_find_something_too(write: Write) -> None:
    assert said(write, "wrong: true\n") == ["box.yml:1: wrong: this is wrong"]
