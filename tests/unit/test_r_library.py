"""What the installer of R packages decides without an R: how it shares out, and what it unpacks."""

import importlib
import io
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

FILES = Path(__file__).resolve().parents[2] / "playbooks/roles/r_library/files"
_MODULES = ("install_library", "package_files", "r_process")


@pytest.fixture
def installer(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(FILES))
    yield importlib.import_module("install_library")
    for name in _MODULES:
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("count", "cores", "sizes"),
    [
        (0, 2, []),
        (1, 2, [1]),
        (100, 2, [50, 50]),
        (7, 3, [3, 2, 2]),
        (161, 2, [41, 40, 40, 40]),
        (200, 1, [67, 67, 66]),
    ],
)
def test_each_r_loads_as_many_packages(
    installer: ModuleType, count: int, cores: int, sizes: list[int]
) -> None:
    names = [f"p{number}" for number in range(count)]
    batches = installer.dealt(names, cores)
    assert [len(batch) for batch in batches] == sizes
    assert sorted(name for batch in batches for name in batch) == sorted(names)


def archive(path: Path, *members: tuple[str, bytes | None]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if content is None:
                member.type, member.linkname = tarfile.SYMTYPE, "R"
                tar.addfile(member)
            else:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return path


def test_files_of_one_folder_are_unpacked_beside_each_other(
    installer: ModuleType, tmp_path: Path
) -> None:
    packed = archive(tmp_path / "a.tar.gz", ("a/R/b/one", b"1"), ("a/R/two", b"2"), ("a/c", b"3"))
    top = installer.files.unpack(packed, tmp_path / "out")
    found = {str(one.relative_to(top)): one.read_bytes() for one in top.rglob("*") if one.is_file()}
    assert found == {"R/b/one": b"1", "R/two": b"2", "c": b"3"}


@pytest.mark.parametrize("later", [b"a file", None])
def test_nothing_takes_the_place_of_a_folder_that_has_files(
    installer: ModuleType, tmp_path: Path, later: bytes | None
) -> None:
    packed = archive(
        tmp_path / "a.tar.gz", ("a/R/b/one", b"1"), ("a/R/b", later), ("a/R/b/two", b"2")
    )
    with pytest.raises(installer.files.UnsafeError, match="in a folder's place: b"):
        installer.files.unpack(packed, tmp_path / "out")


def test_of_a_long_line_both_ends_are_told(installer: ModuleType, tmp_path: Path) -> None:
    del installer
    log = tmp_path / "ab.log"
    files = ", ".join(f"src/libuv/test/test-error-{number}.c" for number in range(900))
    log.write_text(f"files {files} are missing\nthread.h:4:10: fatal error: uv.h: none\n")
    missing, fatal = importlib.import_module("r_process").last_words(log).splitlines()
    assert missing.startswith("files src/libuv/test/test-error-0.c, ")
    assert missing.endswith("test-error-899.c are missing")
    assert len(missing) < 500
    assert fatal == "thread.h:4:10: fatal error: uv.h: none"
