"""Files into a home and out of it: the very programs that run in a seat, run here."""

import hashlib
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
    CollectedHome,
    HomesManifest,
    differing,
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
        "failed": [],
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


def test_a_file_of_an_older_hand_out_is_the_learners_no_more_than_the_newest(
    tmp_path: Path,
) -> None:
    # Cut off after the first file: it was noted before it was written
    push(tmp_path, {"a.R": "1"})
    (tmp_path / "course" / "a.R").write_text("2")
    known = tmp_path / ".local" / "state" / "sandbox" / "handed-out.jsonl"
    with known.open("a") as file:
        file.write(json.dumps(["course/a.R", hashlib.sha256(b"2").hexdigest()]) + "\nhalf a li")
    assert push(tmp_path, {"a.R": "3"})["written"] == ["course/a.R"]


def test_what_is_in_the_way_is_named_and_the_rest_comes(tmp_path: Path) -> None:
    (tmp_path / "course").write_text("a file of that name")
    os.mkfifo(tmp_path / "pipe.R")
    (tmp_path / "huge.R").touch()
    os.truncate(tmp_path / "huge.R", 5 * 1024**4)
    told = push(tmp_path, {"course/a.R": "1", "pipe.R": "2", "huge.R": "3", "b.R": "4"}, to=".")
    assert told["written"] == ["b.R"]
    assert told["aside"] == [["pipe.R", "pipe.R.new"], ["huge.R", "huge.R.new"]]
    assert [one[0] for one in told["failed"] if isinstance(one, list)] == ["course/a.R"]
    assert (tmp_path / "course").read_text() == "a file of that name"


def test_the_part_of_a_run_that_was_cut_off_leads_nowhere(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    home = tmp_path / "home"
    home.mkdir()
    (home / ".a.R.sandbox-part").symlink_to(outside)
    assert push(home, {"a.R": "1"}, to=".")["written"] == ["a.R"]
    assert not outside.exists()
    assert [one.name for one in home.iterdir() if one.name.endswith("part")] == []
