"""RStudio Server of a captured machine: its version and settings as a box says them."""

import re
from pathlib import Path
from typing import Any

from sandbox.facts.diff import compare
from sandbox.facts.differences import DiffOutcome
from sandbox.facts.facts import Facts
from sandbox.facts.sides import Side
from sandbox.facts.subjects.accounts import Account, Accounts
from sandbox.facts.subjects.configs import ConfigFile, Configs
from sandbox.facts.subjects.rstudio import SeenRstudioServer
from sandbox.spec.load import load_box
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


def person(name: str, uid: int, **more: Any) -> Account:
    known = {"gid": uid, "home": f"/home/{name}", "shell": "/bin/bash", "groups": (name,)}
    return Account(
        **{"name": name, "uid": uid, "password": "unknown", "sudo": None, **known, **more}
    )


def who(accounts: list[Account], **rserver: str) -> str:
    """The note about who signs in."""
    file = ConfigFile(path="/etc/rstudio/rserver.conf", settings=rserver)
    seen = server().with_parts(Accounts(tuple(accounts)), Configs((file,)))
    (note,) = [one for one in captured(seen).notes if one.startswith("who signs in")]
    return note


PEOPLE = [
    person("root", 0),
    person("svc", 999),
    person("ada", 1001, groups=("ada", "analysts")),
    person("bob", 2002, password="set"),
    person("eve", 1003, shell="/usr/sbin/nologin"),
    person("old", 1004, password="locked"),
    person("EXAMPLE\\zoe", 1005),
]


def test_a_note_says_who_signs_in_and_what_to_write() -> None:
    note = who(PEOPLE)
    assert "ada, bob may there" in note
    assert "`users: [{name: ada}]`, and leave out `passwords: false`" in note


def test_the_servers_own_rules_decide_who_signs_in() -> None:
    group, least = "auth-required-user-group", "auth-minimum-user-id"
    assert ": ada may there" in who(PEOPLE, **{group: "x,analysts"})
    assert ": bob may there" in who(PEOPLE, **{least: "2000"})
    assert ": svc, ada, bob may there" in who(PEOPLE, **{least: "100"})
    assert "no people's accounts were seen" in who(PEOPLE, **{group: "nobody"})
    many = [person(f"p{number}", 1000 + number) for number in range(8)]
    assert "p0, p1, p2, p3, p4 and 3 more may there" in who(many)


def test_the_line_of_the_note_makes_a_box(tmp_path: Path) -> None:
    text = captured(server().with_parts(Accounts(tuple(PEOPLE)))).text
    (line,) = re.findall(r"`(users: .*?)`", " ".join(text.replace("#", " ").split()))
    path = tmp_path / "box.yml"
    text = text.replace("passwords: false", "passwords: true")
    path.write_text(f"{text}\n{line}\n", encoding="utf-8")
    (tmp_path / "prod.facts.json").write_text(server().model_dump_json(), encoding="utf-8")
    assert [one.name for one in load_box(path).box.users] == ["ada"]
