"""`extends`: found, merged, and blamed in the file that is to blame."""

import pytest

from sandbox.spec.load import load_box
from tests.unit.spec.conftest import HEAD, Load, Problems, Write

PARENT = (
    "version: 1\nbase: debian-12\nmachine: {cpus: 4, memory_mb: 4096}\n"
    "system:\n  packages: [git, vim]\n  environment: {A: one, B: two}\n  timezone: Asia/Tokyo\n"
    "r: {version: '4.2', packages: {names: [shiny]}}\n"
)


def test_maps_merge_lists_replace_null_resets(write: Write, load: Load) -> None:
    write(PARENT, "parent.yml")
    box = load(
        "extends: parent.yml\nmachine: {cpus: 2}\nr:\n"
        "system:\n  packages: [curl]\n  environment: {B: null, C: three}\n  timezone: ~\n"
    ).box
    assert (box.machine.cpus, box.machine.memory_mb) == (2, 4096)
    assert box.system.packages == ("curl",)
    assert box.system.environment == {"A": "one", "C": "three"}
    assert box.system.timezone == "Etc/UTC"
    assert box.r is None


def test_a_chain_of_three(write: Write, load: Load) -> None:
    write(PARENT, "a.yml")
    write("extends: a.yml\nmachine: {memory_mb: 1024}\n", "b.yml")
    box = load("extends: b.yml\nmachine: {cpus: 1}\n").box
    assert (box.machine.cpus, box.machine.memory_mb, box.base) == (1, 1024, "debian-12")


def test_a_shipped_box_is_extended_by_name(load: Load) -> None:
    loaded = load("extends: r\nmachine: {cpus: 7}\n")
    assert loaded.box.machine.cpus == 7
    assert loaded.box.r is not None


def test_a_box_beside_goes_before_a_shipped_one(write: Write, load: Load) -> None:
    write(HEAD + "description: mine\n", "r.yml")
    assert load("extends: r\n").box.description == "mine"


def test_paths_belong_to_the_file_that_says_them(write: Write, load: Load) -> None:
    app = write("", "lib/app/app.R").parent
    write(HEAD + "r: {}\nservices: {shiny_server: {}}\napps: [{name: a, path: app}]\n", "lib/p.yml")
    loaded = load("extends: lib/p.yml\n", "sub.yml")
    assert loaded.file_at("apps", 0, "path") == app
    assert loaded.place_of("apps", 0, "path") == "lib/p.yml:5"


def test_a_missing_parent_is_said_once_with_near_names(write: Write, problems: Problems) -> None:
    write(HEAD, "shiny-prod.yml")
    (problem,) = problems("version: 1\nextends: shiny-pord.yml\n")
    assert (problem.line, problem.key) == (2, "extends")
    assert problem.message.startswith("no box at `shiny-pord.yml`: there is no such file")
    assert problem.suggestion == "Perhaps you meant `shiny-prod.yml`?"


def test_a_circle_is_named_whole(write: Write, problems: Problems) -> None:
    write("extends: c.yml\n", "b.yml")
    write("\nextends: box.yml\n", "c.yml")
    (problem,) = problems("extends: b.yml\n")
    assert problem.place == "c.yml:2"
    assert problem.message == (
        "the boxes extend each other in a circle: box.yml → b.yml → c.yml → box.yml"
    )


def test_a_box_that_extends_itself(problems: Problems) -> None:
    (problem,) = problems("extends: box.yml\n")
    assert problem.message.endswith("circle: box.yml → box.yml")


def test_a_circle_through_a_symbolic_link(write: Write, problems: Problems) -> None:
    path = write("")
    (path.parent / "link.yml").symlink_to(path)
    (problem,) = problems("extends: link.yml\n")
    assert "in a circle" in problem.message


def test_a_problem_of_the_parent_is_in_the_parents_file(write: Write, problems: Problems) -> None:
    write("version: 1\nbase: debian-12\nsystem:\n  timezon: x\n  timezone: Nowhere/Land\n", "p.yml")
    found = problems("extends: p.yml\nmachine: {cpus: 0}\n")
    assert [problem.place for problem in found] == ["box.yml:2", "p.yml:4", "p.yml:5"]


def test_what_the_child_overrides_is_no_problem(write: Write) -> None:
    write("version: 1\nbase: debian-99\nr: {version: '4.5'}\n", "p.yml")
    loaded = load_box(write("extends: p.yml\nbase: debian-13\n"))
    assert loaded.base.name == "debian-13"


def test_a_broken_parent_does_not_make_up_problems(write: Write, problems: Problems) -> None:
    write("version: 1\nbase: [\n", "p.yml")
    found = problems("extends: p.yml\napps: [{name: a, path: app/}]\nx: 1\n")
    assert {problem.place for problem in found} == {"box.yml:2", "box.yml:3", "p.yml:3"}


@pytest.mark.parametrize(
    "name", ['"a\\0b"', '"a\\0/b.yml"', "/", "..", "x" * 4000 + ".yml", "/dev/zero", "x/y/z.yml"]
)
def test_extends_with_a_hostile_name_is_only_a_problem(problems: Problems, name: str) -> None:
    assert {problem.key for problem in problems(f"{HEAD}extends: {name}\n")} == {"extends"}
