"""Homes out of a seat and into one: the very scripts that run there, with real tar, run here.

Learners are careless or hostile: nothing of theirs may hang, fill this host, or leave the home.
"""

import io
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.workshop.homes import (
    LAY_HOME,
    PARTLY,
    SAVE_HOME,
    TOO_LARGE,
    UNCHANGED,
    is_whole,
    look_said,
    save_words,
)

NOBODY = 65534
AS_IS = """#!/bin/sh
# A stand-in for setpriv where the tests are not root: the account is the one that runs them
while [ "$1" != --reset-env ]; do shift; done
shift
exec "$@"
"""


class Home:
    """A home, and what a seat has around it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "home"
        self.bin = folder / "bin"
        for one in (self.bin, self.path):
            one.mkdir(mode=0o755)
        self._tool("getent", f"#!/bin/sh\necho 'x:x:1:1::{self.path}:/bin/sh'\n")
        if os.geteuid() != 0:
            self._tool("setpriv", AS_IS)
            self._tool("id", f"#!/bin/sh\necho {os.getegid()}\n")

    def _tool(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def file(self, name: str, data: bytes = b"x") -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def own(self) -> None:
        """Give all to the learner."""
        if os.geteuid() == 0:
            for one in (self.path, *self.path.rglob("*")):
                os.chown(one, NOBODY, NOBODY, follow_symlinks=False)

    def save(self, max_mb: int = 10, since: int = 0) -> "subprocess.CompletedProcess[bytes]":
        return self._run(SAVE_HOME, *save_words("nobody", max_mb, since))

    def saved(self, max_mb: int = 10) -> tarfile.TarFile:
        self.own()
        done = self.save(max_mb)
        assert done.returncode == 0, done.stderr
        archive = self.folder / "home.tar"
        archive.write_bytes(done.stdout)
        assert is_whole(archive)
        return tarfile.open(fileobj=io.BytesIO(done.stdout))

    def clock(self) -> int:
        look = look_said(self.save().stderr.decode())
        assert look is not None
        return look.clock

    def settle(self) -> None:
        """Wait until the second of the last change is over."""
        now = time.time()
        time.sleep(int(now) + 1.01 - now)

    def lay(self, archive: bytes) -> "subprocess.CompletedProcess[bytes]":
        return self._run(LAY_HOME, "nobody", data=archive)

    def _run(
        self, script: str, *words: str, data: bytes = b""
    ) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            ["sh", "-c", script, "sh", *words],
            env={"PATH": f"{self.bin}:{os.environ['PATH']}"},
            input=data,
            capture_output=True,
            check=False,
            timeout=60,
        )


@pytest.fixture
def home() -> Iterator[Home]:
    # pytest's own folder is closed to the account that the scripts run as
    folder = Path(tempfile.mkdtemp(prefix="sandbox-home-"))
    folder.chmod(0o755)
    yield Home(folder)
    shutil.rmtree(folder)


def names(archive: tarfile.TarFile) -> set[str]:
    return {one.name.removeprefix("./") for one in archive if not one.isdir()}


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return data.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, 0o644
    return info


def test_a_home_is_saved_without_its_caches(home: Home) -> None:
    for name in ("a.R", ".cache/R/big", "p/.Rproj.user/x", ".Rhistory", "sub dir/b"):
        home.file(name)
    (home.path / "link").symlink_to("/etc/passwd")
    archive = home.saved()
    assert names(archive) == {"a.R", ".Rhistory", "sub dir/b", "link"}
    assert archive.getmember("./link").issym()


def test_names_may_hold_anything(home: Home) -> None:
    for name in ("new\nline", "--delete", "-rf", " ", "quote'\"$(id)`id`", "\udcff"):
        home.file(name)
    assert names(home.saved()) == {one.name for one in home.path.iterdir()}


def test_pipes_and_sockets_do_not_hang_it_and_are_left_out(home: Home) -> None:
    home.file("a.R")
    os.mkfifo(home.path / "pipe")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(home.path / "sock"))
    assert names(home.saved()) == {"a.R"}


def test_a_sparse_file_is_as_small_as_it_is(home: Home) -> None:
    with home.file("sparse").open("wb") as file:
        file.truncate(5 * 1024**4)
    started = time.monotonic()
    archive = home.saved()
    assert archive.getmember("./sparse").size == 5 * 1024**4
    assert (home.folder / "home.tar").stat().st_size < 1024**2
    assert time.monotonic() - started < 10


def test_a_home_that_is_too_large_is_not_saved_and_says_its_size(home: Home) -> None:
    home.file("big", os.urandom(3 * 1024**2))
    home.own()
    done = home.save(max_mb=2)
    assert (done.returncode, done.stdout) == (TOO_LARGE, b"")
    look = look_said(done.stderr.decode())
    assert look is not None
    assert look.size_mb in {3, 4}


def test_many_empty_files_are_as_large_as_their_archive(home: Home) -> None:
    for number in range(5000):
        home.file(f"many/{number}", b"")
    home.own()
    done = home.save(max_mb=1)
    assert done.returncode == TOO_LARGE
    # Never more than one byte above it comes out, whatever is in there
    assert len(done.stdout) <= 1024**2 + 1


def test_what_its_own_account_may_not_read_is_counted(home: Home) -> None:
    home.file("a.R")
    secret = home.file("closed")
    home.own()
    secret.chmod(0)
    done = home.save()
    look = look_said(done.stderr.decode())
    assert done.returncode == 0
    assert look is not None
    assert look.unreadable == 1


def test_no_link_leads_the_copy_out_of_the_home(home: Home) -> None:
    outside = home.folder / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s3cret")
    (home.path / "folder").symlink_to(outside)
    (home.path / "file").symlink_to(outside / "secret")
    archive = home.saved()
    assert names(archive) == {"folder", "file"}
    assert b"s3cret" not in (home.folder / "home.tar").read_bytes()


def test_only_a_change_makes_a_copy(home: Home) -> None:
    kept, gone = home.file("a/kept.R"), home.file("a/gone.R")
    home.file(".cache/x")
    home.own()
    home.settle()
    since = home.clock()
    assert home.save(since=since).returncode == UNCHANGED
    home.file(".cache/x", b"changed")
    assert home.save(since=since).returncode == UNCHANGED
    # Removed, renamed, set back in time: each is a change
    for change in (
        gone.unlink,
        lambda: kept.rename(kept.with_name("renamed.R")),
        lambda: os.utime(kept.with_name("renamed.R"), (1, 1)),
    ):
        change()
        assert home.save(since=since).returncode == 0
        home.settle()
        since = home.clock()
        assert home.save(since=since).returncode == UNCHANGED
    # A clock that was set back says nothing of what has changed
    assert home.save(since=since + 3600).returncode == 0


def test_a_home_comes_back_as_it_was(home: Home) -> None:
    home.file("course/a.R", b"mine").chmod(0o640)
    (home.path / "link").symlink_to("course/a.R")
    home.saved()
    archive = (home.folder / "home.tar").read_bytes()
    shutil.rmtree(home.path)
    home.path.mkdir(mode=0o755)
    # What was handed out is there already: of it the learner made a file
    home.file("link/handed-out")
    home.file("course/a.R", b"handed out")
    home.own()
    done = home.lay(archive)
    assert done.returncode == 0, done.stderr
    found = home.path / "course" / "a.R"
    assert (found.read_bytes(), found.stat().st_mode & 0o777) == (b"mine", 0o640)
    assert (home.path / "link").readlink() == Path("course/a.R")


def test_a_home_that_is_laid_twice_has_nothing_that_is_gone(home: Home) -> None:
    home.file("course/a.R", b"new")
    home.file("now-a-file", b"new")
    home.saved()
    archive = (home.folder / "home.tar").read_bytes()
    home.file("course/gone.R")
    home.file("gone/b.R")
    (home.path / "gone-link").symlink_to("/etc/passwd")
    home.file("course/a.R", b"old")
    (home.path / "now-a-file").unlink()
    home.file("now-a-file/inside")
    home.own()
    done = home.lay(archive)
    assert done.returncode == 0, done.stderr
    left = {str(one.relative_to(home.path)): one for one in home.path.rglob("*")}
    files = {name: one.read_bytes() for name, one in left.items() if one.is_file()}
    assert files == {"course/a.R": b"new", "now-a-file": b"new"}
    assert not any(one.is_symlink() for one in left.values())
    assert Path("/etc/passwd").exists()


def test_no_archive_writes_outside_of_the_home(home: Home) -> None:
    outside = home.folder / "outside"
    outside.mkdir(mode=0o777)
    outside.chmod(0o777)
    home.own()
    bomb = tar_of(
        (member("../outside/up"), b"x"),
        (member(f"{outside}/absolute"), b"x"),
        (member("way", tarfile.SYMTYPE, str(outside)), b""),
        (member("way/through-a-link"), b"x"),
        (member("hard", tarfile.LNKTYPE, "../outside/other"), b""),
        (member("dev", tarfile.CHRTYPE), b""),
        (member("good.R"), b"good"),
    )
    done = home.lay(bomb)
    assert done.returncode == PARTLY
    assert list(outside.iterdir()) == []
    assert (home.path / "good.R").read_bytes() == b"good"
    assert len(done.stderr) <= 2100


def test_an_archive_that_is_cut_is_not_whole(home: Home, tmp_path: Path) -> None:
    home.file("a.R", b"x" * 100_000)
    home.saved()
    data = (home.folder / "home.tar").read_bytes()
    for size in (0, 512, 50_000, 51_200):
        (tmp_path / "cut").write_bytes(data[:size])
        assert not is_whole(tmp_path / "cut")
    assert home.lay(data[:51_200]).returncode == PARTLY
