"""Where the values of secrets come from, and that no message shows one."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from sandbox.errors import UsageError
from sandbox.secret_values import NeededSecret, needed_secrets
from sandbox.workflows.secrets_given import GivenSecrets, read_secrets
from tests.unit.factories import secret_plan

NEEDED = needed_secrets(secret_plan())
URL, PROXY = "https://me:pLaNt3d@cran.example.org", "http://me:pLaNt3d@proxy.example"


class Person:
    """Somebody at the terminal, with their answers in order."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str]] = []

    def __call__(self, needed: NeededSecret, trouble: str) -> str:
        self.asked.append((needed.name, trouble))
        return self.answers.pop(0)


def secret_file(folder: Path, lines: Iterable[str], *, mode: int = 0o600) -> Path:
    path = folder / "my secrets"
    path.write_text("\n".join(lines))
    path.chmod(mode)
    return path


def test_the_environment_comes_first_then_the_file_then_the_person(tmp_path: Path) -> None:
    path = secret_file(tmp_path, ["SALES_DB=of the file", f"CRAN_URL={URL}"])
    person, environment = Person(PROXY), {"SALES_DB": "of the environment", "HOME": "/"}
    given = GivenSecrets(environment, path, person)
    assert dict(given.all_of(NEEDED)) == {
        "SALES_DB": "of the environment",
        "CRAN_URL": URL,
        "PROXY": PROXY,
    }
    assert person.asked == [("PROXY", "")]
    # The programs that are started from here on need not know it
    assert environment == {"HOME": "/"}
    assert given.origins() == (
        f"CRAN_URL from {path}, PROXY as it was typed, SALES_DB from the environment"
    )


def test_what_every_environment_has_is_no_secret_and_stays_there() -> None:
    home = NeededSecret("HOME", ("system.environment.X",), frozenset({"text"}))
    environment = {"HOME": "/root"}
    assert dict(GivenSecrets(environment).at_hand([home])) == {}
    assert environment == {"HOME": "/root"}


def test_nobody_is_asked_twice(tmp_path: Path) -> None:
    person = Person(URL, PROXY, "x")
    given = GivenSecrets({}, None, person)
    assert dict(given.at_hand(NEEDED)) == {}
    assert dict(given.all_of(NEEDED)) == dict(given.all_of(NEEDED)) == dict(given.at_hand(NEEDED))
    assert [name for name, _ in person.asked] == ["CRAN_URL", "PROXY", "SALES_DB"]


def test_an_answer_that_cannot_be_is_asked_for_again() -> None:
    person = Person("pLaNt3d", URL, PROXY, "x")
    assert dict(GivenSecrets({}, None, person).all_of(NEEDED))["CRAN_URL"] == URL
    assert person.asked[1] == (
        "CRAN_URL",
        "it is not a URL that starts with http://, https:// or file://",
    )


def test_without_a_terminal_all_that_is_missing_is_named() -> None:
    with pytest.raises(UsageError) as failure:
        GivenSecrets({"SALES_DB": "pLaNt3d", "PROXY": ""}).all_of(NEEDED)
    error = failure.value
    assert error.message.endswith("no terminal to ask for the value: CRAN_URL, PROXY")
    assert error.details == "CRAN_URL: r.repos.CRAN\nPROXY: system.proxy"
    assert "--secrets FILE" in error.hint


@pytest.mark.parametrize("where", ["environment", "file"])
def test_a_value_that_cannot_be_is_refused_and_not_shown(where: str, tmp_path: Path) -> None:
    path = secret_file(tmp_path, ["PROXY=pLaNt3d"])
    given = GivenSecrets({"PROXY": "pLaNt3d"}) if where == "environment" else GivenSecrets({}, path)
    with pytest.raises(UsageError) as failure:
        given.at_hand(NEEDED)
    said = f"{failure.value.message} {failure.value.details} {failure.value.hint}"
    assert "the secret PROXY does not fit system.proxy: it is not a URL" in said
    assert where in said or str(path) in said
    assert "pLaNt3d" not in said


def test_a_file_has_a_value_a_line_as_it_stands_there(tmp_path: Path) -> None:
    path = secret_file(
        tmp_path, ["# mine", "", "A=x=y # z ", "  B = 'q'\r", "  # C=1", 'D="a b"', "E="]
    )
    assert read_secrets(path) == {"A": "x=y # z ", "B": " 'q'", "D": '"a b"', "E": ""}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_file_that_others_may_read_is_refused_with_what_mends_it(
    mode: int, tmp_path: Path
) -> None:
    path = secret_file(tmp_path, ["A=pLaNt3d"], mode=mode)
    with pytest.raises(UsageError) as failure:
        read_secrets(path)
    assert failure.value.hint == f"chmod 600 '{path}'"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"A=1\npLaNt3d\n", "secrets:2: this line is no `NAME=value`"),
        (b"A-pLaNt3d=1\n", "secrets:1: this line is no `NAME=value`"),
        (b"A=1\nA=pLaNt3d\n", "secrets:2: this line has a name that is there already"),
        (b"A=pLaNt3d\xff\n", "secrets is not UTF-8"),
        (b"A=" + b"x" * 1024 * 1024, "is larger than 1 MB: it cannot be a file of secrets"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_by_its_line_alone(
    content: bytes, message: str, tmp_path: Path
) -> None:
    path = secret_file(tmp_path, [])
    path.write_bytes(content)
    with pytest.raises(UsageError) as failure:
        read_secrets(path)
    error = failure.value
    assert error.message.endswith(message)
    assert "pLaNt3d" not in f"{error.message} {error.details} {error.hint}"


def test_a_file_that_is_not_there_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file or directory"):
        GivenSecrets({}, tmp_path / "none").at_hand(NEEDED)
