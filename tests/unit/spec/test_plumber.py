"""APIs of plumber in a box: one or several, each with a folder, a file and a port of its own."""

from pathlib import Path

import pytest

from tests.unit.spec.conftest import HEAD, Load, Problems

R = HEAD + "r: {}\nservices:\n  plumber:\n"


@pytest.fixture(autouse=True)
def folders(tmp_path: Path) -> None:
    for name in ("api", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "plumber.R").write_text("#* @get /\nfunction() 1\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "    port: 8000\n",
            "box.yml:5: services.plumber: there is no API. "
            "Say `path` of its folder, or list `apis`",
        ),
        (
            "    path: api\n    apis: [{name: b, path: other, port: 8001}]\n",
            "box.yml:6: services.plumber.path: one API stands here, and several under `apis`. "
            "Put it into `apis`, with a name",
        ),
        (
            "    path: api\n    user: root\n",
            "box.yml:7: services.plumber.user: an API cannot run as root. "
            "Name an account of its own, such as plumber",
        ),
        (
            "    path: api\n    docs: false\n",
            "box.yml:7: services.plumber.docs: without documentation /__docs__/ never answers. "
            "Say `ready_path`, such as /health, or leave out `docs: false`",
        ),
        (
            "    path: api\n    file: ../box.yml\n",
            "box.yml:7: services.plumber.file: `../box.yml` is not below `path`. "
            "Name a file in that folder",
        ),
        (
            "    apis: [{name: a, path: api}, {name: a, path: other, port: 8001}]\n",
            "box.yml:6: services.plumber.apis[1].name: another app or API is called `a`. "
            "Give it a name of its own, as one of `apis`: commands name both",
        ),
        (
            "    apis: [{name: a, path: api}, {name: b, path: other}]\n",
            "box.yml:6: services.plumber.apis[1]: port 8000 is taken: plumber listens there. "
            "Choose another",
        ),
    ],
)
def test_what_cannot_be(problems: Problems, text: str, expected: str) -> None:
    (problem,) = problems(R + text)
    assert str(problem).split("\n")[0] == expected


def test_a_file_that_is_not_there(problems: Problems) -> None:
    (problem,) = problems(R + "    path: api\n    file: api.R\n")
    assert "no API at `api.R`: there is no such file" in str(problem)


def test_it_needs_r(problems: Problems) -> None:
    (problem,) = problems(HEAD + "services: {plumber: {path: api}}\n")
    assert "plumber needs R, and this box has none" in str(problem)


POSIT = 'r: {{version: "4.4.1", source: posit{}}}\nservices:\n  plumber:\n    path: api\n'
REPOSITORY = ', packages: {{source: repository, repository: "https://x.org/cran", names: [{}]}}'


@pytest.mark.parametrize("packages", ["", REPOSITORY.format("R6")])
def test_a_default_r_of_posits_needs_a_plumber_of_its_own(
    problems: Problems, packages: str
) -> None:
    (problem,) = problems(HEAD + POSIT.format(packages))
    assert str(problem).startswith(
        "box.yml:5: services.plumber: its APIs run in the default R, 4.4.1 of Posit's, and "
        "the package `plumber` is not among the packages of that R."
    )


def test_a_default_r_of_posits_may_have_one(load: Load) -> None:
    box = load(HEAD + POSIT.format(REPOSITORY.format("plumber"))).box
    assert box.services.plumber is not None


def test_it_reads_only_below_the_root(problems: Problems) -> None:
    found = problems(R + "    path: /etc\n")
    assert any("services.plumber.path" in str(problem) for problem in found)


def test_one_and_several(load: Load) -> None:
    one = load(R + "    path: api\n    port: 8010\n").box.services.plumber
    assert one is not None
    assert [(api.name, api.port, api.file) for api in one.all] == [("api", 8010, "plumber.R")]
    text = "    apis: [{name: a, path: api}, {name: b, path: other, port: 8001}]\n"
    several = load(R + text).box.services.plumber
    assert several is not None
    assert [loc for loc, _ in several.placed] == [
        ("services", "plumber", "apis", 0),
        ("services", "plumber", "apis", 1),
    ]
