"""Walks a JSON Schema for its regular expressions."""

from collections.abc import Iterator


def patterns(part: object) -> Iterator[str]:
    """Every regular expression of a schema, wherever it stands."""
    if isinstance(part, dict):
        if isinstance(part.get("pattern"), str):
            yield part["pattern"]
        yield from part.get("patternProperties", {})
        part = list(part.values())
    if isinstance(part, list):
        for one in part:
            yield from patterns(one)
