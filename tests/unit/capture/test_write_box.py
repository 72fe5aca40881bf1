"""Boxes from the facts of servers, each of which must be valid as it stands."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.capture.write_box import CapturedBox, default_name, write_box
from sandbox.facts.facts import Facts
from sandbox.facts.making import Room
from sandbox.facts.r_view import RPackage
from sandbox.facts.subjects.configs import ConfigFile
from sandbox.facts.subjects.identity import Identity
from sandbox.facts.subjects.machine import MachineSize
from sandbox.facts.subjects.os import Os
from sandbox.facts.subjects.packages import SystemPackage
from sandbox.facts.subjects.r import RInstallation, RInstallations
from sandbox.facts.subjects.shiny import SeenShinyServer, ShinyListen
from sandbox.facts.subjects.user_libraries import UserPackage
from sandbox.probe.untaken import new_key, placeholder
from sandbox.spec.bases import load_bases
from sandbox.spec.load import load_box
from tests.unit.changed_facts import with_named
from tests.unit.checks.samples import good

FACTS = good().facts
ROOM = Room(cpus=4, memory_mb=8192)


def captured(facts: Facts) -> CapturedBox:
    return write_box(
        facts, source="admin@prod", facts_file="prod.facts.json", bases=load_bases(), room=ROOM
    )


def content(box: CapturedBox, tmp_path: Path) -> dict[str, Any]:
    """What it says, after the real loader has found nothing wrong with it."""
    (tmp_path / "prod.facts.json").write_text("{}")
    path = tmp_path / "prod.yml"
    path.write_text(box.text)
    load_box(path)
    found: dict[str, Any] = yaml.safe_load(box.text)
    return found


def facts(**parts: Any) -> Facts:
    return with_named(FACTS, **parts)


def view(**parts: Any) -> Facts:
    r = FACTS[RInstallations][0]
    views = tuple(one.model_copy(update=parts) for one in r.views)
    return facts(r=(r.model_copy(update={"views": views}),))


def test_it_says_what_the_server_is(tmp_path: Path) -> None:
    said = content(captured(FACTS), tmp_path)
    assert said["base"] == "debian-12"
    assert said["system"]["timezone"] == "Europe/Vienna"
    assert said["system"]["locale"] == "en_US.UTF-8"
    assert said["system"]["environment"] == {"OMP_NUM_THREADS": "1"}
    assert said["r"]["version"] == "4.2"
    assert said["r"]["blas"] == "openblas"
    assert said["r"]["packages"]["names"] == ["plumber", "shiny"]
    assert said["services"] == {"shiny_server": {"port": 3838}}
    assert said["production"] == "prod.facts.json"
    assert said["machine"]["cpus"] == 1


def test_it_says_only_what_somebody_has_set(tmp_path: Path) -> None:
    plain = view(
        options={"digits": "7L", "scipen": "0", "width": "80L"}, environment={"PATH": "/x"}
    )
    said = content(captured(plain), tmp_path)
    assert "options" not in said["r"]
    assert "environment" not in said["system"]
    set_by_hand = view(options={"digits": "5L", "OutDec": '","', "my.flag": "TRUE", "my.x": "<S4>"})
    box = captured(set_by_hand)
    assert content(box, tmp_path)["r"]["options"] == {"digits": 5, "OutDec": ",", "my.flag": True}
    assert "R option my.x = <S4>" in box.notes


def test_packages_that_others_bring_along_are_not_named(tmp_path: Path) -> None:
    packages = (
        RPackage(name="shiny", version="1", library="/l", built="4.2.2", needs=("httpuv", "R6")),
        RPackage(name="httpuv", version="1", library="/l", built="4.2.2"),
        RPackage(name="R6", version="1", library="/l", built="4.2.2"),
        RPackage(name="MASS", version="1", library="/l", built="4.2.2", priority="recommended"),
    )
    said = content(captured(view(packages=packages)), tmp_path)
    assert said["r"]["packages"] == {"if_missing": "skip", "names": ["shiny"]}


def test_a_secret_is_named_and_not_written() -> None:
    hidden = placeholder("geheim", new_key())
    box = captured(view(environment={"DB_PASSWORD": hidden, "A": "b"}))
    assert 'A: "b"' in box.text
    assert "DB_PASSWORD: {secret: DB_PASSWORD}" in box.text
    assert "#" not in next(line for line in box.text.splitlines() if "DB_PASSWORD" in line)


def test_what_was_not_taken_of_r_is_asked_for() -> None:
    hidden = placeholder("geheim", new_key())
    box = captured(view(options={"sales.api_token": f'"{hidden}"'}, repos={"own": hidden}))
    assert "sales.api_token: {secret: SALES_API_TOKEN}" in box.text
    assert "own: {secret: REPO_OWN}" in box.text


HOSTILE = "x\"; rm -rf / #\\ ${HOME} {{ 1 }} 'y: [z]"


def test_hostile_values_stay_text(tmp_path: Path) -> None:
    name = FACTS[Identity].model_copy(update={"hostname": 'a"\nr: {evil: 1}'})
    odd = ConfigFile(path="/etc/environment\nr: {evil: 2}", settings={"EVIL": HOSTILE})
    evil = view(environment={"EVIL": HOSTILE})
    box = captured(with_named(evil, identity=name, configs=(odd,)))
    said = content(box, tmp_path)
    assert said["system"]["environment"]["EVIL"] == HOSTILE
    assert "evil" not in said["r"]


def test_hostile_names_are_left_out(tmp_path: Path) -> None:
    r = FACTS[RInstallations][0]
    evil = (
        r.views[0].packages[0].model_copy(update={"name": "x]\nusers: [{name: evil}", "needs": ()})
    )
    view = r.views[0].model_copy(
        update={
            "repos": {"A\nusers": "https://a.example.org", "own": "https://b.example.org"},
            "packages": (*r.views[0].packages, evil),
        }
    )
    said = content(captured(facts(r=(r.model_copy(update={"views": (view,)}),))), tmp_path)
    assert said["r"]["repos"] == {"own": "https://b.example.org"}
    assert "users" not in said
    assert all("\n" not in name for name in said["r"]["packages"]["names"])


def test_comments_stay_short_whatever_is_installed() -> None:
    r = FACTS[RInstallations][0]
    own = r.views[0].packages[0].model_copy(update={"priority": None, "library": "/opt/own"})
    many = tuple(own.model_copy(update={"name": f"own{number}"}) for number in range(300))
    said = captured(view(packages=many)).notes
    assert len([one for one in said if one.startswith("no place to get the R package own")]) == 20
    assert "and 280 more like this" in said


def test_an_r_that_no_base_has() -> None:
    r = FACTS[RInstallations][0].model_copy(update={"version": "4.4.1", "home": "/usr/local/lib/R"})
    box = captured(facts(r=(r,)))
    assert box.base.name == "debian-12"
    assert "version:" not in box.text.partition("\nr:")[2].partition("production")[0]
    assert any("R is 4.4.1" in note and "no base has it" in note for note in box.notes)


def test_the_r_of_another_release_decides() -> None:
    r = FACTS[RInstallations][0].model_copy(update={"version": "4.5.0"})
    box = captured(facts(r=(r,)))
    assert box.base.name == "debian-13"
    assert any("the nearest is debian-13" in note for note in box.notes)


@pytest.mark.parametrize(("os_id", "version"), [("rocky", "9.4"), ("ubuntu", "20.04"), ("", "")])
def test_other_systems_get_the_base_whose_r_is_nearest(os_id: str, version: str) -> None:
    os = FACTS[Os].model_copy(
        update={"id": os_id, "version": version, "name": f"{os_id} {version}"}
    )
    r = FACTS[RInstallations][0].model_copy(update={"version": "4.4.1"})
    box = captured(facts(os=os, r=(r,)))
    assert box.base.name == "debian-13"
    assert any(note.startswith("production runs") for note in box.notes)


@pytest.mark.parametrize(
    ("version", "r_version"), [("22.04", "4.1.2"), ("24.04", "4.3.3"), ("24.04", "4.4.1")]
)
def test_ubuntu_servers_get_ubuntu(version: str, r_version: str) -> None:
    os = FACTS[Os].model_copy(
        update={"id": "ubuntu", "version": version, "name": f"Ubuntu {version}"}
    )
    r = FACTS[RInstallations][0].model_copy(update={"version": r_version})
    box = captured(facts(os=os, r=(r,)))
    assert box.base.name == f"ubuntu-{version}"
    assert not any(note.startswith("production runs") for note in box.notes)


def test_a_server_without_r(tmp_path: Path) -> None:
    bare = facts(r=(), unresolved_objects=None, shiny_server=None)
    said = content(captured(bare), tmp_path)
    assert "r" not in said
    assert "services" not in said


def test_an_r_that_does_not_start(tmp_path: Path) -> None:
    dead = RInstallation(home="/usr/lib/R", version="4.2.2", found_as=("/usr/bin/R",), on_path=True)
    box = captured(facts(r=(dead,), shiny_server=None))
    assert content(box, tmp_path)["r"] == {"version": "4.2"}
    assert any("R did not start there" in note for note in box.notes)


def test_a_size_that_was_not_seen_is_said_and_left_to_the_default(tmp_path: Path) -> None:
    box = captured(facts(machine=FACTS[MachineSize].model_copy(update={"memory_mb": None})))
    assert "memory_mb" not in content(box, tmp_path)["machine"]
    assert "memory_mb of production could not be seen: the sandbox has the default" in box.notes


def test_a_server_larger_than_this_computer(tmp_path: Path) -> None:
    large = FACTS[MachineSize].model_copy(
        update={"cpus": 64, "memory_mb": 257000, "disk_mb": 2_000_000}
    )
    box = captured(facts(machine=large))
    assert content(box, tmp_path)["machine"] == {"cpus": 4, "memory_mb": 8192, "disk_gb": 40}
    assert any("cpus of production is 64" in note for note in box.notes)


@pytest.mark.parametrize("port", [0, 22, 65536])
def test_a_port_that_no_sandbox_can_have_is_said(port: int, tmp_path: Path) -> None:
    listens = (ShinyListen(port=port, address=None),)
    box = captured(
        facts(shiny_server=FACTS[SeenShinyServer].model_copy(update={"listens": listens}))
    )
    assert content(box, tmp_path)["services"] == {"shiny_server": {"port": 3838}}
    assert f"Shiny Server listens on port {port}, which no sandbox can" in box.notes


def test_no_hash_of_what_was_not_taken_stands_in_a_box() -> None:
    hidden = placeholder("srv-prod-7", new_key())
    assert "#" in hidden
    named = FACTS[Identity].model_copy(update={"hostname": hidden})
    system = FACTS[Os].model_copy(update={"name": hidden})
    assert hidden not in captured(facts(identity=named, os=system)).text


def test_what_it_cannot_say_is_in_comments() -> None:
    own = UserPackage(user="anna", name="withr", version="2.0.0", library="/home/anna/R")
    htop = SystemPackage(name="htop", version="1", manual=True)
    rstudio = SystemPackage(name="rstudio-server", version="2024.4", manual=True)
    box = captured(facts(user_libraries=(own,), system_packages=(htop, rstudio)))
    for words in ("people's own libraries: withr 2.0.0 (anna)", "rstudio-server 2024.4"):
        assert any(words in note for note in box.notes), words
        assert words in box.text.replace("\n#   ", " ")


def test_the_name_of_a_host_as_the_name_of_a_file() -> None:
    assert default_name("admin@r.example.org") == "r"
    assert default_name("PROD_1") == "prod-1"
    assert default_name("10.0.0.5") == "10-0-0-5"
    assert default_name("..") == "production"
