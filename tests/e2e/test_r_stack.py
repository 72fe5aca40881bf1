"""Two Rs in one machine, each with packages of its own: from an renv.lock and from a repository.

The mirror of the tests stands for the public servers; the user's own configuration names it. All
tests share one machine, and each goes on from where the one before left it.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import Host
from tests.mirror import Contents, Mirror, serving

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
        config.write_text(f"mirrors:\n  posit: {url}\n  cran: {url}/cran\n")

    def stop_serving(self) -> None:
        self.running.close()
        self.mirror = None

    def lock(self, versions: dict[str, str]) -> None:
        url = "https://packagemanager.posit.co/cran/2023-06-12"
        packages = {
            name: {
                "Package": name,
                "Version": version,
                "Source": "Repository",
                "Repository": "CRAN",
            }
            for name, version in versions.items()
        }
        # Written by another R than the machine's, of the same minor version
        r = {"Version": "4.2.3", "Repositories": [{"Name": "CRAN", "URL": url}]}
        text = json.dumps({"R": r, "Packages": packages}, indent=2)
        (self.folder / "renv.lock").write_text(text)

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

    def report(self, *, expect: int = 0) -> dict[str, Any]:
        done = json.loads(self.sandbox("check", NAME, "--json", expect=expect).stdout)
        return {one["id"]: one for one in done["results"]}


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
    said = stack.up()
    assert "clone" in said
    assert "provision" not in said
    assert set(stack.ask("R")[6:]) == built(LOCKED, "4.2.2")
    assert set(stack.ask("R-4.0.4")[6:]) == built(OF_4_0, "4.0.4")
    compared = json.loads(stack.sandbox("diff", facts, NAME, "--json").stdout)
    assert [one for one in compared["facts"] if one["outcome"] == "differs"] == []
    assert len([one for one in compared["facts"] if one["outcome"] == "equal"]) > 200
