"""Two Rs in one machine, each with packages of its own: from an renv.lock and from a repository.

The mirror of the tests stands for the public servers; the user's own configuration names it. All
tests share one machine, and each goes on from where the one before left it.
"""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import Host
from tests.mirror import Contents, Mirror, serving
from tests.shown_steps import shown_steps

NAME = "rstack"
BOX = """\
version: 1
description: two Rs, and the packages of an renv.lock
base: debian-12
machine: {cpus: 2, memory_mb: 1024, disk_gb: 8}
system: {timezone: Europe/Vienna, locale: en_US.UTF-8}
r:
  blas: reference
  options: {digits: 6, stringsAsFactors: false}
  repos: {CRAN: https://packagemanager.posit.co/cran/2023-06-12}
  versions:
    - version: "4.2.2"
      default: true
      packages: {source: renv, lock: renv.lock}
    - version: "4.0.4"
      source: posit
      packages:
        source: repository
        repository: https://packagemanager.posit.co/cran
        date: "2021-08-16"
        names: [chainfirst, needsoldr]
"""

LOCKED = {
    # Compiled already where the repository has them
    **{"Rcpp": "1.0.10", "cli": "3.6.0", "curl": "5.0.0"},
    # Compiled in the machine; this digest is only in the archive of that day
    **{"jsonlite": "1.8.4", "digest": "0.6.31"},
    # In R alone: one from the archive, as it has left CRAN
    **{"R6": "2.6.1", "chainlast": "1.1.0", "vanished": "1.0.0"},
}
NEWER_DIGEST = {**LOCKED, "digest": "0.6.37"}
OF_4_0 = dict.fromkeys(("chainfirst", "chainlast", "chainmiddle", "needsoldr"), "1.0.0")

ASK = """
own <- installed.packages()
own <- own[is.na(own[, "Priority"]), , drop = FALSE]
cat(R.home(), getOption("digits"), getOption("stringsAsFactors"), getOption("repos"),
    basename(La_library()), basename(extSoftVersion()[["BLAS"]]), sep = "\\n")
cat(paste(own[, "Package"], own[, "Version"], own[, "Built"]), sep = "\\n")
"""
LIBRARY = "/usr/local/lib/R/site-library"
LIBRARY_OF_4_0 = "/opt/R/4.0.4/lib/R/site-library"
# R 4.0.4 brings MASS 7.3-53.1. That of Matrix takes a minute to compile, and goes the same way
CHANGED_MASS = {"MASS": "7.3-58.2", "chainlast": "1.0.0"}


