"""Box files: everything that is wrong is said at once, at its place, in plain words."""

from pathlib import Path

import pytest

from sandbox.errors import ExitCode
from sandbox.paths import data_dir
from sandbox.spec.load import load_box
from sandbox.spec.problem import InvalidBoxError
from sandbox.spec.services import Services
from tests.unit.spec.conftest import HEAD, Load, Problems, Write

GOLDEN = """\
box.yml:2: base: there is no base `debian12`. Perhaps you meant `debian-12`?
    2 | base: debian12
box.yml:3: machine.cpus: `0` is out of range: at least 1
    3 | machine: {cpus: 0, memory_mb: "2048", disk_gb: 20.5}
box.yml:3: machine.memory_mb: expected a whole number, not the text `2048`. \
Write it without quotes: 2048
    3 | machine: {cpus: 0, memory_mb: "2048", disk_gb: 20.5}
box.yml:3: machine.disk_gb: expected a whole number, not the number `20.5`
    3 | machine: {cpus: 0, memory_mb: "2048", disk_gb: 20.5}
box.yml:5: system.timezon: unknown key `timezon`. Perhaps you meant `timezone`?
    5 |   timezon: Europe/Vienna
box.yml:6: system.packages: expected a list, not the text `pandoc`. Write it as a list: [pandoc]
    6 |   packages: pandoc
box.yml:7: system.environment.A: expected text, not the number `1`. Put it in quotes: "1"
    7 |   environment: {A: 1, B-C: x}
box.yml:7: system.environment.B-C: the key must be a variable name of letters, digits and \
underscores, such as OMP_NUM_THREADS
    7 |   environment: {A: 1, B-C: x}
box.yml:9: r.version: expected text, not the number `4.2`. Put it in quotes: "4.2"
    9 |   version: 4.2
box.yml:10: r.options.digits[0]: expected text, a number, `true` or `false`, not a list
    10 |   options: {digits: [[1]]}
box.yml:10: r.options: `options` is there twice; first in line 10
    10 |   options: {digits: [[1]]}"""


def test_all_problems_at_once_with_place_text_and_cure(write: Write) -> None:
    path = write(
        "version: 1\n"
        "base: debian12\n"
        'machine: {cpus: 0, memory_mb: "2048", disk_gb: 20.5}\n'
        "system:\n"
        "  timezon: Europe/Vienna\n"
        "  packages: pandoc\n"
        "  environment: {A: 1, B-C: x}\n"
        "r:\n"
        "  version: 4.2\n"
        "  options: {digits: [[1]]}\n"
    )
    with pytest.raises(InvalidBoxError) as caught:
        load_box(path)
    error = caught.value
    assert error.exit_code == ExitCode.BOX
    assert error.message == "`box.yml` has 10 problems"
    assert error.details == GOLDEN.rsplit("\nbox.yml:10: r.options: `options`", 1)[0]
    assert error.hint == "mend box.yml:2, then run `sandbox validate` again"


