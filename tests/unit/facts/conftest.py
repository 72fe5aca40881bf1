"""Recorded answers of the probe on development containers; only names, keys and lists are cut."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.facts.answer import parse_answer
from sandbox.facts.facts import Facts
from sandbox.probe.frame import read_frame

_DATA = Path(__file__).with_name("data")


def recorded(name: str) -> str:
    """What the probe printed: `worker`, `plain`, `broken`."""
    return (_DATA / f"{name}.txt").read_text()


@pytest.fixture
def facts_of() -> Callable[[str], Facts]:
    """The facts of a recorded answer."""
    return lambda name: parse_answer(read_frame(recorded(name), "BOUNDARY"))
