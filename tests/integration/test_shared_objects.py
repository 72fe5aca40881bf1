"""Libraries that R packages' objects need: asked for many objects at once, true for each one."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.facts.collect import probe_local
from sandbox.facts.subjects.objects import UnresolvedObjects
from tests.conftest import cannot_run


@dataclass
class Library:
    """A library of R packages that have nothing but a shared object."""

    folder: Path

    def add(self, package: str, *options: str, name: str = "") -> Path:
        """Link an object with these options."""
        path = self.folder / package / "libs" / f"{name or package}.so"
        path.parent.mkdir(parents=True, exist_ok=True)
        link(path, *options)
        return path


def link(path: Path, *options: str) -> None:
    command = ["gcc", "-shared", "-nostdlib", "-x", "c", "/dev/null", "-x", "none"]
    always = ("-Wl,--no-as-needed", "-o", str(path))
    subprocess.run([*command, *always, *options], check=True, timeout=60)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    for program in ("R", "gcc"):
        if shutil.which(program) is None:
            cannot_run(f"there is no {program}: tools/prepare.sh --test")
    made = Library(tmp_path / "library")
    made.folder.mkdir()
    monkeypatch.setenv("R_LIBS", str(made.folder))
    first = made.add("fine000")
    for number in range(1, 120):
        path = made.folder / f"fine{number:03}" / "libs" / f"fine{number:03}.so"
        path.parent.mkdir(parents=True)
        shutil.copyfile(first, path)
    return made


def unresolved(library: Library) -> set[tuple[str, str]]:
    """The objects of the library that lack something, and what they lack."""
    facts = probe_local(use_sudo=False, timeout_s=120)
    assert not [one for one in facts.not_seen if one.what.startswith("R's shared objects")]
    return {
        (Path(one.path).name, missing)
        for one in facts[UnresolvedObjects]
        if str(library.folder) in one.path
        for missing in one.missing
    }


def test_of_many_the_one_that_lacks_something_is_named(library: Library, tmp_path: Path) -> None:
    link(tmp_path / "libgone.so")
    library.add("lacking", "-L", str(tmp_path), "-lgone")
    (tmp_path / "libgone.so").unlink()
    assert unresolved(library) == {("lacking.so", "libgone.so")}


def test_what_one_object_finds_on_its_own_path_another_does_not(
    library: Library, tmp_path: Path
) -> None:
    side = tmp_path / "side"
    side.mkdir()
    link(side / "libside.so")
    library.add("has_path", "-L", str(side), "-lside", f"-Wl,-rpath,{side}")
    library.add("lacks_path", "-L", str(side), "-lside")
    assert unresolved(library) == {("lacks_path.so", "libside.so")}


def test_what_another_package_has_is_not_found_by_its_name(
    library: Library, tmp_path: Path
) -> None:
    """An R that had loaded the one would have what the other lacks; another R would not."""
    library.add("brings", "-Wl,-soname,libshared.so", name="libshared")
    folder = library.folder / "brings" / "libs"
    library.add("needs", "-L", str(folder), "-lshared")
    assert unresolved(library) == {("needs.so", "libshared.so")}


def test_a_damaged_object_costs_the_others_nothing(library: Library, tmp_path: Path) -> None:
    # The first one by name, whose status is that of the loader; and one among others
    for name in ("damaged", "zzz"):
        damaged = library.folder / name / "libs" / f"{name}.so"
        damaged.parent.mkdir(parents=True)
        damaged.write_bytes(b"\x7fELF and then nothing")
    spaces = library.folder / "fine001" / "libs" / "with space.so"
    shutil.copyfile(library.folder / "fine001" / "libs" / "fine001.so", spaces)
    link(tmp_path / "libgone.so")
    library.add("lacking", "-L", str(tmp_path), "-lgone")
    (tmp_path / "libgone.so").unlink()
    assert unresolved(library) == {("lacking.so", "libgone.so")}
