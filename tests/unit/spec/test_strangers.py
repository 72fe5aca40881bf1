"""Nothing of a file that is no box is shown: whoever names it may not be allowed to read it."""

import os
from pathlib import Path

import pytest

from sandbox.spec.load import load_box
from sandbox.spec.problem import InvalidBoxError
from tests.unit.spec.conftest import HEAD, Write

SECRET = "hunter2"

STRANGERS = {
    "a private key": f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}\n-----END\n",
    "an environment": f"HOME=/root\0TOKEN={SECRET}\0",
    "Renviron": f"DB_PASSWORD={SECRET}\n",
    "netrc": f"machine x login {SECRET} password {SECRET}\n",
    "pgpass": f"db:5432:*:app:{SECRET}\n",
    "gh": f"github.com:\n  oauth_token: {SECRET}\n",
    "kube": f"apiVersion: v1\nusers:\n- name: a\n  user: {{token: {SECRET}}}\n",
    "compose": f"version: '3'\nservices:\n  db: {{environment: {{PASSWORD: {SECRET}}}}}\n",
    "rails": f"production:\n  secret_key_base: {SECRET}\n",
    "R config": f"default: {{a: 1}}\nproduction: {{pw: {SECRET}}}\n",
    "logging": f"version: 1\nhandlers: {{a: {SECRET}}}\nloggers: {SECRET}\n",
    "one password": f"version: 1\npassword: {SECRET}\n",
    "a key that is the secret": f"{SECRET}: [\n",
    "an alias": f"a: *{SECRET}\n",
    "a tag": f"a: !{SECRET} b\n",
    "a tab": f"a: 1\n\t{SECRET}: 2\n",
    "twice": f"{SECRET}: 1\n{SECRET}: 2\n",
    "no number": f"a: 1\nb: {SECRET} : {SECRET}\n",
    "a list": f"- {SECRET}\n",
    "a word": SECRET,
    "an escape": f'a: "{SECRET}\\q"\n',
    "no utf-8": f"{SECRET}\xff",
    "a base": f"base: {SECRET}\npassword: x\n",
}


def shown(path: Path) -> str:
    with pytest.raises(InvalidBoxError) as caught:
        load_box(path)
    error = caught.value
    told = [f"{one.key} {one.message} {one.suggestion} {one.text}" for one in error.problems]
    return "\n".join([error.message, error.details, error.hint, *told])


@pytest.mark.parametrize("text", STRANGERS.values(), ids=STRANGERS)
@pytest.mark.parametrize("as_parent", [False, True])
def test_no_text_of_a_file_that_is_no_box(write: Write, text: str, *, as_parent: bool) -> None:
    path = write(text.encode("latin-1"), "other.yml")
    if as_parent:
        path = write(HEAD + "extends: other.yml\n")
    said = shown(path)
    assert SECRET not in said
    assert "other.yml" in said


def test_only_the_line_of_the_first_problem_is_told(write: Write) -> None:
    said = shown(write(f"a: 1\nb: [1, 2\nc: {SECRET}\n", "other.yml"))
    assert said.startswith("`other.yml` has a problem\nother.yml:3: this does not look like a box")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("version: 1\nbaze: debian-12\n", "Perhaps you meant `base`?"),
        ("verison: 1\nbase: debian-12\n", "Perhaps you meant `version`?"),
        ("version: 1\nbase: debian-12\nsystem:\n  timezon: X\n", "    4 |   timezon: X"),
        ("version: 1\nbase: debian-12\nr: [\n", "not valid YAML"),
        ("version: 1\nbase: debian-12\nx: a: b\n", "    3 | x: a: b"),
        ("extends: shiny\nmachin: {cpus: 1}\n", None),
        ("extends: shiny\nmachin: {cpus: 1}\nr: {}\n", "Perhaps you meant `machine`?"),
    ],
)
def test_the_typing_errors_of_a_box_are_shown(
    write: Write, text: str, expected: str | None
) -> None:
    said = shown(write(text))
    assert (expected or "does not look like a box") in said


def test_a_fifo_that_stands_for_the_box_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "box.yml")
    assert "it is not a plain file" in shown(tmp_path / "box.yml")


def test_the_kernels_files_are_not_read_when_they_are_named(tmp_path: Path) -> None:
    assert "the kernel makes it up" in shown(Path("/proc/self/environ"))
    (tmp_path / "box.yml").symlink_to("/proc/self/environ")
    assert "TOKEN" not in shown(tmp_path / "box.yml")