@pytest.mark.parametrize(
    ("text", "line", "key", "message", "suggestion"),
    [
        ("bass: x\n", 3, "bass", "unknown key `bass`", "Perhaps you meant `base`?"),
        ("timezone: x\n", 3, "timezone", "unknown key `timezone`", "It belongs under `system`"),
        (
            "services: {rstudio: {}}\n",
            3,
            "services.rstudio",
            "unknown key `rstudio`",
            "A box cannot ask for RStudio Server yet. "
            f"Known here: {', '.join(sorted(Services.model_fields))}",
        ),
        ("machine:\n", 3, "machine", "expected a map of keys and values, not nothing", None),
        ("machine: big\n", 3, "machine", None, None),
        ("provider: docker\n", 3, "provider", None, ""),
        (
            "provider: Incus\n",
            3,
            "provider",
            "expected `virtualbox`, `libvirt` or `incus`, not the text `Incus`",
            "Perhaps you meant `incus`?",
        ),
        ("apps:\n  - name: a\n", 4, "apps[0].path", "`path` is missing in `apps[0]`", ""),
        ("users: [{name: Anna}]\n", 3, "users[0].name", None, ""),
        (
            "users: [{name: anna, sudo: yes}]\n",
            3,
            "users[0].sudo",
            "expected `true` or `false`, not the text `yes`",
            "Perhaps you meant `true`?",
        ),
        ("description: 2024\n", 3, "description", None, 'Put it in quotes: "2024"'),
        ("extends: ''\n", 3, "extends", "this is empty", ""),
        ("r: {repos: {CRAN: 'ftp://x'}}\n", 3, "r.repos.CRAN", None, ""),
        ("r: {repos: {CRAN: \"https://x/';system('id')\"}}\n", 3, "r.repos.CRAN", None, ""),
        ("system: {proxy: 'http://x y'}\n", 3, "system.proxy", None, ""),
        ('system: {environment: {A: "x\\ny"}}\n', 3, "system.environment.A", None, ""),
        ("system: {packages: [--force]}\n", 3, "system.packages[0]", None, ""),
        ("machine: {memory_mb: 2e3}\n", 3, "machine.memory_mb", None, ""),
        ("checks: {budget: {first_page_s: 0}}\n", 3, "checks.budget.first_page_s", None, ""),
    ],
)
def test_one_problem(  # noqa: PLR0917  (pytest names them)
    problems: Problems,
    text: str,
    line: int,
    key: str,
    message: str | None,
    suggestion: str | None,
) -> None:
    (problem,) = problems(HEAD + text)
    assert (problem.line, problem.key) == (line, key)
    if message is not None:
        assert problem.message == message
    if suggestion is not None:
        assert problem.suggestion == suggestion


def test_version_is_asked_for_and_other_versions_are_refused(problems: Problems) -> None:
    (missing,) = problems("base: debian-12\n")
    assert missing.message == "`version` is missing in the box"
    (wrong,) = problems("version: 2\nbase: debian-12\n")
    assert wrong.message == "expected `1`, not the number `2`"


def test_a_problem_hides_no_other_of_another_kind(problems: Problems) -> None:
    found = problems(
        "version: 3\nbase: debian-12\nr: {version: '9.9', blas: fast}\n"
        "users: [{name: 1}, {name: root}]\na: 1\na: 2\n"
    )
    assert [problem.key for problem in found] == [
        "version",
        "r.blas",
        "r.version",
        "users[0].name",
        "users[1].name",
        "a",
        "a",
    ]


def test_a_flood_of_problems_is_cut_for_people_and_kept_for_programs(write: Write) -> None:
    path = write(HEAD + "".join(f"x{number}: 1\n" for number in range(80)))
    with pytest.raises(InvalidBoxError) as caught:
        load_box(path)
    assert len(caught.value.problems) == 80
    assert caught.value.details.endswith("\n... and 30 more")


def test_numbers_and_words_keep_their_types(load: Load) -> None:
    box = load(
        HEAD + "r:\n  options: {digits: 7, scipen: 2.0, warn: true, encoding: 'UTF-8', n: no}\n"
    ).box
    assert box.r is not None
    assert [(key, type(value)) for key, value in box.r.options.items()] == [
        ("digits", int),
        ("scipen", float),
        ("warn", bool),
        ("encoding", str),
        ("n", str),
    ]


def test_the_defaults_make_a_small_plain_machine(load: Load) -> None:
    box = load(HEAD).box
    assert (box.r, box.services.shiny_server, box.apps, box.users) == (None, None, (), ())
    assert (box.system.timezone, box.system.locale) == ("Etc/UTC", "C.UTF-8")


@pytest.mark.parametrize(
    "path", sorted(data_dir("boxes").glob("*.yml")), ids=lambda path: path.stem
)
def test_the_boxes_we_ship_are_valid(path: Path) -> None:
    loaded = load_box(path)
    assert loaded.box.description
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=box.schema.json"
