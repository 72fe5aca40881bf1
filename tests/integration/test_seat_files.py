"""Files into a home and out of it: the very programs that run in a seat, run here."""

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.paths import data_dir
from sandbox.workshop.homes import (
    SAVE_HOME,
    TOO_LARGE,
    CollectedHome,
    HomesManifest,
    differing,
    look_said,
    save_words,
    sha256_of,
)

PUSH = data_dir("templates") / "workshop" / "push.py"


def archive(files: Mapping[str, str]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            member.mode = 0o644
            tar.addfile(member, io.BytesIO(text.encode()))
    return data.getvalue()


def push(home: Path, files: Mapping[str, str], to: str = "course") -> dict[str, list[object]]:
    done = subprocess.run(
        [sys.executable, "-I", str(PUSH), to],
        input=archive(files),
        env={"HOME": str(home), "PATH": os.environ["PATH"]},
        capture_output=True,
        check=True,
        timeout=60,
    )
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_what_the_learner_changed_is_never_overwritten(tmp_path: Path) -> None:
    assert push(tmp_path, {"a.R": "1", "data/b.csv": "x"})["written"] == [
        "course/a.R",
        "course/data/b.csv",
    ]
    mine = tmp_path / "course" / "a.R"
    mine.write_text("mine")
    told = push(tmp_path, {"a.R": "2", "data/b.csv": "y"})
    assert told == {
        "written": ["course/data/b.csv"],
        "same": [],
        "aside": [["course/a.R", "course/a.R.new"]],
    }
    assert mine.read_text() == "mine"
    assert (tmp_path / "course" / "a.R.new").read_text() == "2"
    # Once more the same: nothing new is made; another version gets a name of its own
    assert push(tmp_path, {"a.R": "2"})["aside"] == [["course/a.R", "course/a.R.new"]]
    (tmp_path / "course" / "a.R.new").write_text("mine too")
    assert push(tmp_path, {"a.R": "3"})["aside"] == [["course/a.R", "course/a.R.new2"]]
    assert (tmp_path / "course" / "a.R.new").read_text() == "mine too"


def test_a_file_of_the_learners_own_with_that_name_stays(tmp_path: Path) -> None:
    (tmp_path / "a.R").write_text("mine")
    (tmp_path / "link.R").symlink_to("nowhere")
    told = push(tmp_path, {"a.R": "1", "link.R": "2"}, to=".")
    assert told["aside"] == [["a.R", "a.R.new"], ["link.R", "link.R.new"]]
    assert (tmp_path / "a.R").read_text() == "mine"
    assert (tmp_path / "link.R").is_symlink()


def test_one_that_the_learner_removed_comes_again(tmp_path: Path) -> None:
    push(tmp_path, {"a.R": "1"})
    (tmp_path / "course" / "a.R").unlink()
    assert push(tmp_path, {"a.R": "1"})["written"] == ["course/a.R"]


@pytest.mark.parametrize(
    ("to", "name"), [("..", "a"), ("/etc", "a"), (".", "../a"), (".", "/etc/a")]
)
def test_nothing_leaves_the_home(tmp_path: Path, to: str, name: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with pytest.raises(subprocess.CalledProcessError) as caught:
        push(home, {name: "x"}, to=to)
    assert b"not below the home" in caught.value.stderr
    assert [one.name for one in tmp_path.rglob("*")] == ["home"]


def save(account: str, max_mb: int, folder: Path) -> "subprocess.CompletedProcess[bytes]":
    """Save a home as in a seat, with a `getent` that knows this folder alone."""
    fake = folder / "bin"
    fake.mkdir(exist_ok=True)
    (fake / "getent").write_text(f"#!/bin/sh\necho 'ada:x:1:1::{folder / 'home'}:/bin/sh'\n")
    (fake / "getent").chmod(0o755)
    return subprocess.run(
        ["sh", "-c", SAVE_HOME, "sh", *save_words(account, max_mb)],
        env={"PATH": f"{fake}:{os.environ['PATH']}"},
        capture_output=True,
        check=False,
        timeout=60,
    )


def test_a_home_is_saved_without_its_caches(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name in ("a.R", ".cache/R/big", "p/.Rproj.user/x", ".Rhistory", "sub dir/b"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(name)
    (home / "link").symlink_to("/etc/passwd")
    done = save("ada", 10, tmp_path)
    assert done.returncode == 0, done.stderr
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        names = {one.name for one in tar if not one.isdir()}
        assert tar.getmember("./link").issym()
    assert names == {"./a.R", "./.Rhistory", "./sub dir/b", "./link"}
    assert look_said(done.stderr.decode()) is not None


def test_a_home_that_is_too_large_is_not_saved_and_says_its_size(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "big").write_bytes(os.urandom(3 * 1024**2))
    done = save("ada", 2, tmp_path)
    assert (done.returncode, done.stdout) == (TOO_LARGE, b"")
    look = look_said(done.stderr.decode())
    assert look is not None
    assert look.size_mb in (3, 4)


def test_a_list_proves_the_archives(tmp_path: Path) -> None:
    (tmp_path / "seat01.tar").write_bytes(b"abc")
    one = CollectedHome(
        seat="seat01",
        name="Ada",
        email="",
        file="seat01.tar",
        size_bytes=3,
        sha256=sha256_of(tmp_path / "seat01.tar"),
        taken_at=datetime(2026, 12, 1, 12, tzinfo=UTC),
    )
    manifest = HomesManifest(workshop="class", homes=(one,))
    (tmp_path / "SHA256SUMS").write_text(manifest.sums())
    subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=tmp_path, check=True, timeout=30)
    assert differing(tmp_path, manifest) == []
    (tmp_path / "seat01.tar").write_bytes(b"abd")
    assert differing(tmp_path, manifest) == ["seat01.tar"]
