"""The scripts that install, link and check several Rs, run in a folder of their own.

apt-get and the packages are stand-ins; what a real apt does with real packages, e2e tests see.
"""

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROLES = Path(__file__).resolve().parents[2] / "playbooks" / "roles"
SCRIPT = (ROLES / "r_versions" / "files" / "r-versions.sh").read_text()
CHECK = (ROLES / "r" / "files" / "check-r.sh").read_text()

STAND_IN_APT = """\
#!/bin/sh
# Stands in for apt-get: the packages named r-VERSION_1_amd64.deb bring an R that says its version
echo "$*" >>ROOT/apt.log
for word; do
    case $word in
    */r-*_1_amd64.deb)
        version=${word##*/r-}
        home=ROOT/opt/R/${version%_1_amd64.deb}
        mkdir -p "$home/bin" "$home/lib/R/etc"
        cat "$word" >"$home/lib/R/etc/Renviron"
        printf '#!/bin/sh\\necho\\n' >"$home/bin/R"
        cp "$home/bin/R" "$home/bin/Rscript"
        chmod +x "$home/bin/R" "$home/bin/Rscript"
        ;;
    r-*) echo gone >>ROOT/purged ;;
    esac
done
"""


@dataclass(frozen=True)
class Root:
    """A folder in place of the machine's root."""

    path: Path

    def build(self, version: str, renviron: str = "TAR=${TAR-'/usr/bin/tar'}\n") -> str:
        """Put a package there; returns its checksum."""
        file = self.path / "files" / f"r-{version}_1_amd64.deb"
        file.parent.mkdir(exist_ok=True)
        file.write_text(renviron)
        return hashlib.sha256(renviron.encode()).hexdigest()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        tools = self.path / "tools"
        tools.mkdir(exist_ok=True)
        (tools / "apt-get").write_text(STAND_IN_APT.replace("ROOT", str(self.path)))
        (tools / "apt-get").chmod(0o755)
        (self.path / "opt").mkdir(exist_ok=True)
        text = SCRIPT
        for place in ("/var/lib/sandbox/r_versions", "/usr/local/bin", "/opt/R", "/usr/bin/gtar"):
            assert place in text
            text = text.replace(place, f"{self.path}{place}")
        return subprocess.run(
            ["/bin/sh", "-c", text, "sh", str(self.path / "files"), *words],
            env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def changed(self, *words: str) -> bool:
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return "changed" in done.stdout.splitlines()

    def links(self) -> dict[str, str]:
        """Every link by its name, without this folder's own path."""
        found = [*self.path.glob("usr/local/bin/*"), self.path / "opt/R/current"]
        return {
            path.name: str(path.readlink()).removeprefix(str(self.path))
            for path in found
            if path.is_symlink()
        }

    def installations(self) -> list[str]:
        log = self.path / "apt.log"
        return [line for line in log.read_text().splitlines() if " install " in f" {line} "]


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path)


def r(version: str, sha256: str = "", *, default: bool = False, source: str = "posit") -> list[str]:
    deb = f"r-{version}_1_amd64.deb" if source == "posit" else ""
    return [version, source, deb, sha256, "true" if default else "false"]


DEBIAN = r("4.2.2", source="debian")
DEBIAN_DEFAULT = r("4.2.2", source="debian", default=True)


def test_two_builds_and_debians_r(root: Root) -> None:
    newer, older = root.build("4.4.1"), root.build("4.3.3")
    wanted = [*r("4.4.1", newer, default=True), *r("4.3.3", older), *DEBIAN]
    assert root.changed(*wanted)
    assert root.links() == {
        "R": "/opt/R/current/bin/R",
        "Rscript": "/opt/R/current/bin/Rscript",
        "current": "/opt/R/4.4.1",
        "R-4.4.1": "/opt/R/4.4.1/bin/R",
        "Rscript-4.4.1": "/opt/R/4.4.1/bin/Rscript",
        "R-4.3.3": "/opt/R/4.3.3/bin/R",
        "Rscript-4.3.3": "/opt/R/4.3.3/bin/Rscript",
        "R-4.2.2": "/usr/bin/R",
        "Rscript-4.2.2": "/usr/bin/Rscript",
    }
    (transaction,) = root.installations()
    assert "--no-install-recommends" in transaction
    assert "r-4.4.1_1_amd64.deb" in transaction
    assert "r-4.3.3_1_amd64.deb" in transaction
    assert "--reinstall" not in transaction


def test_a_second_run_changes_nothing(root: Root) -> None:
    wanted = [*r("4.4.1", root.build("4.4.1"), default=True), *DEBIAN]
    assert root.changed(*wanted)
    assert not root.changed(*wanted)
    assert len(root.installations()) == 1


def test_other_bytes_of_the_same_version_are_installed_again(root: Root) -> None:
    assert root.changed(*r("4.4.1", root.build("4.4.1"), default=True))
    assert root.changed(*r("4.4.1", root.build("4.4.1", "TAR=/bin/tar\n"), default=True))
    assert "--reinstall" in root.installations()[1]


def test_the_default_moves_and_debians_needs_no_link(root: Root) -> None:
    sum_ = root.build("4.4.1")
    assert root.changed(*r("4.4.1", sum_, default=True), *DEBIAN)
    assert root.changed(*DEBIAN_DEFAULT, *r("4.4.1", sum_))
    assert sorted(root.links()) == ["R-4.2.2", "R-4.4.1", "Rscript-4.2.2", "Rscript-4.4.1"]


