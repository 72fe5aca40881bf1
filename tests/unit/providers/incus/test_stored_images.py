"""Which base images have been overtaken, and what of their builds may go."""

import fcntl
from pathlib import Path
from typing import Any

import pytest

from sandbox.images.build_folder import clear_folder, stale_folders
from sandbox.providers.incus import stored_images as outdated
from sandbox.providers.incus.client import IncusClient
from sandbox.providers.incus.place import IncusPlace
from sandbox.providers.vagrant.stored_boxes import stored_keys


def image(alias: str, letter: str, uploaded: str, **more: Any) -> dict[str, Any]:
    return {
        "fingerprint": letter * 64,
        "aliases": [{"name": alias}],
        "uploaded_at": uploaded,
        "last_used_at": "0001-01-01T00:00:00Z",
        "size": 1000,
        "properties": {"sandbox.key": alias[-12:]},
        **more,
    }


class Incus(IncusClient):
    def __init__(self, images: list[dict[str, Any]]) -> None:
        super().__init__(IncusPlace.from_prefix("test"))
        self.images = images
        self.asked: list[str] = []

    def query(self, method: str, path: str, *_: object, **__: object) -> Any:
        self.asked.append(f"{method} {path}")
        return self.images


OLD, NEW = "base-debian-12-0123456789ab", "base-debian-12-ba9876543210"


@pytest.fixture
def images_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path / "vagrant"))
    folder = tmp_path / "sandbox" / "images"
    folder.mkdir(parents=True)
    return folder


def build_in(folder: Path, key: str) -> Path:
    made = folder / key
    made.mkdir()
    (made / "packages.txt.gz").write_text("x")
    (made / "lock").touch()
    return made


def test_the_newest_of_each_base_is_not_outdated() -> None:
    client = Incus(
        [
            image(OLD, "a", "2026-10-01T00:00:00.123456789Z"),
            image(NEW, "b", "2026-11-01T00:00:00Z", last_used_at="2026-11-05T00:00:00.5Z"),
            image("base-debian-13-0123456789ab", "c", "2026-09-01T00:00:00Z"),
            image("somebody-elses", "d", "2026-09-01T00:00:00Z"),
        ]
    )
    found = {base.name: base.outdated for base in outdated.base_images(client)}
    assert found == {NEW: False, OLD: True, "base-debian-13-0123456789ab": False}
    newest = outdated.base_images(client)[0]
    assert (newest.base, newest.used_at.day) == ("debian-12", 5)


def test_removing_takes_what_was_kept_of_the_build(images_dir: Path) -> None:
    client = Incus([image(OLD, "a", "2026-10-01T00:00:00Z")])
    folder = build_in(images_dir, "0123456789ab")
    [base] = outdated.base_images(client)
    outdated.remove_base(client, base)
    assert client.asked[-1] == f"DELETE /1.0/images/{'a' * 64}"
    assert [path.name for path in folder.iterdir()] == ["lock"]


def test_folders_of_images_that_are_there_stay(images_dir: Path, tmp_path: Path) -> None:
    client = Incus([image(NEW, "b", "2026-11-01T00:00:00Z")])
    build_in(images_dir, "ba9876543210")
    gone, box = build_in(images_dir, "0123456789ab"), build_in(images_dir, "aaaaaaaaaaaa")
    boxes = tmp_path / "vagrant" / "boxes"
    (boxes / f"sandbox-VAGRANTSLASH-debian-12-{box.name}").mkdir(parents=True)
    assert stale_folders(outdated.built_keys(client) | stored_keys()) == (gone,)
    assert clear_folder(gone)
    assert stale_folders(outdated.built_keys(client) | stored_keys()) == ()


def test_a_build_that_is_going_on_is_left_alone(images_dir: Path) -> None:
    folder = build_in(images_dir, "0123456789ab")
    with (folder / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert stale_folders(outdated.built_keys(Incus([]))) == ()
        assert not clear_folder(folder)
    assert (folder / "packages.txt.gz").exists()
