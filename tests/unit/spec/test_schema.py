"""The JSON Schema: current, described, and of one mind with the loader."""

import json
import re
from typing import Any

import pytest

from sandbox.paths import data_dir
from sandbox.spec.bases import load_bases
from sandbox.spec.schema import SCHEMA_FILE, box_schema, models_below, schema_text
from sandbox.spec.values import Model
from tests.schema_patterns import patterns


def test_the_schema_beside_the_boxes_is_current() -> None:
    checked_in = (data_dir("boxes") / SCHEMA_FILE).read_text()
    assert checked_in == schema_text(), "run: sandbox schema > boxes/box.schema.json"


def sections() -> dict[str, dict[str, Any]]:
    schema = box_schema()
    return {"Box": schema, **schema["$defs"]}


def test_every_key_of_every_section_is_described() -> None:
    missing = [
        f"{name}.{key}"
        for name, section in sections().items()
        for key, rule in section["properties"].items()
        if not rule.get("description")
    ]
    assert missing == []


def test_unknown_keys_are_refused_everywhere() -> None:
    assert [
        name for name, section in sections().items() if section["additionalProperties"] is not False
    ] == []


def test_the_schema_has_every_field_of_the_models() -> None:
    models = {model.__name__: model for model in models_below(Model)}
    for name, section in sections().items():
        assert list(section["properties"]) == list(models[name].model_fields)


def test_null_takes_back_what_a_parent_said() -> None:
    machine = box_schema()["properties"]["machine"]
    assert {"type": "null"} in machine["anyOf"]


def test_it_is_json() -> None:
    assert json.loads(schema_text())["$schema"].endswith("/2020-12/schema")


_JAVASCRIPT = re.compile(
    r"""\\(?:[\^$\\.*+?()\[\]{}|/bBdDsSwWfnrtv0-]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})"""
)
"""The escapes of ECMA-262 with the flag `u`; any other makes the schema invalid."""


def not_of_javascript(pattern: str) -> bool:
    rest = _JAVASCRIPT.sub("", pattern)
    return "\\" in rest or bool(re.search(r"\(\?(?![:=!]|<[=!a-zA-Z])", rest))


@pytest.mark.parametrize("pattern", [r"a\Z", r"\A", r"[\"]", r"\'", r"(?P<a>b)", r"(?i)a"])
def test_what_javascript_refuses_is_found(pattern: str) -> None:
    assert not_of_javascript(pattern)


def test_every_pattern_is_one_of_javascript_too() -> None:
    every = set(patterns(box_schema()))
    assert len(every) > 10
    assert [one for one in every if not_of_javascript(one)] == []


def test_a_base_is_completed_and_not_narrowed() -> None:
    named, free, nothing = box_schema()["properties"]["base"]["anyOf"]
    assert named == {"enum": list(load_bases())}
    assert free["type"] == "string"
    assert nothing == {"type": "null"}