def test_what_is_wanted_no_more_goes(root: Root) -> None:
    old = root.build("4.3.3")
    assert root.changed(*r("4.3.3", old, default=True), *DEBIAN)
    new = root.build("4.4.1")
    assert root.changed(*r("4.4.1", new, default=True))
    assert sorted(root.links()) == ["R", "R-4.4.1", "Rscript", "Rscript-4.4.1", "current"]
    assert not (root.path / "opt/R/4.3.3").exists()
    assert "purge r-4.3.3" in (root.path / "apt.log").read_text()
    assert root.changed(*DEBIAN_DEFAULT)
    assert root.links() == {}
    assert not (root.path / "var/lib/sandbox/r_versions").exists()


def test_an_r_of_somebody_else_stays(root: Root) -> None:
    own = root.path / "opt/R/4.0.5/bin/R"
    own.parent.mkdir(parents=True)
    own.write_text("")
    assert root.changed(*r("4.4.1", root.build("4.4.1"), default=True))
    assert root.changed(*DEBIAN_DEFAULT)
    assert own.exists()


def test_debians_r_alone_is_left_as_it_is(root: Root) -> None:
    assert not root.changed(*DEBIAN_DEFAULT)
    assert not (root.path / "var/lib/sandbox/r_versions").exists()
    assert not (root.path / "apt.log").exists()


def test_a_dangling_link_goes(root: Root) -> None:
    bin_ = root.path / "usr/local/bin"
    bin_.mkdir(parents=True)
    (bin_ / "R-4.1.0").symlink_to(f"{root.path}/opt/R/4.1.0/bin/R")
    (bin_ / "R-mine").symlink_to("/nowhere")
    assert root.changed(*r("4.4.1", root.build("4.4.1"), default=True))
    assert "R-4.1.0" not in root.links()
    assert "R-mine" in root.links()


def test_a_program_in_the_way_is_not_replaced(root: Root) -> None:
    own = root.path / "usr/local/bin/R"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    done = root.run(*r("4.4.1", root.build("4.4.1"), default=True))
    assert done.returncode == 1
    assert "usr/local/bin/R is in the way: it is no link" in done.stderr
    assert own.read_text() == "mine"


def test_a_damaged_package_is_not_installed(root: Root) -> None:
    root.build("4.4.1")
    done = root.run(*r("4.4.1", "0" * 64, default=True))
    assert done.returncode == 1
    assert "the package of R 4.4.1 is damaged" in done.stderr
    assert not (root.path / "apt.log").exists()


def test_a_package_that_is_not_there_is_named(root: Root) -> None:
    done = root.run(*r("4.4.1", default=True))
    assert done.returncode == 1
    assert "the package of R 4.4.1 is not on this machine" in done.stderr


def test_programs_of_another_distribution_are_replaced(root: Root) -> None:
    # The path is this test's own: a host may have a gtar
    text = f"TAR=${{TAR-'{root.path}/usr/bin/gtar'}}\n"
    wanted = r("4.4.1", root.build("4.4.1", text), default=True)
    assert root.changed(*wanted)
    renviron = (root.path / "opt/R/4.4.1/lib/R/etc/Renviron").read_text()
    assert "gtar" not in renviron
    assert renviron.startswith("TAR=${TAR-'/")
    assert "FONTCONFIG_PATH" not in renviron
    assert not root.changed(*wanted)


def test_the_portable_build_finds_its_fonts(root: Root) -> None:
    wanted = r("4.4.1", root.build("4.4.1"), default=True)
    assert root.changed(*wanted)
    home = root.path / "opt/R/4.4.1/lib/R"
    (home / "sbom.cdx.json").write_text("{}")
    assert root.changed(*wanted)
    assert "FONTCONFIG_PATH=${FONTCONFIG_PATH-/etc/fonts}" in (home / "etc/Renviron").read_text()
    assert not root.changed(*wanted)


def checked(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", CHECK, "sh", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def stand_in_r(folder: Path, version: str) -> Path:
    program = folder / "R"
    (folder / "home/etc").mkdir(parents=True)
    program.write_text(
        f"#!/bin/sh\ncase $1 in RHOME) echo {folder}/home ;; *) echo '{version}' ;; esac\n"
    )
    program.chmod(0o755)
    return program


FOUR_4_1 = 'R version 4.4.1 (2024-06-14) -- "Race for Your Life"'


@pytest.mark.parametrize("expected", ["", "4.4", "4.4.1"])
def test_the_expected_version(tmp_path: Path, expected: str) -> None:
    done = checked(stand_in_r(tmp_path / "a", FOUR_4_1), expected)
    assert done.stdout == f"{tmp_path}/a/home/etc\n", done.stderr


@pytest.mark.parametrize("expected", ["4.4.10", "4.40", "4.2"])
def test_another_version_is_an_error(tmp_path: Path, expected: str) -> None:
    done = checked(stand_in_r(tmp_path / "a", FOUR_4_1), expected)
    assert done.returncode == 1
    assert f"is R 4.4.1 on this machine, and the plan says {expected}" in done.stderr


def test_each_r_has_its_own_site_files_and_a_link_is_followed(tmp_path: Path) -> None:
    first = stand_in_r(tmp_path / "a", FOUR_4_1)
    second = stand_in_r(tmp_path / "b", "R Under development (unstable) (2026-11-01 r1)")
    (tmp_path / "etc").mkdir()
    (tmp_path / "b/home/etc/Renviron.site").symlink_to(tmp_path / "etc/Renviron.site")
    done = checked(first, "4.4.1", second, "")
    assert done.stdout.splitlines() == [f"{tmp_path}/a/home/etc", f"{tmp_path}/etc"]
