"""Hints about values of a box that are valid, but that another form would say better."""

import re
from collections.abc import Iterator
from dataclasses import replace

from sandbox.spec.load import LoadedBox
from sandbox.spec.problem import Problem
from sandbox.spec.source import Value

_URL_WITH_PASSWORD = re.compile(r"://[^/\s@]*:[^/\s@]+@")


def hints_about(loaded: LoadedBox) -> list[Problem]:
    """Warn of passwords that stand in addresses. No hint shows the line of the password."""
    return [
        replace(
            value.problem(
                "a password stands in this address",
                "`{secret: NAME}` in its place keeps it out of the box; `sandbox up` asks for it",
            ),
            text="",
        )
        for value in _may_be_secret(loaded)
        if isinstance(value.content, str) and _URL_WITH_PASSWORD.search(value.content)
    ]


def _may_be_secret(loaded: LoadedBox) -> Iterator[Value]:
    """The values of a box for which a secret can be named instead."""
    if (proxy := loaded.top.get("system", "proxy")) is not None:
        yield proxy
    for loc in (("system", "environment"), ("r", "options"), ("r", "repos")):
        values = loaded.top.get(*loc)
        if values is not None and isinstance(values.content, dict):
            yield from values.content.values()
