"""The source of R packages, and the keys that it reads: what does not fit is told at its line."""

import pytest

from sandbox.spec.r import RPackages
from tests.unit.spec.conftest import HEAD, Load, Problems, Write

URL = "https://packages.example/cran"


def packages(text: str) -> str:
    return f"{HEAD}r: {{packages: {{{text}}}}}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "source: repository, names: [shiny]",
            "r.packages.source: `source: repository` needs `repository`. Add `repository: https",
        ),
        ("source: renv", "r.packages.source: `source: renv` needs `lock`. Add `lock: renv.lock`"),
        ("source: folder", "r.packages.source: `source: folder` needs `folder`"),
        (
            f"source: repository, repository: '{URL}', lock: renv.lock",
            "r.packages.lock: `lock` means nothing for `source: repository`. Make it `source: ",
        ),
        ("lock: renv.lock", "r.packages.lock: `lock` means nothing for `source: debian`"),
        ("date: 2024-06-13", "r.packages.date: `date` means nothing for `source: debian`"),
        ("binary: true", "r.packages.binary: `binary` means nothing for `source: debian`"),
        (
            f"repository: '{URL}'",
            "r.packages.repository: `repository` means nothing for `source: debian`. "
            "Make it `source: repository`, or remove `repository`",
        ),
        (
            f"source: repository, repository: '{URL}', date: 2024-02-30",
            "r.packages.date: there is no day `2024-02-30`",
        ),
        (
            f"source: repository, repository: '{URL}', date: 1999-01-01",
            "r.packages.date: no repository has a snapshot of `1999-01-01`. The first one is of",
        ),
        (
            f"source: repository, repository: '{URL}', date: latest",
            "r.packages.date: expected a day, such as 2024-06-13, not the text `latest`",
        ),
        ("source: repository, repository: 'ftp://a/b'", "expected a URL that starts with http"),
        ("source: renv, lock: renv.lock", "no lock file at `renv.lock`: there is no such file"),
        ("source: renv, lock: /proc/self/environ", "leads out of what this box may read"),
        ("source: folder, folder: ../x", "`../x` leads out of what this box may read"),
        ("source: folder, folder: nowhere", "no packages at `nowhere`: there is no such folder"),
        ("source: folder, folder: box.yml", "no packages at `box.yml`: it is not a folder"),
    ],
)
def test_what_does_not_fit(problems: Problems, text: str, expected: str) -> None:
    found = [str(one).split("\n")[0] for one in problems(packages(text))]
    assert any(expected in one for one in found), found
    assert all(one.startswith("box.yml:3: ") for one in found)


def test_a_lock_file_takes_no_other_names(write: Write, problems: Problems) -> None:
    write("{}", "renv.lock")
    (problem,) = problems(packages("source: renv, lock: renv.lock, names: [shiny]"))
    assert "an renv.lock names its packages itself" in problem.message


@pytest.mark.parametrize(
    "text",
    [
        f"source: repository, repository: '{URL}', names: [shiny, noSuchThing]",
        f"source: repository, repository: '{URL}', date: 2024-06-13, binary: false, names: [DT]",
        f"source: repository, repository: '{URL}', date: '2024-06-13', if_missing: skip",
        "source: renv, lock: renv.lock",
        f"source: renv, lock: sub/../renv.lock, repository: '{URL}', date: 2024-06-13",
        "source: folder, folder: .",
        f"source: folder, folder: ., names: [mine], repository: '{URL}'",
    ],
)
def test_what_fits(write: Write, load: Load, text: str) -> None:
    write("{}", "renv.lock")
    write("", "sub/empty")
    assert load(packages(text)).box.r is not None


def test_a_date_is_text_with_and_without_quotes(load: Load) -> None:
    for date in ("2024-06-13", "'2024-06-13'", '"2024-06-13"'):
        text = packages(f"source: repository, repository: '{URL}', date: {date}")
        box = load(text).box
        assert box.r is not None
        assert box.r.packages.date == "2024-06-13"


def test_a_box_of_before_has_the_plan_of_before() -> None:
    said = RPackages(names=("shiny",)).model_dump(mode="json")
    assert said == {"source": "debian", "names": ["shiny"], "if_missing": "fail"}
