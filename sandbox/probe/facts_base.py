"""What every part of the facts is built on."""

from pydantic import BaseModel, ConfigDict

REDACTED = "<redacted>"
"""Stands where the value of a secret was."""


class FactsModel(BaseModel):
    """Base of every part."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
