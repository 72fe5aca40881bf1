"""RStudio Server of a captured machine: its version and settings as a box says them."""

from pathlib import Path
from typing import Any

from sandbox.facts.diff import compare
from sandbox.facts.differences import DiffOutcome
from sandbox.facts.facts import Facts
from sandbox.facts.sides import Side
from sandbox.facts.subjects.configs import ConfigFile, Configs
from sandbox.facts.subjects.rstudio import SeenRstudioServer
from tests.unit.capture.test_write_box import FACTS, captured, content, facts

RSERVER = {
    "www-port": "8080",
    "www-address": "127.0.0.1",
    "rsession-which-r": "/usr/bin/R",
    "auth-timeout-minutes": "480",
    "admin-enabled": "1",
    "server-add-header": "<not taken: 9-16 characters>",
}
RSESSION = {"session-timeout-minutes": "120", "r-cran-repos": "https://cran.example/latest"}


def server(version: str | None = "2024.12.0+467", **more: Any) -> Facts:
    seen = SeenRstudioServer(
        version=version, r_program=more.pop("r_program", "/usr/bin/R"), sessions=2
    )
    own = [one for one in FACTS.get(Configs) or () if "rstudio" not in one.path]
    files = [
        ConfigFile(path="/etc/rstudio/rserver.conf", settings=RSERVER),
        ConfigFile(path="/etc/rstudio/rsession.conf", settings=RSESSION),
        ConfigFile(path="/etc/rstudio/repos.conf", settings={"CRAN": "https://cran.example"}),
        ConfigFile(path="/etc/rstudio/logging.conf", settings={"*.log-level": "debug"}),
    ]
    return facts(rstudio=seen, configs=(*own, *files))


def test_its_settings_are_keys_of_the_box(tmp_path: Path) -> None:
    box = captured(server())
    said = content(box, tmp_path)["services"]["rstudio_server"]
    assert said == {
        "version": "2024.12.0+467",
        "port": 8080,
        "passwords": False,
        "config": {
            "rserver": {"auth-timeout-minutes": 480},
            "rsession": {
                "session-timeout-minutes": 120,
                "r-cran-repos": "https://cran.example/latest",
            },
            "logging": {"log-level": "debug"},
            "repos": {"CRAN": "https://cran.example"},
        },
    }
    for words in (
        "RStudio Server listens on 127.0.0.1 only",
        "/etc/rstudio/rserver.conf says admin-enabled, which 2024.12.0+467 does not know",
        "/etc/rstudio/rserver.conf says server-add-header; its value was not taken",
    ):
        assert any(words in note for note in box.notes), words


def test_a_package_of_rpm_writes_its_version_otherwise(tmp_path: Path) -> None:
    said = content(captured(server("2024.12.0-467")), tmp_path)
    assert said["services"]["rstudio_server"]["version"] == "2024.12.0+467"


def test_what_no_box_can_ask_for_is_a_comment(tmp_path: Path) -> None:
    for version, words in (
        ("2024.12.0+467.pro1", "Posit Workbench 2024.12.0+467.pro1, which no box can ask for"),
        ("1.4.1717", "RStudio Server 1.4.1717, which no box can ask for"),
        (None, "RStudio Server of a version that was not seen"),
        ("2021.09.2+382", "it does not know the graphics of debian-12's R 4.2.2"),
    ):
        box = captured(server(version))
        assert "rstudio_server" not in content(box, tmp_path).get("services", {})
        assert any(words in note for note in box.notes), words


def test_sessions_with_another_r_are_told() -> None:
    box = captured(server(r_program="/opt/R/4.4.1/bin/R"))
    assert any("RStudio's sessions run /opt/R/4.4.1/bin/R" in note for note in box.notes)


def test_two_servers_are_compared_by_version_and_r() -> None:
    other = server("2023.12.1+402", r_program="/opt/R/4.3.2/bin/R")
    found = compare(Side("a", server()), Side("b", other))
    differs = {one.id for one in found.facts if one.outcome is DiffOutcome.DIFFERS}
    assert {"rstudio.version", "rstudio.r"} <= differs
    same = compare(Side("a", server()), Side("b", server()))
    assert not [one for one in same.facts if one.outcome is DiffOutcome.DIFFERS]
