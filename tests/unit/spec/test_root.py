"""What a box may read: its root, links resolved, and nothing outside of it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.errors import UsageError
from sandbox.paths import data_dir
from sandbox.spec.extending import MAX_CHAIN
from sandbox.spec.load import load_box
from sandbox.spec.problem import InvalidBoxError, Problem
from sandbox.spec.root import Root
from tests.unit.spec.conftest import HEAD, Write

SHINY = HEAD + "r: {}\nservices: {shiny_server: {}}\n"
SECRET = "hunter2-of-the-neighbour"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

FORMS: dict[str, tuple[str, str]] = {
    "extends": ("version: 1\nextends: @\n", "box.yml"),
    "apps": (SHINY + "apps: [{name: a, path: @}]\n", ""),
    "ca_certificates": (HEAD + "system: {ca_certificates: [@]}\n", "ca.pem"),
    "files": (HEAD + "checks: {files: [@]}\n", "test_it.py"),
    "production": (HEAD + "production: @\n", "prod.facts.json"),
}
"""A box for each key that names a file, and the file's name."""


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """What every key could read, in a folder of somebody else."""
    folder = tmp_path / "outside"
    folder.mkdir()
    for name in ("app.R", "test_it.py", "prod.facts.json", "id_rsa"):
        (folder / name).write_text(SECRET)
    (folder / "ca.pem").write_text(CERTIFICATE)
    (folder / "box.yml").write_text(f"{HEAD}description: {SECRET}\n")
    return folder


def refused(path: Path, root: Path | None = None) -> Problem:
    with pytest.raises(InvalidBoxError) as caught:
        load_box(path, root=root)
    assert SECRET not in caught.value.details + caught.value.message + caught.value.hint
    (problem,) = caught.value.problems
    return problem


def by_its_whole_path(file: Path, _: Path) -> str:
    return str(file)


def by_dots(file: Path, inside: Path) -> str:
    return os.path.relpath(file, inside)


def by_a_link(file: Path, inside: Path) -> str:
    link = inside / f"link{file.suffix}"
    link.symlink_to(file)
    return link.name


def by_a_link_of_links(file: Path, inside: Path) -> str:
    by_a_link(file, inside)
    (inside / f"second{file.suffix}").symlink_to(f"link{file.suffix}")
    return f"second{file.suffix}"


def by_a_linked_folder(file: Path, inside: Path) -> str:
    (inside / "data").symlink_to(file.parent)
    return f"data/{file.name}" if file.suffix else "data"


def by_dots_through_a_folder(file: Path, inside: Path) -> str:
    (inside / "sub").mkdir()
    return f"sub/../../outside/{file.name if file.suffix else ''}"


WAYS: tuple[Callable[[Path, Path], str], ...] = (
    by_its_whole_path,
    by_dots,
    by_a_link,
    by_a_link_of_links,
    by_a_linked_folder,
    by_dots_through_a_folder,
)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("key", FORMS)
def test_no_key_leads_out(
    write: Write, outside: Path, key: str, way: Callable[[Path, Path], str]
) -> None:
    text, name = FORMS[key]
    inside = write("", "inside/note.txt").parent
    said = way(outside / name if name else outside, inside)
    path = write(text.replace("@", said), "inside/box.yml")
    problem = refused(path)
    assert "leads out of what this box may read: inside" in problem.message
    assert problem.line == text.count("\n")
    assert problem.key.startswith(key) or key in problem.key
    assert "`--root .`, or `touch sandbox.root`" in problem.suggestion


@pytest.mark.parametrize("key", FORMS)
def test_what_the_message_says_mends_it(write: Write, outside: Path, key: str) -> None:
    text, name = FORMS[key]
    path = write(text.replace("@", f"../outside/{name}"), "inside/box.yml")
    refused(path)
    assert load_box(path, root=outside.parent).root.folder == outside.parent
    write("", "sandbox.root")
    assert load_box(path).root.folder == outside.parent


@pytest.mark.parametrize("key", FORMS)
@pytest.mark.parametrize("said", ["/proc/self/environ", "/proc/self/cwd", "/dev/zero", "/dev/tty"])
def test_what_the_kernel_makes_up_is_never_read(write: Write, key: str, said: str) -> None:
    path = write(FORMS[key][0].replace("@", said))
    refused(path, root=Path("/") if said.startswith("/proc/self/e") else None)


@pytest.mark.parametrize("key", ["extends", "ca_certificates", "files", "production"])
def test_a_fifo_and_a_folder_are_no_files(write: Write, key: str) -> None:
    folder = write("", "sub/note.txt").parent
    os.mkfifo(folder / f"fifo{Path(FORMS[key][1]).suffix}")
    for said in (f"sub/fifo{Path(FORMS[key][1]).suffix}", "sub/"):
        assert refused(write(FORMS[key][0].replace("@", said))).line


def test_a_tilde_is_a_name_like_any_other(write: Write) -> None:
    for key in FORMS:
        assert "~/x.yml" in refused(write(FORMS[key][0].replace("@", "~/x.yml"))).message


def test_a_box_that_is_a_link_to_elsewhere_is_no_box(write: Write, outside: Path) -> None:
    path = write("", "inside/note.txt").with_name("box.yml")
    path.symlink_to(outside / "box.yml")
    assert "a link to a file outside" in refused(path).message
    assert load_box(path, root=outside.parent).box.description == SECRET


