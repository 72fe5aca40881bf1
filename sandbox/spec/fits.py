"""Whether a box accepts a value: tested with the same models that read boxes."""

from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError


@cache
def _adapter(type_: Any) -> TypeAdapter[Any]:  # noqa: ANN401  (an annotated type is no class)
    return TypeAdapter(type_)


def fits(type_: Any, value: object) -> bool:  # noqa: ANN401
    """Tell whether `value` fits the models' `type_`, such as Text or RPackage."""
    try:
        _adapter(type_).validate_python(value, strict=True)
    except ValidationError:
        return False
    return not isinstance(value, str) or value.isprintable()
