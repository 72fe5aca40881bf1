"""nginx, APIs and the R of RStudio's sessions of a captured machine, as a box says them."""

from pathlib import Path
from typing import Any

import pytest

from sandbox.facts.subjects.apis import SeenApi, SeenApis
from sandbox.facts.subjects.configs import ConfigFile, Configs
from sandbox.facts.subjects.fronts import Front, Fronts, HandedOn, front_of
from sandbox.facts.subjects.r import RInstallation, RInstallations
from sandbox.facts.subjects.shiny import SeenShinyServer
from tests.unit.capture.test_rstudio import server
from tests.unit.capture.test_write_box import FACTS, captured, content

FILE = "/etc/nginx/sites-enabled/r"


def handed(location: str, to: str, *listens: str) -> HandedOn:
    return HandedOn(file=FILE, listens=listens, location=location, to=to)


def test_a_path_of_nginx_becomes_rstudios_path(tmp_path: Path) -> None:
    place = handed("/rstudio/", "http://127.0.0.1:8080", "80", "[::]:80")
    box = captured(server().with_parts(Fronts((place,))))
    said = content(box, tmp_path)["services"]
    assert said["nginx"] == {"port": 80}
    assert said["rstudio_server"]["path"] == "/rstudio"
    assert not any("listens on 127.0.0.1 only" in note for note in box.notes)


def test_nginx_before_shiny_server_is_said(tmp_path: Path) -> None:
    assert FACTS.get(SeenShinyServer) is not None
    place = handed("/", "http://localhost:3838/", "8080")
    said = content(captured(FACTS.with_parts(Fronts((place,)))), tmp_path)["services"]
    assert said["nginx"] == {"port": 8080}
    assert "shiny_server" in said


@pytest.mark.parametrize(
    "places",
    [
        (handed("/", "http://127.0.0.1:3838", "443"),),
        (handed("/", "http://127.0.0.1:3838", "80", "81"),),
        (handed("", "http://127.0.0.1:3838", "80"),),
        (handed("/", "http://10.0.0.7:3838", "80"),),
        (handed("/", "http://127.0.0.1:3838", "80"), handed("/a", "http://127.0.0.1:3838", "80")),
    ],
)
def test_what_can_be_meant_in_two_ways_is_a_note(places: tuple[HandedOn, ...]) -> None:
    found = FACTS.with_parts(Fronts(places))
    assert front_of(found, 3838) is None
    box = captured(found)
    assert "nginx:" not in box.text
    assert any(note.startswith(f"{FILE}: nginx hands ") for note in box.notes)


def test_a_server_without_listen_has_port_80() -> None:
    found = FACTS.with_parts(Fronts((handed("/a/", "http://127.0.0.1:3838"),)))
    assert front_of(found, 3838) == Front(80, "/a")


def test_an_api_is_named_with_what_to_write() -> None:
    one = SeenApi(
        unit="sales.service", user="api", folder="/srv", file="/srv/api/main.R", port="8001"
    )
    box = captured(FACTS.with_parts(SeenApis((one,))))
    (note,) = (one for one in box.notes if "sales.service" in one)
    assert "(/srv/api/main.R, run as api)" in note
    assert "plumber: {path: FOLDER, file: main.R, port: 8001}" in note


def with_posits(**more: Any) -> Any:
    posit = RInstallation(
        home="/opt/R/4.4.1/lib/R", version="4.4.1", found_as=("/opt/R/4.4.1",), on_path=False
    )
    found = server(**more)
    return found.with_parts(RInstallations((*found[RInstallations], posit)))


def test_the_r_of_its_sessions_is_said(tmp_path: Path) -> None:
    said = content(captured(with_posits(r_program="/opt/R/4.4.1/bin/R")), tmp_path)
    assert said["services"]["rstudio_server"]["r"] == "4.4.1"
    said = content(captured(with_posits(r_program="/usr/bin/R")), tmp_path)
    assert "r" not in said["services"]["rstudio_server"]


def test_an_rstudio_that_is_too_old_for_its_own_r_is_a_note() -> None:
    box = captured(with_posits(version="2023.12.1+402", r_program="/opt/R/4.4.1/bin/R"))
    assert "rstudio_server" in box.text
    box = captured(with_posits(version="2021.09.2+382", r_program="/opt/R/4.4.1/bin/R"))
    assert any("it does not know the graphics of R 4.4.1" in note for note in box.notes)


def test_preferences_are_keys_of_the_box(tmp_path: Path) -> None:
    found = server()
    prefs = ConfigFile(
        path="/etc/rstudio/rstudio-prefs.json",
        settings={"save_workspace": "never", "cran_mirror": "<not taken: 9-16 characters>"},
    )
    box = captured(found.with_parts(Configs((*found[Configs], prefs))))
    said = content(box, tmp_path)["services"]["rstudio_server"]
    assert said["config"]["prefs"] == {"save_workspace": "never"}
    assert any("rstudio-prefs.json says cran_mirror; its value was not" in n for n in box.notes)


def test_a_rebuilt_package_is_of_the_version_that_it_was_built_from(tmp_path: Path) -> None:
    said = content(captured(server("2024.12.0+467+ours1")), tmp_path)
    assert said["services"]["rstudio_server"]["version"] == "2024.12.0+467"


def test_the_path_is_said_once(tmp_path: Path) -> None:
    found = server()
    settings = {"www-port": "8787", "www-root-path": "/rstudio"}
    own = [one for one in found[Configs] if not one.path.endswith("/rserver.conf")]
    rserver = ConfigFile(path="/etc/rstudio/rserver.conf", settings=settings)
    place = handed("/rstudio/", "http://127.0.0.1:8787", "80")
    parts = (Configs((*own, rserver)), Fronts((place,)))
    said = content(captured(found.with_parts(*parts)), tmp_path)["services"]["rstudio_server"]
    assert said["path"] == "/rstudio"
    assert "rserver" not in said["config"]


def test_a_preference_that_is_a_switch_stays_one(tmp_path: Path) -> None:
    found = server()
    prefs = ConfigFile(path="/etc/rstudio/rstudio-prefs.json", settings={"load_workspace": "false"})
    said = content(captured(found.with_parts(Configs((*found[Configs], prefs)))), tmp_path)
    config = said["services"]["rstudio_server"]["config"]
    assert config["prefs"] == {"load_workspace": False}


def test_the_files_of_rstudio_are_notes_only_when_no_key_says_them() -> None:
    def told(version: str) -> bool:
        notes = captured(server(version)).notes
        return any(one.startswith("/etc/rstudio/rsession.conf sets") for one in notes)

    assert not told("2024.12.0+467")
    assert told("2024.12.0+467.pro1")