def test_the_root_is_the_nearest_marker_then_the_repository_then_the_folder(write: Write) -> None:
    box = write(HEAD, "a/b/c/box.yml")
    top = box.parents[3]
    assert Root.of(box).folder == top / "a/b/c"
    write("", "a/.git/HEAD")
    assert Root.of(box).folder == top / "a"
    write("", "sandbox.root")
    assert Root.of(box).folder == top
    write("", "a/b/sandbox.root")
    assert Root.of(box).folder == top / "a/b"


def test_a_home_is_no_root_that_nobody_named(
    write: Write, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = outside.parent
    monkeypatch.setenv("HOME", str(home))
    (home / ".git").mkdir()
    (home / "sandbox.root").touch()
    box = write(FORMS["production"][0].replace("@", "../outside/prod.facts.json"), "boxes/box.yml")
    assert Root.of(box).folder == home / "boxes"
    assert "touch" not in refused(box).suggestion
    assert load_box(box, root=home).root.folder == home
    # A box in the home itself reads no folder in it
    box = write(FORMS["production"][0].replace("@", "outside/prod.facts.json"))
    assert Root.of(box).folder is None
    assert "lies directly in a home folder" in refused(box).message
    assert load_box(write(HEAD)).box.base == "debian-12"


def test_a_box_in_a_home_reads_what_capture_wrote_beside_it_and_nothing_hidden(
    write: Write, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = outside.parent
    monkeypatch.setenv("HOME", str(home))
    write("{}", "prod.facts.json")
    write("{}", ".prod.facts.json")
    write("", "app/app.R")
    (home / "link.facts.json").symlink_to(outside / "prod.facts.json")
    loaded = load_box(write(HEAD + "production: prod.facts.json\n"))
    assert loaded.file_at("production") == home / "prod.facts.json"
    for said in (".prod.facts.json", "link.facts.json", "app/app.R", "nowhere/x.json"):
        assert "plain files next to it" in refused(write(HEAD + f"production: {said}\n")).message
    assert "plain files" in refused(write(SHINY + "apps: [{name: a, path: app}]\n")).message
    (home / "link.yml").symlink_to(outside / "box.yml")
    assert "a link to a file outside" in refused(home / "link.yml").message


def test_a_marker_where_anybody_may_put_one_counts_for_nothing(write: Write) -> None:
    box = write(HEAD, "everybodys/mine/box.yml")
    write("", "everybodys/sandbox.root")
    box.parents[1].chmod(0o1777)
    assert Root.of(box).folder == box.parent


def test_a_root_that_does_not_hold_the_box_is_a_mistake(write: Write, outside: Path) -> None:
    path = write(HEAD)
    with pytest.raises(UsageError, match="does not lie in --root"):
        load_box(path, root=outside)
    with pytest.raises(UsageError, match="is not a folder"):
        load_box(path, root=outside / "nowhere")


def test_shipped_boxes_may_always_be_extended_and_read_their_own(write: Write) -> None:
    loaded = load_box(write("extends: shiny\n"))
    assert loaded.file_at("apps", 0, "path") == data_dir("boxes").resolve() / "apps/faithful"


def test_an_extended_box_reads_no_further_than_the_one_that_extends_it(
    write: Write, outside: Path
) -> None:
    write("", "inside/.git/HEAD")
    write(SHINY + f"apps: [{{name: a, path: {outside}}}]\n", "inside/lib/parent.yml")
    problem = refused(write("extends: lib/parent.yml\n", "inside/box.yml"))
    assert problem.path.name == "parent.yml"


def test_what_was_inside_and_is_not_any_more_is_refused_when_it_is_used(
    write: Write, outside: Path
) -> None:
    app = write("", "inside/app/app.R").parent
    loaded = load_box(write(SHINY + "apps: [{name: a, path: app}]\n", "inside/box.yml"))
    (app / "app.R").unlink()
    app.rmdir()
    app.symlink_to(outside)
    with pytest.raises(InvalidBoxError, match="has a problem"):
        loaded.file_at("apps", 0, "path")


def test_what_is_to_be_typed_is_quoted_for_a_shell(write: Write) -> None:
    write("", "$(touch x)/outside/app.R")
    path = write(SHINY + "apps: [{name: a, path: ../outside}]\n", "$(touch x)/inside/box.yml")
    assert "touch '$(touch x)/sandbox.root'" in refused(path).suggestion


def test_a_chain_of_boxes_has_an_end(write: Write) -> None:
    write(HEAD, "b0.yml")
    for number in range(1, MAX_CHAIN + 2):
        write(f"extends: b{number - 1}.yml\n", f"b{number}.yml")
    assert load_box(write(f"extends: b{MAX_CHAIN - 1}.yml\n")).box.base == "debian-12"
    problem = refused(write(f"extends: b{MAX_CHAIN + 1}.yml\n"))
    assert problem.message == f"more than {MAX_CHAIN} boxes extend each other in a chain"


@pytest.mark.parametrize("folder", ["home", "state"])
def test_an_app_is_no_home_and_no_state(
    write: Write, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    write("", "all/app.R")
    monkeypatch.setenv(
        "HOME" if folder == "home" else "XDG_STATE_HOME", str(Path("all/in").absolute())
    )
    path = write(SHINY + "apps: [{name: a, path: all}]\n")
    problem = refused(path, root=path.parent)
    assert "that is more than an app" in problem.message
