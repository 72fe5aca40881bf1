"""Facts of a test with other parts, by the names that they have in JSON."""

from typing import Any

from pydantic import BaseModel

from sandbox.facts.facts import Facts
from sandbox.facts.part import ValuePart


def with_named(facts: Facts, **parts: Any) -> Facts:
    """The same facts with these parts; one that is None was not seen.

    A part that is a list may be given as a tuple. Nothing is validated: a test may plant anything.
    """
    models = Facts.part_models()
    for name in parts.keys() & models.keys():
        value, model = parts[name], models[name]
        if value is None:
            facts = facts.without(model)
            continue
        is_bare = issubclass(model, ValuePart) and not isinstance(value, BaseModel)
        facts = facts.with_parts(model.model_construct(value) if is_bare else value)
    others = {name: value for name, value in parts.items() if name not in models}
    return facts.model_copy(update=others)
