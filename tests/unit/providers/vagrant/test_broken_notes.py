"""What a VM, its folder or an image says of itself may be anything: then it says nothing."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.errors import ExitCode, ProviderError
from sandbox.providers import Registry
from sandbox.providers.libvirt.hypervisor import _disk_of
from sandbox.providers.vagrant.baked_note import Draft, Note
from sandbox.providers.vagrant.files import VmFolder
from sandbox.providers.vagrant.vm import maker_of

_MOMENT = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("moment", ["yesterday", "2026-13-01", "%FF%FE", "9" * 5000, ""])
def test_an_image_with_no_moment_is_unfinished(moment: str) -> None:
    note = Draft("image", "k", ()).note(_MOMENT).replace(_MOMENT.isoformat(), "@")
    line = " ".join(
        f"complete={moment}" if word.startswith("complete=") else word for word in note.split()
    )
    found = Note.read(line)
    assert found is not None
    assert found.made_at is None
    assert not found.image("image", there=True, size_bytes=None, machines=()).complete


def test_a_moment_without_a_zone_can_be_compared() -> None:
    found = Note.read("made-by=sandbox-baked key=k complete=2026-01-02T00%3A00%3A00")
    assert found is not None
    assert found.made_at == _MOMENT


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"[" * 100_000, b'{"name": 1}'])
def test_a_vms_broken_record_is_named(tmp_path: Path, content: bytes) -> None:
    folder = VmFolder(tmp_path / "m")
    folder.path.mkdir()
    folder.record_path.write_bytes(content)
    with pytest.raises(ProviderError, match="cannot be read") as caught:
        folder.read()
    assert caught.value.exit_code is ExitCode.PROVIDER
    assert "sandbox destroy m" in caught.value.hint
    assert maker_of(folder.path) is None
    assert Registry().maker_of(folder.path) is None


def test_broken_host_keys_are_not_known_yet(tmp_path: Path) -> None:
    folder = VmFolder(tmp_path)
    folder.host_keys_path.write_bytes(b"\xff\xfe")
    assert folder.host_keys() == ()


@pytest.mark.parametrize(
    "content",
    [b"\xff", b"[7]", b"[" * 1000, b'{"disks": {}, "virtual_size": "x"}', b'{"disks": [7]}'],
)
def test_a_stored_box_that_is_broken_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "metadata.json"
    path.write_bytes(content)
    with pytest.raises(ProviderError, match="is broken"):
        _disk_of(path)
    path.write_bytes(b'{"disks": [{"path": "a.img"}], "virtual_size": 20}')
    assert _disk_of(path) == ("a.img", 20)
