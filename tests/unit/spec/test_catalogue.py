"""Which box the user means."""

import shlex
from pathlib import Path

import pytest

from sandbox.errors import UsageError
from sandbox.paths import data_dir
from sandbox.spec import catalogue
from sandbox.spec.catalogue import boxes_to_validate, find_box, list_boxes
from sandbox.spec.source import ParsedFile, read_source
from tests.unit.spec.conftest import HEAD, Write


def test_a_path_is_that_file(write: Write, tmp_path: Path) -> None:
    path = write(HEAD, "sub/a.yml")
    assert find_box("sub/a.yml", cwd=tmp_path) == path
    assert find_box(str(path), cwd=Path("/")) == path


def test_a_name_is_looked_up_here_then_in_boxes_then_among_the_shipped(
    write: Write, tmp_path: Path
) -> None:
    assert find_box("r", cwd=tmp_path) == data_dir("boxes") / "r.yml"
    in_boxes = write(HEAD, "boxes/r.yaml")
    assert find_box("r", cwd=tmp_path) == in_boxes
    here = write(HEAD, "r.yml")
    assert find_box("r", cwd=tmp_path) == here


@pytest.mark.parametrize(
    ("target", "hint"), [("shny", "Perhaps you meant `shiny`?"), ("boxes/shny.yml", None)]
)
def test_nothing_of_that_name(write: Write, tmp_path: Path, target: str, hint: str | None) -> None:
    write(HEAD)
    with pytest.raises(UsageError) as caught:
        find_box(target, cwd=tmp_path)
    assert caught.value.message == f"no box `{target}`: there is no such file"
    assert caught.value.hint == hint or hint is None


def test_without_a_name_the_only_box_here(write: Write, tmp_path: Path) -> None:
    write("services: {web: {image: x}}\n", "compose.yaml")
    write("a: [\n", "broken.yml")
    box = write(HEAD, "mine.yml")
    assert find_box(None, cwd=tmp_path) == box


def test_without_a_name_the_only_box_in_boxes(write: Write, tmp_path: Path) -> None:
    box = write(HEAD, "boxes/mine.yml")
    assert find_box(None, cwd=tmp_path) == box


def test_the_only_file_is_taken_even_when_broken(write: Write, tmp_path: Path) -> None:
    box = write("a: [\n", "mine.yml")
    assert find_box(None, cwd=tmp_path) == box


def test_several_boxes_are_listed(write: Write, tmp_path: Path) -> None:
    write(HEAD, "a.yml")
    write(HEAD, "b.yml")
    with pytest.raises(UsageError) as caught:
        find_box(None, cwd=tmp_path)
    assert caught.value.message == "which box? there are 2 here"
    assert caught.value.details == "a.yml\nb.yml"
    assert caught.value.hint == "name one: sandbox up a.yml"


def test_no_box_at_all_names_the_shipped(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find_box(None, cwd=tmp_path)
    assert caught.value.details == "shipped with sandbox: r, r-4.0, r-4.5, rstudio, shiny"


def test_the_list_has_local_and_shipped_boxes_and_the_broken_ones(
    write: Write, tmp_path: Path
) -> None:
    write(HEAD, "mine.yml")
    write("version: 1\nbase: debian-1\n", "wrong.yml")
    entries = list_boxes(tmp_path)
    assert [(entry.name, entry.where) for entry in entries][:2] == [
        ("mine", "here"),
        ("wrong", "here"),
    ]
    assert [entry.name for entry in entries if entry.where == "shipped"] == [
        "r-4.0",
        "r-4.5",
        "r",
        "rstudio",
        "shiny",
    ]
    assert entries[1].loaded is None
    assert entries[1].problems[0].key == "base"


def test_in_a_checkout_the_shipped_boxes_are_listed_once() -> None:
    entries = list_boxes(data_dir("boxes").parent)
    assert len({entry.path for entry in entries}) == len(entries)
    assert {entry.where for entry in entries} == {"shipped"}


def test_a_link_that_leads_out_is_not_looked_into(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = write(HEAD, "outside/box.yml")
    inside = write(HEAD, "inside/good.yml").parent
    (inside / "link.yml").symlink_to(outside)
    looked: list[Path] = []

    def look(path: Path) -> ParsedFile:
        looked.append(path)
        return read_source(path)

    monkeypatch.setattr(catalogue, "read_source", look)
    assert find_box(None, cwd=inside) == inside / "good.yml"
    assert looked == [inside / "good.yml"]
    entry = next(one for one in list_boxes(inside) if one.name == "good")
    assert entry.loaded is not None


@pytest.mark.parametrize("target", ["sales", "apps/my app"])
def test_a_folder_in_a_boxs_place_can_be_given_one(tmp_path: Path, target: str) -> None:
    (tmp_path / target).mkdir(parents=True)
    with pytest.raises(UsageError) as caught:
        find_box(target, cwd=tmp_path)
    words = shlex.quote(target)
    assert caught.value.hint == f"sandbox init {words} writes a box for the apps in that folder"


def test_a_lock_is_no_box(tmp_path: Path) -> None:
    box = tmp_path / "x.yml"
    box.write_text("version: 1\nbase: debian-12\n")
    # Even one that would pass for a box
    (tmp_path / "x.lock.yml").write_text("version: 1\nbase: debian-12\n")
    assert find_box(None, cwd=tmp_path) == box
    assert boxes_to_validate(tmp_path) == ([box], [])
