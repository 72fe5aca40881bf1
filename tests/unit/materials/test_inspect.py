"""A package file is what its content says, whatever its name or server said."""

from pathlib import Path

import pytest

from sandbox.materials.packages.dcf import BrokenRecordsError
from sandbox.materials.packages.inspect import PackageFile, inspect
from tests.unit.materials.made import AARCH64, X86_64, binary, description, elf, source, tar


def look(tmp_path: Path, data: bytes, folder: str = "") -> PackageFile:
    path = tmp_path / "file"
    path.write_bytes(data)
    return inspect(path, folder=folder)


def test_a_source_package(tmp_path: Path) -> None:
    found = look(tmp_path, source("a", "1.2", Imports="b (>= 1.0), methods", LinkingTo="cpp11"))
    assert (found.name, found.version, found.is_binary) == ("a", "1.2", False)
    assert [one.name for one in found.needs] == ["b", "methods", "cpp11"]
    assert found.links_to == ("cpp11",)
    assert found.unfit("4.2", "x86_64") == "it is source"


def test_a_binary_that_fits(tmp_path: Path) -> None:
    found = look(tmp_path, binary("a", library=elf(X86_64)))
    assert found.is_binary
    assert found.built_with == "4.2.3"
    assert found.unfit("4.2", "x86_64") == ""


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (binary("a", r="4.1.3"), "it was built with R 4.1.3, and this R is 4.2"),
        (binary("a", r="4.20.0"), "it was built with R 4.20.0, and this R is 4.2"),
        (binary("a", r="?"), "it does not say which R it was built with"),
        (
            binary("a", library=elf(AARCH64)),
            "its libraries are for aarch64, and this machine is x86_64",
        ),
        (binary("a", library=b"\xcf\xfa\xed\xfe" + bytes(40)), "its libraries are for macOS"),
        (binary("a", library=b"MZ" + bytes(40)), "its libraries are for Windows"),
        (binary("a", library=b"\x7fELF"), "its libraries are for no system that is known"),
        (binary("a", library=elf(999)), "its libraries are for the machine 999"),
        (binary("a", index=False), "it is source"),
    ],
)
def test_a_binary_that_does_not_fit(tmp_path: Path, data: bytes, expected: str) -> None:
    assert look(tmp_path, data).unfit("4.2", "x86_64").startswith(expected)


def test_another_package_or_version(tmp_path: Path) -> None:
    found = look(tmp_path, source("a", "1.2-0"))
    assert found.not_asked_for("a", "1.2.0") == ""
    assert found.not_asked_for("b", "1.2-0") == "it holds the package `a`, not `b`"
    assert found.not_asked_for("a", "1.3") == "it holds a `1.2-0`, not 1.3"


def test_a_package_below_the_top_folder(tmp_path: Path) -> None:
    data = tar({"r-abc/README": b"", "r-abc/pkg/r/DESCRIPTION": description("a")})
    assert look(tmp_path, data, "pkg/r").name == "a"
    assert look(tmp_path, data, "/pkg/r/").folder == "pkg/r"
    with pytest.raises(BrokenRecordsError, match="no DESCRIPTION in its folder `other`"):
        look(tmp_path, data, "other")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>sign in</html>",
        source("a")[:-20],
        binary("a", library=elf(X86_64) + bytes(range(256)) * 40)[:300],
        tar({"a/R/code.R": b""}),
        tar({"DESCRIPTION": description("a")}),
    ],
)
def test_what_is_no_package(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BrokenRecordsError):
        look(tmp_path, data)