@dataclass
class Stack:
    """The machine, its box, and a mirror that can be turned off."""

    host: Host
    folder: Path
    contents: Contents
    port: int = 0
    running: ExitStack = field(default_factory=ExitStack)
    mirror: Mirror | None = None

    @property
    def box(self) -> Path:
        return self.folder / f"{NAME}.yml"

    def serve(self) -> None:
        """Start the mirror, each time at the same port: the configuration names it."""
        rstudio = self.folder / "rstudio"
        self.mirror = self.running.enter_context(serving(self.contents, rstudio, port=self.port))
        self.port = urlsplit(self.mirror.url).port or 0
        config = self.folder / "config/sandbox/config.yml"
        config.parent.mkdir(parents=True, exist_ok=True)
        url = self.mirror.url
        config.write_text(
            f"mirrors:\n  posit: {url}\n  cran: {url}/cran\n  bioconductor: {url}/bioconductor\n"
        )

    def stop_serving(self) -> None:
        self.running.close()
        self.mirror = None

    def lock(
        self,
        versions: dict[str, str],
        *,
        name: str = "renv.lock",
        # Another R than the machine's, of the same minor version
        r: str = "4.2.3",
        bioconductor: tuple[str, dict[str, str]] = ("", {}),
    ) -> None:
        url = "https://packagemanager.posit.co/cran/2023-06-12"
        from_cran = {"Source": "Repository", "Repository": "CRAN"}
        release, of_release = bioconductor
        packages = {
            **{one: {"Package": one, "Version": v, **from_cran} for one, v in versions.items()},
            **{
                one: {"Package": one, "Version": v, "Source": "Bioconductor"}
                for one, v in of_release.items()
            },
        }
        said = {
            "R": {"Version": r, "Repositories": [{"Name": "CRAN", "URL": url}]},
            **({"Bioconductor": {"Version": release}} if release else {}),
            "Packages": packages,
        }
        (self.folder / name).write_text(json.dumps(said, indent=2))

    def sandbox(self, *words: str | Path, expect: int = 0) -> Any:
        env = {"XDG_CONFIG_HOME": str(self.folder / "config")}
        return self.host.sandbox(*words, timeout_s=1800, expect=expect, env=env)

    def up(self, *words: str, expect: int = 0) -> str:
        done = self.sandbox("up", self.box, *words, expect=expect)
        return str(done.stderr + done.stdout)

    def exec(self, *command: str) -> str:
        return str(self.sandbox("exec", NAME, "--", *command).stdout)

    def ask(self, program: str) -> list[str]:
        return self.exec(program, "--no-echo", "-e", ASK).splitlines()

    def library(self) -> dict[str, str]:
        """Which version of each package is there, and in which file on the disk."""
        script = f"cd {LIBRARY} && stat -c '%n %i' */DESCRIPTION && grep -H ^Version: */DESCRIPTION"
        found: dict[str, str] = {}
        for line in self.exec("sh", "-c", script).splitlines():
            place, _, value = line.replace(":Version:", "").partition(" ")
            name = place.partition("/")[0]
            found[name] = f"{found[name]} {value}" if name in found else value
        return found

    def loaded(self, program: str, *names: str) -> dict[str, str]:
        """Load packages in one R: the version of each, and the folder that it came from."""
        wanted = ", ".join(f'"{one}"' for one in names)
        code = f"""for (one in c({wanted})) {{
            space <- loadNamespace(one)
            stopifnot(identical(getNamespaceInfo(space, "path"), find.package(one)))
            cat(one, format(getNamespaceVersion(space)), dirname(find.package(one)), "\\n")
        }}"""
        lines = self.exec(program, "--no-echo", "-e", code).splitlines()
        return {name: rest for name, _, rest in (one.strip().partition(" ") for one in lines)}

    def is_as_it_was(self, before: dict[str, str]) -> None:
        """See that both libraries are the old ones, to the file, and that all of them loads."""
        assert self.library() == before
        assert self.loaded("R", *LOCKED) == at(LIBRARY, LOCKED)
        assert self.loaded("R-4.0.4", *OF_4_0) == at(LIBRARY_OF_4_0, OF_4_0)

    def report(self, *, expect: int = 0) -> dict[str, Any]:
        done = json.loads(self.sandbox("check", NAME, "--json", expect=expect).stdout)
        return {one["id"]: one for one in done["results"]}


def at(library: str, versions: dict[str, str]) -> dict[str, str]:
    return {name: f"{version} {library}" for name, version in versions.items()}


def built(versions: dict[str, str], r: str) -> set[str]:
    return {f"{name} {version} {r}" for name, version in versions.items()}


