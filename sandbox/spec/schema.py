"""The JSON Schema of box files, for editors: made from the models, and kept in `boxes/`."""

import ast
import inspect
import json
import sys
from collections.abc import Iterator
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from sandbox.spec.bases import load_bases
from sandbox.spec.models import Box
from sandbox.spec.values import Model

SCHEMA_FILE = "box.schema.json"
_ITEMS = frozenset({"App", "User", "PlumberApi", "ShinyLocation", "ShinySite"})

Json = dict[str, Any]


def schema_text() -> str:
    """Write the schema as it stands in `boxes/box.schema.json`."""
    return json.dumps(box_schema(), indent=2, ensure_ascii=False) + "\n"


def box_schema() -> Json:
    """Make the schema of a box file."""
    schema = Box.model_json_schema(schema_generator=_Generator)
    sections: Json = {**schema.pop("$defs"), "Box": schema}
    descriptions = _field_descriptions()
    for name, section in sections.items():
        for key, rule in section["properties"].items():
            rule.pop("title", None)
            if description := descriptions.get((name, key)):
                rule["description"] = description
    _offer_bases(sections["Box"])
    for name, section in sections.items():
        if name not in _ITEMS:  # items of a list: lists are replaced, not merged
            _allow_null(section)
    del schema["required"]
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        **schema,
        # Keys that a box leaves out may be in the box that it extends
        "anyOf": [{"required": ["version", "base"]}, {"required": ["extends"]}],
        "$defs": {name: rules for name, rules in sections.items() if name != "Box"},
    }


class _Generator(GenerateJsonSchema):
    """Pydantic's own generator, with fields in the order of the models."""

    def sort(self, value: Json, parent_key: str | None = None) -> Json:
        """Keep the order: `version` and `base` come first in an editor's list too."""
        del parent_key
        return value


def _offer_bases(box: Json) -> None:
    """Let editors complete the names of our bases; other names stay allowed."""
    rule = box["properties"]["base"]
    named, *others = rule["anyOf"]
    rule["anyOf"] = [{"enum": list(load_bases())}, named, *others]


def _allow_null(section: Json) -> None:
    """Null takes back what an extended box says, so every optional key may be null."""
    for key, rule in section["properties"].items():
        if key in section.get("required", ()):
            continue
        outer = {name: rule.pop(name) for name in ("description", "default") if name in rule}
        options = rule.pop("anyOf", None) or [rule]
        if {"type": "null"} not in options:
            options = [*options, {"type": "null"}]
        section["properties"][key] = {"anyOf": options, **outer}


def _field_descriptions() -> dict[tuple[str, str], str]:
    """The docstrings below the fields of the models, by model and field."""
    found: dict[tuple[str, str], str] = {}
    for statement in _statements():
        if not isinstance(statement, ast.ClassDef):
            continue
        bases = {ast.unparse(base) for base in statement.bases}
        inherited = [(name, text) for (base, name), text in found.items() if base in bases]
        found.update({(statement.name, name): text for name, text in inherited})
        for field, words in zip(statement.body, statement.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(words, ast.Expr):
                name, text = ast.unparse(field.target), ast.literal_eval(words.value)
                found[statement.name, name] = " ".join(str(text).split())
    return found


def _statements() -> Iterator[ast.stmt]:
    """All that is written in the modules of the models; a model below the one it builds on."""
    for name in dict.fromkeys(model.__module__ for model in models_below(Model)):
        yield from ast.parse(inspect.getsource(sys.modules[name])).body


def models_below(model: type[Model]) -> Iterator[type[Model]]:
    """List the models that build on `model`, each above those that build on it."""
    for below in model.__subclasses__():
        yield below
        yield from models_below(below)
