"""Lock files: what is written is read again, small changes are small diffs, damage has its line."""

import difflib
from pathlib import Path

import pytest

from sandbox.box_lock.text import lock_path, lock_text, read_lock
from sandbox.errors import BoxError, UsageError
from tests.unit.box_lock.made import box_lock, deb, machine, r_package


def test_it_is_next_to_the_box() -> None:
    assert lock_path(Path("/a/sales.yml")) == Path("/a/sales.lock.yml")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    github = r_package("gh", remote=(("RemoteSha", "1" * 40), ("RemoteType", "github")))
    lock = box_lock(files=(github,), left_out=("odd",))
    path = tmp_path / "x.lock.yml"
    path.write_text(lock_text(lock))
    assert read_lock(path) == lock


def test_one_changed_package_is_one_changed_line() -> None:
    before = lock_text(box_lock()).splitlines()
    debs = (deb("jq", "1.1-1", sha256="cd" * 32), *machine().debs[1:])
    after = lock_text(box_lock(debs=debs)).splitlines()
    changed = [one for one in difflib.ndiff(before, after) if one.startswith(("+ ", "- "))]
    assert len(changed) == 2
    assert all('"jq"' in one for one in changed)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (f'sha256: "{"ab" * 32}"', 'sha256: "ab"', "x.lock.yml:9"),
        ("format: 1", "format: 2", "x.lock.yml:2"),
        ("machines:", "<<<<<<< HEAD\nmachines:", "begins in line 4"),
        ('file_name: "jq', 'file_name: "../jq', "debs[0].file_name"),
        ('name: "jq"', 'name: "jq; id"', "debs[0].name"),
    ],
)
def test_damage_has_its_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    path = tmp_path / "x.lock.yml"
    text = lock_text(box_lock())
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(BoxError) as caught:
        read_lock(path)
    assert expected in caught.value.details
    assert "sandbox lock" in caught.value.hint


def test_none_is_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no lock file") as caught:
        read_lock(tmp_path / "x.lock.yml")
    assert "sandbox lock" in caught.value.hint


def test_a_lock_of_a_thousand_packages_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.lock.yml"
    path.write_text(lock_text(box_lock(debs=tuple(deb(f"p{n}") for n in range(1000)))))
    assert len(read_lock(path).machines["debian-12 x86_64"].debs) == 1000
