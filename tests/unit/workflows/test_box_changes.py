"""Whether a box, or an app of it, has changed since `up`."""

import os
from pathlib import Path

import pytest

from sandbox.errors import ProvisionError
from sandbox.plan import Plan
from sandbox.resolving import resolve
from sandbox.spec.load import load_box
from sandbox.state import Instance
from sandbox.workflows import listing
from sandbox.workflows.box_changes import BoxChanges, box_has_changed
from tests.unit.workflows.conftest import Bench

APP = "library(shiny)\nshinyApp(fluidPage(), function(input, output) {})\n"
BOX = """\
version: 1
extends: above.yml
services: {shiny_server: {}}
apps: [{name: mine, path: mine}]
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "boxes"
    (folder / "mine").mkdir(parents=True)
    (folder / "mine" / "app.R").write_text(APP)
    (folder / "above.yml").write_text("version: 1\nbase: debian-12\nr: {}\n")
    (folder / "box.yml").write_text(BOX)
    return folder


def plan_of(place: Path) -> Plan:
    return resolve(load_box(place / "box.yml"))


def changed() -> tuple[str, ...]:
    return BoxChanges().changed(Instance("box").folder)


def test_a_plan_knows_the_files_it_was_read_from(place: Path) -> None:
    plan = plan_of(place)
    assert plan.box_files == (place / "box.yml", place / "above.yml")
    # They decide nothing by themselves
    assert plan.model_copy(update={"box_files": ()}).key == plan.key


def test_nothing_has_changed_after_up(bench: Bench, place: Path) -> None:
    bench.up(plan_of(place))
    assert changed() == ()


@pytest.mark.parametrize("name", ["box.yml", "above.yml"])
def test_a_file_that_is_edited_is_named_until_the_next_up(
    bench: Bench, place: Path, name: str
) -> None:
    bench.up(plan_of(place))
    with (place / name).open("a") as file:
        file.write("description: other\n")
    assert changed() == (str(place / name),)
    (info,) = listing.all_sandboxes(bench.context)
    assert info.changed == changed()
    bench.up(plan_of(place))
    assert changed() == ()


def test_a_comment_is_a_change_that_the_fast_road_takes_note_of(bench: Bench, place: Path) -> None:
    bench.up(plan_of(place))
    with (place / "box.yml").open("a") as file:
        file.write("# a comment\n")
    assert changed() == (str(place / "box.yml"),)
    assert bench.up(plan_of(place)).unchanged
    assert changed() == ()


def test_another_time_with_the_same_content_is_no_change(bench: Bench, place: Path) -> None:
    """A checkout of another branch and back."""
    bench.up(plan_of(place))
    for path in (place / "box.yml", place / "mine" / "app.R"):
        os.utime(path, (1, 1))
    assert changed() == ()


def test_what_was_written_just_now_is_not_judged_by_its_time(
    bench: Bench, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two changes within one tick of the file system's clock have the same time."""
    bench.up(plan_of(place))
    app = place / "mine" / "app.R"
    before = app.stat()
    app.write_text(APP.replace("shiny)", "Shiny)"))
    os.utime(app, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert changed() == ("the app mine",)


def test_what_was_written_long_ago_is_not_read_again(
    bench: Bench, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (place / "box.yml", place / "above.yml", place / "mine" / "app.R"):
        os.utime(path, (1, 1))
    bench.up(plan_of(place))

    def read(*_: object) -> str:
        raise AssertionError("it was read")

    monkeypatch.setattr("sandbox.workflows.box_changes.digest_of", read)
    monkeypatch.setattr("sandbox.workflows.box_changes._of_file", read)
    assert changed() == ()


def test_a_change_of_the_same_size_and_a_new_file_of_an_app_are_seen(
    bench: Bench, place: Path
) -> None:
    bench.up(plan_of(place))
    (place / "mine" / "app.R").write_text(APP.replace("shiny)", "Shiny)"))
    assert changed() == ("the app mine",)
    (place / "mine" / "app.R").write_text(APP)
    assert changed() == ()
    (place / "mine" / "data.csv").write_text("a,b\n")
    assert changed() == ("the app mine",)
    # What does not go into the machine is of no interest
    (place / "mine" / "data.csv").rename(place / "mine" / ".Rhistory")
    assert changed() == ()


def test_what_has_gone_has_changed_but_for_the_box_itself(bench: Bench, place: Path) -> None:
    bench.up(plan_of(place))
    (place / "above.yml").rename(place / "elsewhere.yml")
    (place / "mine").rename(place / "yours")
    assert changed() == (str(place / "above.yml"), "the app mine")
    # `up` goes on with the plan that it has
    (place / "box.yml").unlink()
    assert changed() == ()


def test_an_up_that_fails_half_way_has_noted_what_it_read(bench: Bench, place: Path) -> None:
    bench.fail_provision = ProvisionError("apt failed")
    with pytest.raises(ProvisionError):
        bench.up(plan_of(place))
    assert changed() == ()
    with (place / "box.yml").open("a") as file:
        file.write("description: other\n")
    assert changed() == (str(place / "box.yml"),)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"box": "/", "files": [1], "apps": []}'])
def test_a_damaged_note_says_nothing(bench: Bench, place: Path, text: str) -> None:
    bench.up(plan_of(place))
    (place / "box.yml").write_text(BOX + "description: other\n")
    (Instance("box").folder / "box.json").write_text(text)
    assert changed() == ()


def test_it_is_said_with_what_applies_it() -> None:
    assert box_has_changed("box", ("a.yml", "the app mine")) == (
        "a.yml, the app mine have changed since `up`; sandbox up box applies it"
    )
