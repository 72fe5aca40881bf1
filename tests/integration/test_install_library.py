"""The installer of R packages, for real: this host's R, into folders of the test."""

import io
import json
import os
import platform
import shutil
import struct
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import cannot_run

INSTALLER = (
    Path(__file__).resolve().parents[2] / "playbooks/roles/r_library/files/install_library.py"
)


@cache
def r_version() -> str:
    if shutil.which("R") is None or shutil.which("gcc") is None:
        cannot_run("R or gcc is not installed")
    said = subprocess.run(
        ["R", "--no-echo", "--vanilla", "-e", "cat(as.character(getRversion()))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return said.stdout


def tarball(path: Path, members: Mapping[str, bytes | tarfile.TarInfo]) -> Path:
    """A tar file with these files; a TarInfo stands for itself."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), int(time.time())
            archive.addfile(member, io.BytesIO(content))
    return path


def source(
    folder: Path,
    name: str,
    *,
    version: str = "1.0",
    r: str = "",
    c: str = "",
    imports: Sequence[str] = (),
    exports: str = "",
) -> Path:
    """A source package of its own making."""
    needs = f"Imports: {', '.join(imports)}\n" if imports else ""
    description = (
        f"Package: {name}\nVersion: {version}\nTitle: For a Test\nDescription: For a test.\n"
        f"Author: A\nMaintainer: A <a@example.org>\nLicense: MIT\n{needs}"
    )
    space = "".join(f"import({one})\n" for one in imports) + exports
    files = {
        f"{name}/DESCRIPTION": description.encode(),
        f"{name}/NAMESPACE": (space + (f"useDynLib({name})\n" if c else "")).encode(),
        f"{name}/R/code.R": f"f <- function() '{version}'\n{r}\n".encode(),
    }
    if c:
        files[f"{name}/src/code.c"] = c.encode()
    return tarball(folder / f"{name}_{version}.tar.gz", files)


@dataclass
class Bench:
    folder: Path
    packages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def library(self) -> Path:
        return self.folder / "lib" / "site-library"

    @property
    def materials(self) -> Path:
        return self.folder / "materials"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def add(self, path: Path, *, is_binary: bool = False, needs: Sequence[str] = ()) -> None:
        name, _, version = path.name.removesuffix(".tar.gz").partition("_")
        self.packages = [one for one in self.packages if one["name"] != name]
        self.packages.append(
            {
                "file_name": path.name,
                "name": name,
                "version": version,
                "sha256": sha256(path.read_bytes()).hexdigest(),
                "is_binary": is_binary,
                "needs": list(needs),
            }
        )

    def install(self, **more: Any) -> dict[str, Any]:
        said = {
            "r": r_version(),
            "program": shutil.which("R"),
            "library": str(self.library),
            "materials": str(self.materials),
            "logs": str(self.logs),
            "moved_away": str(self.folder / "away"),
            "files": self.packages,
            **more,
        }
        order = self.folder / "order.json"
        order.write_text(json.dumps(said))
        done = subprocess.run(
            [sys.executable, "-W", "error", str(INSTALLER), str(order)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        result: dict[str, Any] = json.loads((self.logs / "result.json").read_text())
        assert bool(result["problems"]) == (done.returncode != 0)
        # Who reads of a failure reads words, and no JSON after them
        assert done.stdout == ("" if done.returncode else f"{json.dumps(result, indent=1)}\n")
        result["stderr"] = done.stderr
        return result

    def versions(self) -> dict[str, str]:
        """What R itself finds there."""
        code = (
            f"x <- installed.packages('{self.library}', noCache = TRUE);"
            "cat(paste(x[, 'Package'], x[, 'Version']), sep = '\\n')"
        )
        done = subprocess.run(
            ["R", "--no-echo", "--vanilla", "-e", code], capture_output=True, text=True, check=True
        )
        return dict(line.split(" ", 1) for line in done.stdout.splitlines() if line.strip())

    def leftovers(self) -> list[str]:
        return sorted(one.name for one in self.library.parent.iterdir())


C_CODE = "#include <Rinternals.h>\nSEXP one(void) { return ScalarInteger(1); }\n"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    r_version()
    made = Bench(tmp_path)
    made.materials.mkdir()
    return made


def built(bench: Bench, package: Path) -> Path:
    """The binary that R makes of a source package."""
    library = bench.folder / "for-building"
    library.mkdir(exist_ok=True)
    place = bench.folder / "built"
    place.mkdir(exist_ok=True)
    subprocess.run(
        ["R", "CMD", "INSTALL", "--build", f"--library={library}", str(package)],
        cwd=place,
        capture_output=True,
        check=True,
    )
    (made,) = place.glob("*_R_*.tar.gz")
    return Path(shutil.move(made, bench.materials / package.name))


def test_sources_are_compiled_in_order_and_are_as_wanted_the_next_time(bench: Bench) -> None:
    where = bench.materials
    bench.add(source(where, "low", c=C_CODE))
    bench.add(source(where, "mid", imports=["low"]), needs=["low"])
    bench.add(source(where, "top", imports=["mid"]), needs=["mid"])
    first = bench.install()
    assert first["problems"] == []
    assert (first["changed"], first["compiled"]) == (True, 3)
    assert bench.versions() == {"low": "1.0", "mid": "1.0", "top": "1.0"}
    assert (bench.logs / "low.log").read_text().count("code.c") >= 1
    assert bench.leftovers() == [".site-library.lock", "site-library"]
    again = bench.install()
    assert (again["changed"], again["compiled"], again["problems"]) == (False, 0, [])


def test_only_what_changed_and_what_was_built_with_it_is_compiled_again(bench: Bench) -> None:
    where = bench.materials
    bench.add(source(where, "low"))
    bench.add(source(where, "other", c=C_CODE))
    bench.add(source(where, "top", imports=["low"]), needs=["low"])
    assert bench.install()["compiled"] == 3
    library = bench.library / "other" / "libs" / "other.so"
    inode = library.stat().st_ino
    bench.packages[0:1] = []
    bench.add(source(where, "low", version="1.1"))
    bench.packages.sort(key=lambda one: one["name"])
    second = bench.install()
    assert (second["compiled"], second["linked"]) == (2, 1)
    assert bench.versions() == {"low": "1.1", "other": "1.0", "top": "1.0"}
    assert library.stat().st_ino == inode


def test_a_package_that_is_off_the_list_is_gone(bench: Bench) -> None:
    bench.add(source(bench.materials, "aa"))
    bench.add(source(bench.materials, "bb"))
    bench.install()
    bench.packages.pop()
    assert bench.install()["changed"] is True
    assert bench.versions() == {"aa": "1.0"}


def test_a_compiler_error_is_shown_and_the_library_of_before_stays(bench: Bench) -> None:
    bench.add(source(bench.materials, "good"))
    assert bench.install()["problems"] == []
    before = sorted(
        (one.relative_to(bench.library), one.stat().st_ino) for one in bench.library.rglob("*")
    )
    bench.add(source(bench.materials, "bad", c="int broken(void) { return Calloc_is_gone; }\n"))
    bench.add(source(bench.materials, "user", imports=["bad"]), needs=["bad"])
    bench.add(source(bench.materials, "alone"))
    result = bench.install(locked_with="4.1.0")
    (only,) = result["problems"]
    assert (only["package"], only["what"]) == ("bad", "compile")
    assert "Calloc_is_gone" in only["words"]
    assert Path(only["log"]).read_text(encoding="utf-8").count("Calloc_is_gone") >= 1
    assert f"bad 1.0 does not compile with R {r_version()}" in result["stderr"]
    assert "These packages were locked with R 4.1.0." in result["stderr"]
    assert (result["linked"], result["compiled"]) == (1, 1), "all failures are found at once"
    after = sorted(
        (one.relative_to(bench.library), one.stat().st_ino) for one in bench.library.rglob("*")
    )
    assert after == before
    assert bench.leftovers() == [".site-library.lock", "site-library"]


def test_the_loaders_own_error_is_shown(bench: Bench) -> None:
    # It loads while it is installed, and not afterwards
    code = (
        ".onLoad <- function(lib, pkg) if (!nzchar(Sys.getenv('R_INSTALL_PKG')))"
        " stop('no licence server here')"
    )
    bench.add(source(bench.materials, "good"))
    bench.add(source(bench.materials, "late", r=code))
    result = bench.install()
    (only,) = result["problems"]
    assert (only["package"], only["what"]) == ("late", "load")
    assert "no licence server here" in only["words"]
    assert not any(bench.library.iterdir())


def test_a_package_that_ends_r_hides_no_other(bench: Bench) -> None:
    code = (
        ".onLoad <- function(lib, pkg) if (!nzchar(Sys.getenv('R_INSTALL_PKG'))) quit(status = 3)"
    )
    for name in ("aa", "bb", "zz"):
        bench.add(source(bench.materials, name))
    bench.add(source(bench.materials, "mm", r=code))
    result = bench.install(cores=1)
    assert [one["package"] for one in result["problems"]] == ["mm"]
    assert "R ended with 3" in result["problems"][0]["words"]


def test_binaries_are_unpacked_and_need_no_compiler(bench: Bench) -> None:
    path = built(bench, source(bench.folder, "quick", c=C_CODE))
    bench.add(path, is_binary=True)
    result = bench.install()
    assert result["problems"] == []
    assert (result["unpacked"], result["compiled"]) == (1, 0)
    assert bench.versions() == {"quick": "1.0"}


def test_a_binary_of_another_minor_is_refused(bench: Bench) -> None:
    path = built(bench, source(bench.folder, "quick"))
    bench.add(path, is_binary=True)
    result = bench.install(r="4.9.1")
    (only,) = result["problems"]
    assert "it was built with R " in only["words"]
    assert "this is R 4.9.1" in only["words"]


def test_a_binary_for_another_machine_does_not_get_into_the_library(bench: Bench) -> None:
    path = built(bench, source(bench.folder, "quick", c=C_CODE))
    other = 183 if platform.machine() == "x86_64" else 62
    with tarfile.open(path) as archive:
        members: dict[str, bytes | tarfile.TarInfo] = {}
        for one in archive:
            stream = archive.extractfile(one)
            content = stream.read() if stream is not None else b""
            if one.name.endswith(".so"):
                content = content[:18] + struct.pack("<H", other) + content[20:]
            if one.isfile():
                members[one.name] = content
    bench.add(tarball(path, members), is_binary=True)
    (only,) = bench.install()["problems"]
    assert only["what"] == "load"
    assert "quick.so" in only["words"]
    assert not any(bench.library.iterdir())


def test_what_the_list_has_as_binary_must_be_one(bench: Bench) -> None:
    bench.add(source(bench.materials, "plain"), is_binary=True)
    (only,) = bench.install()["problems"]
    assert "it is not a binary package" in only["words"]


def test_another_version_than_that_of_the_list_is_refused(bench: Bench) -> None:
    path = source(bench.materials, "aa", version="1.0")
    bench.add(Path(shutil.move(path, path.with_name("aa_2.0.tar.gz"))))
    (only,) = bench.install()["problems"]
    assert (only["what"], only["words"]) == ("version", "1.0 was installed in its place")


def test_files_that_are_absent_or_damaged_are_all_named(bench: Bench) -> None:
    bench.add(source(bench.materials, "aa"))
    bench.add(source(bench.materials, "bb"))
    (bench.materials / "aa_1.0.tar.gz").unlink()
    with (bench.materials / "bb_1.0.tar.gz").open("ab") as file:
        file.write(b"x")
    problems = bench.install()["problems"]
    assert ["is not there" in problems[0]["words"], "is damaged" in problems[1]["words"]] == [
        True,
        True,
    ]


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"../evil": b"x"}, "leads out of it"),
        ({"aa/../../evil": b"x"}, "leads out of it"),
        ({"/tmp/evil-of-the-test": b"x"}, "absolute name"),
        ({"aa/link": link("aa/link", "/etc")}, "link to outside"),
        ({"aa/link": link("aa/link", "../../x")}, "link to outside"),
        (
            {"aa/d": link("aa/d", "."), "aa/d/x": b"x"},
            "a file or link of it is in a folder's place",
        ),
        ({"aa/hard": link("aa/hard", "/etc/passwd", tarfile.LNKTYPE)}, "absolute name"),
        ({"aa/pipe": link("aa/pipe", "", tarfile.FIFOTYPE)}, "a device or a pipe"),
        ({"aa/x": b"x", "bb/x": b"x"}, "2 top folders"),
    ],
)
def test_an_archive_cannot_write_outside(
    bench: Bench, members: dict[str, bytes | tarfile.TarInfo], expected: str
) -> None:
    bench.add(tarball(bench.materials / "aa_1.0.tar.gz", members))
    (only,) = bench.install()["problems"]
    assert expected in only["words"]
    assert not Path("/tmp/evil-of-the-test").exists()
    assert not list(bench.folder.rglob("evil"))


def test_packages_of_somebody_else_are_moved_away_and_not_lost(bench: Bench) -> None:
    bench.library.mkdir(parents=True)
    foreign = bench.library / "theirs"
    foreign.mkdir()
    (foreign / "DESCRIPTION").write_text("Package: theirs\nVersion: 9.9\n")
    bench.add(source(bench.materials, "aa"))
    result = bench.install()
    assert result["problems"] == []
    assert (Path(result["moved_away"]) / "theirs" / "DESCRIPTION").is_file()
    assert bench.versions() == {"aa": "1.0"}


def test_fields_of_a_lock_are_in_the_installed_description(bench: Bench) -> None:
    bench.add(source(bench.materials, "aa"))
    bench.packages[0]["fields"] = [["RemoteType", "github"], ["RemoteSha", "a" * 40]]
    assert bench.install()["problems"] == []
    said = (bench.library / "aa" / "DESCRIPTION").read_text()
    assert f"RemoteSha: {'a' * 40}\n" in said


def test_a_package_in_a_folder_of_its_archive(bench: Bench) -> None:
    path = source(bench.folder, "aa")
    with tarfile.open(path) as archive:
        members = {
            f"repo-abc/pkg/{one.name}".replace("/aa/", "/"): stream.read()
            for one in archive
            if (stream := archive.extractfile(one)) is not None
        }
    bench.add(tarball(bench.materials / "aa_1.0.tar.gz", {**members, "repo-abc/README": b"x"}))
    bench.packages[0]["folder"] = "pkg"
    assert bench.install()["problems"] == []
    assert bench.versions() == {"aa": "1.0"}


def test_no_package_remembers_the_folder_in_which_it_was_made(bench: Bench) -> None:
    if os.geteuid() != 0:
        cannot_run("only root can mount")
    where = bench.materials
    bench.add(source(where, "low"))
    bench.add(
        source(where, "top", r="place <- system.file(package = 'low')", imports=["low"]),
        needs=["low"],
    )
    assert bench.install()["problems"] == []
    code = f".libPaths('{bench.library}'); cat(top:::place)"
    said = subprocess.run(
        ["R", "--no-echo", "--vanilla", "-e", code], capture_output=True, text=True, check=True
    )
    assert said.stdout == str(bench.library / "low")


def test_compilers_share_the_processors(bench: Bench) -> None:
    """Each package says, while it is configured, how many jobs it may start, and when."""
    for number in range(6):
        name = f"pkg{number}x"
        path = source(bench.folder, name)
        with tarfile.open(path) as archive:
            members: dict[str, bytes | tarfile.TarInfo] = {
                one.name: stream.read()
                for one in archive
                if (stream := archive.extractfile(one)) is not None
            }
        script = f'date +"%s.%N $MAKEFLAGS" >>{bench.folder}/{name}.times; sleep 0.5; ' + (
            f'date +"%s.%N end" >>{bench.folder}/{name}.times\n'
        )
        configure = tarfile.TarInfo(f"{name}/configure")
        made = tarball(bench.materials / path.name, members)
        with tarfile.open(made, "r:gz") as old:
            kept = [(one, old.extractfile(one)) for one in old.getmembers()]
            with tarfile.open(bench.folder / "new.tar.gz", "w:gz") as new:
                for one, stream in kept:
                    new.addfile(one, stream)
                content = f"#!/bin/sh\n{script}".encode()
                configure.size, configure.mode = len(content), 0o755
                new.addfile(configure, io.BytesIO(content))
        shutil.move(bench.folder / "new.tar.gz", made)
        bench.add(made)
    result = bench.install(cores=3)
    assert result["problems"] == []
    changes = []
    for path in bench.folder.glob("*.times"):
        start, end = path.read_text().splitlines()
        jobs = int(start.split("-j")[1])
        changes += [(float(start.split()[0]), jobs), (float(end.split()[0]), -jobs)]
    busy, most = 0, 0
    for _, change in sorted(changes):
        busy += change
        most = max(most, busy)
    assert most == 3, "all processors are used, and no more jobs are started than there are"


def test_the_role_says_what_failed_and_changes_nothing_the_second_time(bench: Bench) -> None:
    """The role on this host, into folders of the test."""
    playbook = shutil.which("ansible-playbook", path=str(Path(sys.executable).parent))
    if playbook is None:
        cannot_run("ansible-playbook is not installed")
    bench.add(source(bench.materials, "aa"))
    said = subprocess.run(["R", "RHOME"], capture_output=True, text=True, check=True)

    def play() -> subprocess.CompletedProcess[str]:
        variables = {
            "ansible_python_interpreter": sys.executable,
            "r_library_list": [
                {
                    "r": r_version(),
                    "home": said.stdout.strip(),
                    "library": str(bench.library),
                    "files": bench.packages,
                }
            ],
            "r_library_materials": str(bench.materials),
            "r_library_logs": str(bench.logs),
            "r_library_folder": str(bench.folder / "role"),
        }
        (bench.folder / "vars.json").write_text(json.dumps(variables))
        role = INSTALLER.parents[1]
        (bench.folder / "play.yml").write_text(
            f"- hosts: localhost\n  gather_facts: false\n  roles: [{role}]\n"
        )
        return subprocess.run(
            [playbook, "-i", "localhost,", "-c", "local", "-e", "@vars.json", "play.yml"],
            cwd=bench.folder,
            env={
                **os.environ,
                # Nothing of a killed run stays in /tmp
                **dict.fromkeys(
                    ("ANSIBLE_HOME", "ANSIBLE_REMOTE_TMP", "TMPDIR"), str(bench.folder)
                ),
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    first = play()
    assert first.returncode == 0, first.stdout + first.stderr
    assert bench.versions() == {"aa": "1.0"}
    assert "changed=0" in play().stdout
    bench.add(source(bench.materials, "bad", r="this is no R code"))
    last = play()
    assert last.returncode != 0
    assert "bad 1.0 does not compile with R" in last.stdout