@pytest.fixture(scope="module")
def stack(
    host: Host, mirror_contents: Contents, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    made = Stack(host, tmp_path_factory.mktemp("stack"), mirror_contents)
    (made.folder / "rstudio").mkdir()
    made.box.write_text(BOX)
    made.lock(LOCKED)
    made.serve()
    try:
        made.up()
        yield made
    finally:
        made.stop_serving()
        host.sandbox("destroy", NAME, expect=None)


def test_each_r_has_its_packages_and_the_settings_of_the_box(stack: Stack) -> None:
    settings = [
        *("6", "FALSE", "https://packagemanager.posit.co/cran/2023-06-12"),
        *("liblapack.so.3.11.0", "libblas.so.3.11.0"),
    ]
    for program in ("R", "R-4.2.2", "/usr/bin/R"):
        assert stack.ask(program)[:6] == ["/usr/lib/R", *settings], program
    assert set(stack.ask("R")[6:]) == built(LOCKED, "4.2.2")
    for program in ("R-4.0.4", "/opt/R/4.0.4/bin/R"):
        home, *others = stack.ask(program)
        assert home == "/opt/R/4.0.4/lib/R"
        assert others[:5] == settings
        assert set(others[5:]) == built(OF_4_0, "4.0.4")
    code = "cat(curl::curl_version()$version, jsonlite::toJSON(1:3), digest::digest('a'))"
    answer = stack.exec("Rscript", "-e", code)
    assert answer == "7.88.1 [1,2,3] 127a2ec00989b9f7faf671ed470be7f8"


def test_binaries_are_taken_where_there_are_some_and_the_rest_is_compiled(stack: Stack) -> None:
    assert stack.mirror is not None
    asked = {(one.path.partition("?")[0], one.status) for one in stack.mirror.log}
    archived = "/cran/2023-06-12/src/contrib/Archive"
    assert {
        ("/r/debian-12/pkgs/r-4.0.4_1_amd64.deb", 200),
        (f"{archived}/digest/digest_0.6.31.tar.gz", 200),
        (f"{archived}/vanished/vanished_1.0.0.tar.gz", 200),
    } <= asked
    result = json.loads(stack.exec("sudo", "cat", "/var/log/sandbox-r-packages/4.2.2/result.json"))
    made = {key: result[key] for key in ("changed", "problems", "unpacked", "compiled", "linked")}
    assert made == {"changed": True, "problems": [], "unpacked": 3, "compiled": 5, "linked": 0}


def test_every_check_has_passed(stack: Stack) -> None:
    report = stack.report()
    assert [one for one in report.values() if one["outcome"] != "passed"] == []
    assert {"correct.r.all", "correct.r.library.4.2.2", "correct.r.library.4.0.4"} <= set(report)


def test_probe_knows_both_rs_and_their_packages(stack: Stack) -> None:
    found = json.loads(stack.sandbox("probe", NAME).stdout)
    rs = {one["home"]: one for one in found["r"]}
    assert set(rs) == {"/usr/lib/R", "/opt/R/4.0.4/lib/R"}
    assert [one["home"] for one in found["r"] if one["on_path"]] == ["/usr/lib/R"]
    for home, version, wanted in (
        ("/usr/lib/R", "4.2.2", LOCKED),
        ("/opt/R/4.0.4/lib/R", "4.0.4", OF_4_0),
    ):
        (view,) = rs[home]["views"]
        assert view["version"] == version
        assert view["repos"] == {"CRAN": "https://packagemanager.posit.co/cran/2023-06-12"}
        assert view["options"]["digits"] == "6L"
        packages = {one["name"]: one["version"] for one in view["packages"]}
        assert wanted.items() <= packages.items()


def test_no_mirror_is_needed_to_come_again_or_to_mend(stack: Stack) -> None:
    stack.stop_serving()
    try:
        assert "up and unchanged" in stack.up()
        stack.exec("sudo", "rm", "-r", f"{LIBRARY}/digest")
        broken = stack.report(expect=1)["correct.r.library.4.2.2"]
        assert broken["actual"] == "digest is not there"
        # All files come again, from this host
        said = stack.up()
    finally:
        stack.serve()
    assert "13 fetched files" in said
    assert set(stack.ask("R")[6:]) == built(LOCKED, "4.2.2")
    assert stack.mirror is not None
    assert stack.mirror.log == []


def test_the_library_stays_when_a_package_does_not_compile(stack: Stack) -> None:
    before = stack.library()
    # R 4.0.4 beside it has this very file: here it is sent, compiled, and fails
    stack.lock({**NEWER_DIGEST, "needsoldr": "1.0.0"})
    said = stack.up(expect=6)
    assert "needsoldr 1.0.0 does not compile with R 4.2.2" in said
    assert '#error "this package was written for R 4.0 and compiles on no newer one"' in said
    assert "locked with R 4.2.3" in said
    assert f"The library {LIBRARY} is as it was" in said
    assert stack.library() == before
    assert set(stack.ask("R")[6:]) == built(LOCKED, "4.2.2")


def test_a_lock_of_another_r_is_refused_before_anything_is_done(stack: Stack) -> None:
    before = stack.library()
    stack.lock(LOCKED, r="4.3.1")
    said = stack.up(expect=3)
    assert "renv.lock was locked with R 4.3.1, and this R is 4.2.2" in said
    assert "packages of one minor version of R are not for another" in said
    of_4_0 = {"BiocGenerics": "0.36.0"}
    stack.lock(LOCKED, bioconductor=("3.12", of_4_0))
    said = stack.up(expect=3)
    assert "Bioconductor 3.12, which is for R 4.0, and this R is 4.2.2" in said
    stack.is_as_it_was(before)


def test_packages_that_have_vanished_are_named_and_nothing_is_touched(stack: Stack) -> None:
    assert stack.mirror is not None
    before = stack.library()
    # The first has been in the repository; the second never was
    stack.lock({**LOCKED, "praise": "1.0.0", "nowhere": "1.0"})
    stack.mirror.vanish("praise_1.0.0.tar.gz")
    said = stack.up(expect=3)
    assert "2 packages of 10 cannot be had" in said
    for name in ("praise 1.0.0", "nowhere 1.0"):
        assert re.search(rf"renv\.lock:\d+: {re.escape(name)}: it is not there any more", said)
    asked = stack.mirror.asked("praise_1.0.0.tar.gz")
    assert [one for one in asked if "/Archive/praise/" in one]
    stack.is_as_it_was(before)


def test_only_what_changed_in_the_lock_is_new(stack: Stack) -> None:
    before = stack.library()
    stack.lock(NEWER_DIGEST)
    said = stack.up()
    after = stack.library()
    assert set(after) == set(before) == set(LOCKED)
    # The others are still the same files
    assert {name for name in after if after[name] != before[name]} == {"digest"}
    assert after["digest"].endswith(" 0.6.37")
    assert "1 fetched files" in said
    assert set(stack.ask("R-4.0.4")[6:]) == built(OF_4_0, "4.0.4")


def test_the_next_machine_is_a_clone_with_the_same_facts(stack: Stack) -> None:
    stack.lock(LOCKED)
    stack.up()
    facts = stack.folder / "first.facts.json"
    facts.write_text(stack.sandbox("probe", NAME).stdout)
    stack.sandbox("destroy", NAME)
    stack.stop_serving()
    steps = shown_steps(stack.up())
    assert steps["clone"].end == "done"
    assert "provision" not in steps
    assert set(stack.ask("R")[6:]) == built(LOCKED, "4.2.2")
    assert set(stack.ask("R-4.0.4")[6:]) == built(OF_4_0, "4.0.4")
    compared = json.loads(stack.sandbox("diff", facts, NAME, "--json").stdout)
    assert [one for one in compared["facts"] if one["outcome"] == "differs"] == []
    assert len([one for one in compared["facts"] if one["outcome"] == "equal"]) > 200


def test_a_recommended_package_of_another_version_and_one_of_bioconductor(stack: Stack) -> None:
    if stack.mirror is None:
        stack.serve()
    of_release = {"BiocGenerics": "0.44.0"}
    stack.lock(LOCKED, bioconductor=("3.16", of_release))
    stack.lock(CHANGED_MASS, name="old.lock", r="4.0.2")
    start = BOX.partition("      packages:\n        source: repository")[0]
    stack.box.write_text(f"{start}      packages: {{source: renv, lock: old.lock}}\n")
    # Its own checks load every package, too
    assert "passed in" in stack.up()
    assert stack.mirror is not None
    assert stack.mirror.asked("/bioconductor/packages/3.16/bioc/src/contrib/BiocGenerics_0.44.0")
    there = {**LOCKED, **of_release}
    assert set(stack.ask("R")[6:]) == built(there, "4.2.2")
    assert stack.loaded("R", *there) == at(LIBRARY, there)
    # The one that R brings is still in its place, and not the one that counts
    assert stack.loaded("R-4.0.4", *CHANGED_MASS) == at(LIBRARY_OF_4_0, CHANGED_MASS)
    code = 'cat(format(packageVersion("MASS", lib.loc = .Library)), MASS::fractions(0.25))'
    assert stack.exec("R-4.0.4", "--no-echo", "-e", code) == "7.3.53.1 0.25"
