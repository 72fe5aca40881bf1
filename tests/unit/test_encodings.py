"""What we read and write is UTF-8, whatever the locale of the host.

ruff's PLW1514 sees a file whose type it knows; this sees the rest, by the names of the calls.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = sorted(Path(__file__).parents[2].glob("sandbox/**/*.py"))
TEXT_MODES = {"r", "w", "a", "x", "r+", "w+", "a+", "rt", "wt"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: "/".join(path.parts[-3:]))
def test_every_text_file_of_ours_names_its_encoding(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [f"line {call.lineno}" for call in _nameless(tree)] == []


@pytest.mark.parametrize(
    ("call", "is_nameless"),
    [
        ("path.read_text()", True),
        ("path.read_text(errors='replace')", True),
        ("its.path.write_text(text)", True),
        ("path.open('w')", True),
        ("subprocess.run(argv, text=True)", True),
        ("path.read_text(encoding='utf-8')", False),
        ("path.open('rb')", False),
        ("tarfile.open(path, 'w')", False),
    ],
)
def test_which_calls_are_meant(call: str, is_nameless: bool) -> None:
    assert bool(list(_nameless(ast.parse(call)))) is is_nameless


def _nameless(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and not _names_encoding(node) and _is_text(node):
            yield node


def _names_encoding(call: ast.Call) -> bool:
    return any(keyword.arg == "encoding" for keyword in call.keywords)


def _is_text(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
    if name == "read_text":
        # Our own `saved.read_text(path)` is given the path, pathlib's is not
        return not call.args
    if name == "write_text":
        return len(call.args) == 1
    if any(keyword.arg in ("text", "universal_newlines") for keyword in call.keywords):
        return name in ("run", "Popen", "check_output", "call")
    if name in ("open", "fdopen", "NamedTemporaryFile", "TemporaryFile"):
        is_archive = ast.unparse(call.func).startswith("tarfile.")
        words = [word.value for word in call.args if isinstance(word, ast.Constant)]
        return not is_archive and any(word in TEXT_MODES for word in words)
    return False
