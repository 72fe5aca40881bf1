"""Files are there whole or not at all, and folders are private, whatever the umask."""

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.files import hand_over, private_folder, whole_file, write_whole
from sandbox.host.journal import ChangeKind, Journal, setup_lock
from sandbox.images.build_folder import build_lock
from sandbox.interrupts import Interrupted
from sandbox.provision import _write
from sandbox.record import Record
from sandbox.state import locked
from tests.unit.factories import shiny_sandbox


@pytest.fixture(params=[0, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes_below(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode)
        for path in (folder, *folder.rglob("*"))
    }


def assert_private(folder: Path) -> None:
    for name, mode in modes_below(folder).items():
        assert mode == (0o700 if (folder / name).is_dir() else 0o600), f"{name}: {mode:o}"


def test_all_that_is_kept_is_its_owners_alone(
    umask: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with locked("shiny") as instance:
        instance.write(Record(placement=shiny_sandbox()))
        _write(instance.folder / "ansible" / "vars.json", "{}")
    with setup_lock():
        Journal("x").intend(ChangeKind.POOL, ("x",))
    with build_lock(tmp_path / "cache" / "sandbox" / "baked" / "x", "x", lambda _: None):
        pass
    assert_private(tmp_path / "state" / "sandbox")
    folders = modes_below(tmp_path / "cache" / "sandbox")
    assert {folders[name] for name in (".", "baked", "baked/x")} == {0o700}


def test_an_open_folder_of_an_older_version_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = tmp_path / "sandbox" / "instances" / "shiny"
    folder.mkdir(parents=True)
    for one in (folder, folder.parent, folder.parent.parent):
        one.chmod(0o777)
    with locked("shiny") as instance:
        instance.write(Record(placement=shiny_sandbox()))
    assert_private(tmp_path / "sandbox")


def test_nothing_outside_of_ours_is_changed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    private_folder(tmp_path / "ours" / "deep", tmp_path / "ours")
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_page_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.html"
    page.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for write in (hand_over, write_whole):
        with pytest.raises(OSError, match="No space left"):
            write(page, "new" * 10_000)
    assert page.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_users_file_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.html", tmp_path / "link.html"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    hand_over(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_a_new_file_of_the_user_is_as_the_umask_says(umask: int, tmp_path: Path) -> None:
    hand_over(tmp_path / "page.html", "x")
    assert stat.S_IMODE((tmp_path / "page.html").stat().st_mode) == 0o666 & ~umask


def test_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    hand_over(Path("/dev/null"), "x")
    assert Path("/dev/null").is_char_device()


def test_what_a_killed_command_left_beside_it_goes(tmp_path: Path) -> None:
    no_process = 2**22 + 1
    (tmp_path / f".page.html.{no_process}-1.new").write_text("half")
    (tmp_path / f".page.html.{os.getpid()}-1.new").write_text("somebody writes")
    hand_over(tmp_path / "page.html", "x")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f".page.html.{os.getpid()}-1.new", "page.html"]


def test_what_is_made_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "app.tar"
    path.write_text("old")
    with whole_file(path) as fresh:
        fresh.write_text("ne")
        assert path.read_text() == "old"
        fresh.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), Interrupted(2)])
def test_what_did_not_become_whole_is_gone(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "app.tar"
    path.write_text("old")

    def make() -> None:
        with whole_file(path) as fresh:
            fresh.write_text("half")
            raise error

    with pytest.raises(type(error)):
        make()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_that_make_the_same_file_at_once_do_not_meet(tmp_path: Path) -> None:
    path, meet, made = tmp_path / "app.tar", threading.Barrier(2, timeout=10), []

    def make(content: str) -> None:
        with whole_file(path) as fresh:
            fresh.write_text(content)
            meet.wait()
            made.append(fresh.read_text())

    threads = [threading.Thread(target=make, args=(name * 3,), daemon=True) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(made) == ["aaa", "bbb"]
    assert path.read_text() in made
    assert list(tmp_path.iterdir()) == [path]
