"""What a model itself finds wrong: values that are right alone, and do not fit each other."""

from typing import Final

from pydantic_core import PydanticCustomError

MISFIT: Final = "misfit"
"""The type of such an error."""


def misfit(key: str, message: str, suggestion: str = "") -> PydanticCustomError:
    """Make the error that a model's validator raises, to be told at a line of the box.

    Args:
        key: the field of that model whose value is told of.
        message: what is wrong.
        suggestion: a whole sentence; what mends it.
    """
    context = {"key": key, "message": message, "suggestion": suggestion}
    return PydanticCustomError("misfit", "{message}", context)
