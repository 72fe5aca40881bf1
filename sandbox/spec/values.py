"""The values that a box can hold: the base of all its parts, secrets, and code of R."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from sandbox.spec.texts import EnvName, HttpUrl, RepoUrl, RText, Text


class Model(BaseModel):
    """Base of every part of a box: frozen, strict about keys and types."""

    # schema.py reads the docstrings of fields when asked to; pydantic's own
    # use_attribute_docstrings parses this file once a class, 0.1 s at every start
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class Secret(Model):
    """Stands for a value that the box does not hold, such as a password."""

    secret: EnvName
    """The value's name. `sandbox up` takes the value from its environment's variable of that name,
    from a line of `--secrets FILE`, or asks for it."""

    def __str__(self) -> str:
        """The text that is shown in the value's place."""
        return f"<secret {self.secret}>"


class RCode(Model):
    """Stands for a value of R that YAML has no word for: NULL, a list, names, a function."""

    r: RText
    """R code that makes the value, in the machine, when R starts: c(a = 1), quote(recover())."""

    def __str__(self) -> str:
        """The code."""
        return self.r


_PLAIN, _SECRET, _LIST, _CODE = "<plain>", "<secret>", "<list>", "<code>"
UNION_TAGS: Final = frozenset({_PLAIN, _SECRET, _LIST, _CODE})
"""Steps in the places of pydantic's errors that do not exist in a file."""


def _kind_of_value(value: object) -> str:
    return _SECRET if isinstance(value, dict | Secret) else _PLAIN


def _kind_of_option(value: object) -> str:
    if isinstance(value, RCode) or (isinstance(value, dict) and "r" in value):
        return _CODE
    return _LIST if isinstance(value, list | tuple) else _kind_of_value(value)


_ByKind = Discriminator(_kind_of_value)
_SecretValue = Annotated[Secret, Tag(_SECRET)]
OptionScalar = bool | int | float | str
OptionValue = OptionScalar | tuple[OptionScalar, ...] | RCode
TextOrSecret = Annotated[Annotated[Text, Tag(_PLAIN)] | _SecretValue, _ByKind]
_Scalar = bool | int | float | Text
_Vector = Annotated[tuple[_Scalar, ...], Field(max_length=1000)]
OptionOrSecret = Annotated[
    Annotated[_Scalar, Tag(_PLAIN)]
    | Annotated[_Vector, Tag(_LIST)]
    | Annotated[RCode, Tag(_CODE)]
    | _SecretValue,
    Discriminator(_kind_of_option),
]
RepoOrSecret = Annotated[Annotated[RepoUrl, Tag(_PLAIN)] | _SecretValue, _ByKind]
ProxyOrSecret = Annotated[Annotated[HttpUrl, Tag(_PLAIN)] | _SecretValue, _ByKind]


NEWER: Final = Field(exclude_if=lambda value: value is None)
"""Of a key that boxes could not say before: where one does not, its plan is what it was, key and
all. Or else every sandbox would be provisioned once more."""
