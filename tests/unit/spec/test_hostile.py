"""Whatever a box file holds: it is a valid box or an error with places, and nothing is run."""

import builtins
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sandbox.spec.bases import load_bases
from sandbox.spec.load import LoadedBox, load_box
from sandbox.spec.models import Box
from sandbox.spec.problem import InvalidBoxError

# The folder and the guard against processes are the same for all examples: that is wanted
SETTINGS = settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
BASES = load_bases()
HOSTILE = [
    "$(touch /tmp/x)",
    "`id`",
    "#{system('id')}",
    "'; system('id'); '",
    "{{ 7*7 }}",
    "../../../etc/passwd",
    "-rf",
    "\x1b[2J",
    "\ud800",
    "a\0b",
    "%s%n",
    "!!python/object/apply:os.system ['id']",
    "é\u2028x",
]

words = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20))
keys = st.one_of(st.sampled_from([*Box.model_fields, "cpus", "names", "path", "[key]"]), words)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), words),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile") / "box.yml"


def load_any(path: Path, data: bytes) -> LoadedBox | InvalidBoxError:
    """The result; anything but a box or a BoxError fails the test."""
    path.write_bytes(data)
    try:
        return load_box(path, bases=BASES)
    except InvalidBoxError as error:
        found = error
    assert found.problems
    shown = found.message + found.details + found.hint
    assert "\x1b" not in shown
    assert shown.encode()
    return found


@SETTINGS
@given(data=st.binary(max_size=300))
@example(data=b"\xff\xfe")
@example(data=b"a: &a [*a, *a]")
@example(data=b"? ? ? ?")
@example(data=b"%YAML 9.9\n---\n")
@example(data=b"%TAG ! tag:yaml.org,2002:python/\n---\n!object x")
@example(data=b"- " * 2000)
def test_any_bytes(path: Path, data: bytes) -> None:
    load_any(path, data)


@SETTINGS
@given(box=st.dictionaries(keys, values, max_size=6))
@example(box={"base": None, "r": None, "services": {"shiny_server": {}}})
@example(box={"r": {"options": {"x": {"bool": 1}, "[key]": [1]}}})
@example(box={"apps": [{"name": "a"}, 1, None], "users": {"0": 1}})
def test_any_map(path: Path, box: dict[str, object]) -> None:
    load_any(path, yaml.safe_dump({"version": 1, "base": "debian-12", **box}).encode("utf-8"))


@SETTINGS
@given(word=words, where=st.sampled_from(["description", "environment", "extends", "path", "key"]))
def test_any_text_where_text_goes(path: Path, word: str, where: str) -> None:
    forms: dict[str, dict[str, object]] = {
        "description": {"description": word},
        "environment": {"system": {"environment": {"A": word}}},
        "extends": {"extends": word},
        "path": {"apps": [{"name": "a", "path": word}]},
        "key": {"users": [{"name": "anna", "ssh_keys": [word]}]},
    }
    box = {"version": 1, "base": "debian-12", **forms[where]}
    load_any(path, yaml.safe_dump(box).encode())


def test_no_tag_runs_anything(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[object] = []
    monkeypatch.setattr(os, "system", ran.append)
    monkeypatch.setattr(builtins, "eval", ran.append)
    for call in ("os.system", "builtins.eval", "subprocess.Popen"):
        for form in (f"!!python/object/apply:{call} ['id']", f"!!python/name:{call} ''"):
            found = load_any(path, f"version: 1\nbase: {form}\n".encode())
            assert isinstance(found, InvalidBoxError)
            assert "is not allowed: plain values only" in found.details
    assert ran == []
