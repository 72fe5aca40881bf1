"""Files of this host, packed for a machine."""

import tarfile
from pathlib import Path

import pytest

from sandbox.materials.archive import Cargo, pack_cargo


def test_files_keep_their_bytes_and_belong_to_root(tmp_path: Path) -> None:
    source, archive = tmp_path / "a", tmp_path / "new" / "files.tar"
    source.write_bytes(b"bytes")
    source.chmod(0o600)
    pack_cargo([Cargo(source, "/var/cache/apt/archives/x_1_all.deb")], archive)
    with tarfile.open(archive) as tar:
        (member,) = tar.getmembers()
        content = tar.extractfile(member)
        assert content is not None
        assert content.read() == b"bytes"
    assert member.name == "var/cache/apt/archives/x_1_all.deb"
    assert (member.uid, member.gid, member.mode) == (0, 0, 0o644)
    assert archive.stat().st_mode & 0o077 == 0


def test_a_file_that_is_gone_leaves_no_archive(tmp_path: Path) -> None:
    archive = tmp_path / "new" / "files.tar"
    with pytest.raises(FileNotFoundError):
        pack_cargo([Cargo(tmp_path / "gone", "/x")], archive)
    assert list(archive.parent.iterdir()) == []
