"""Box files for tests: written to a folder of their own, and read by name."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from sandbox.spec.load import LoadedBox, load_box
from sandbox.spec.problem import InvalidBoxError, Problem

Write = Callable[..., Path]
Problems = Callable[..., Sequence[Problem]]
Load = Callable[..., LoadedBox]

HEAD = "version: 1\nbase: debian-12\n"
"""Two lines: what a test adds begins in line 3."""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a file below a new current folder."""
    monkeypatch.chdir(tmp_path)

    def write_file(text: str | bytes, name: str = "box.yml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write_file


@pytest.fixture
def problems(write: Write) -> Problems:
    """What is wrong with a box of that text."""

    def problems_of(text: str | bytes, name: str = "box.yml") -> Sequence[Problem]:
        path = write(text, name)
        with pytest.raises(InvalidBoxError) as caught:
            load_box(path)
        return caught.value.problems

    return problems_of


@pytest.fixture
def load(write: Write) -> Load:
    """The box of that text, which must be valid."""

    def load_text(text: str, name: str = "box.yml") -> LoadedBox:
        return load_box(write(text, name))

    return load_text
