"""The JSON Schema: current, described, and of one mind with the loader."""

import json
from typing import Any

from pydantic import BaseModel

from sandbox.paths import data_dir
from sandbox.spec import models
from sandbox.spec.schema import SCHEMA_FILE, box_schema, schema_text


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
    for name, section in sections().items():
        model: type[BaseModel] = getattr(models, name)
        assert list(section["properties"]) == list(model.model_fields)


def test_null_takes_back_what_a_parent_said() -> None:
    machine = box_schema()["properties"]["machine"]
    assert {"type": "null"} in machine["anyOf"]


def test_it_is_json() -> None:
    assert json.loads(schema_text())["$schema"].endswith("/2020-12/schema")
