"""A roster as a spreadsheet writes it."""

from pathlib import Path

import pytest

from sandbox.spec.roster import Person, read_roster


@pytest.mark.parametrize(
    "text",
    [
        "name,email\nAda Lovelace,ada@example.org\nBo,\n",
        "\ufeffName;E-Mail\r\nAda Lovelace;ada@example.org\r\nBo;\r\n",
        "email\tname\nada@example.org\tAda Lovelace\n\n\t\n\tBo\n",
        'group,name,email\nx,"Ada Lovelace",ada@example.org\nx,Bo\n',
    ],
)
def test_people_are_read(tmp_path: Path, text: str) -> None:
    file = tmp_path / "people.csv"
    file.write_text(text)
    people, problems = read_roster(file)
    assert problems == ()
    assert people == (Person("Ada Lovelace", "ada@example.org"), Person("Bo"))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 0, "it is empty"),
        ("name,email\n", 0, "nobody is in it"),
        ("nam,email\nAda,a@b\n", 1, "no column `name`. Perhaps you meant `name`?"),
        ("name,email\n,ada@example.org\n", 2, "this line has no name"),
        ("name,email\nAda,nowhere\n", 2, "`nowhere` is no e-mail address"),
        ("name\nAda\nada\n", 3, "`ada` is there twice; first in line 2"),
        ("name,email\nAda,a@b\nBo,A@B\n", 3, "`A@B` is there twice; first in line 2"),
        ("name\nA\x1b[2Jda\n", 2, "a name is one line"),
        (f"name\n{'x' * 101}\n", 2, "at most 100 characters"),
        ('name\n"Ada\nBo\n', 3, "it is not CSV"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    file = tmp_path / "people.csv"
    file.write_text(text)
    _, problems = read_roster(file)
    (problem,) = problems
    assert problem.line == line
    assert words in str(problem)
    assert "\x1b" not in str(problem)


def test_a_file_of_another_encoding_or_none(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes("name\nJosé\n".encode("latin-1"))
    (problem,) = read_roster(file)[1]
    assert "CSV UTF-8" in problem.message
    (problem,) = read_roster(tmp_path / "none.csv")[1]
    assert "no such file" in problem.message
