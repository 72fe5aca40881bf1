"""An app is edited: what is served, what is said when it fails, and what is left on the machine."""

import json
import re
import shutil
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.e2e.conftest import Shiny
from tests.shown_steps import shown_steps

APP = "apps/faithful/app.R"
# What could be seen before is refused before anything starts; this name is only made when R runs
BROKEN = (
    'library(shiny)\nlibrary(paste0("D", "T"), character.only = TRUE)\n'
    "shinyApp(fluidPage(), function(input, output) {})\n"
)
BAD_SERVER = (
    'library(shiny)\nshinyApp(fluidPage(textOutput("a")), function(input, output) {\n'
    '  output$a <- renderText({\n    nofun("a")\n  })\n})\n'
)
# The folders that R processes of the app are in
WORKERS = "for p in $(pgrep -x R); do readlink /proc/$p/cwd; done | grep /srv/releases/faithful"
RELEASE = "readlink /srv/shiny-server/faithful"


@pytest.fixture
def boxes(shiny: Shiny, tmp_path: Path) -> Iterator[Path]:
    """A copy of the boxes, as a user has them who edits the app; then the app is as it was."""
    yield Path(shutil.copytree(ROOT / "boxes", tmp_path / "boxes"))
    mended = shiny.host.sandbox("up", "boxes/shiny.yml")
    assert "released faithful" in mended.stderr
    assert "Old Faithful" in urllib.request.urlopen(shiny.url, timeout=30).read().decode()


def files_of(shiny: Shiny) -> list[str]:
    script = f"cd $({RELEASE}) && find . -printf '%P %u:%g %m\\n' | sort"
    return shiny.as_root(script).splitlines()


def test_an_edit_is_served_without_a_playbook(shiny: Shiny, boxes: Path) -> None:
    urllib.request.urlopen(shiny.url, timeout=30).read()
    before = files_of(shiny)
    app = boxes / APP
    app.write_text(app.read_text().replace("Old Faithful", "New Faithful"))
    done = shiny.host.sandbox("up", boxes / "shiny.yml")
    assert "released faithful" in done.stderr
    assert "provision" not in shown_steps(done.stderr)
    assert "New Faithful" in urllib.request.urlopen(shiny.url, timeout=30).read().decode()
    # That it is as the playbooks would have it, test_shiny.py sees: they find nothing to change
    assert files_of(shiny) == before
    release = shiny.as_root(RELEASE).strip()
    assert shiny.as_root(WORKERS).split() == [release]


def test_an_app_that_fails_tells_its_own_error_at_once(shiny: Shiny, boxes: Path) -> None:
    (boxes / APP).write_text(BROKEN)
    started = time.monotonic()
    failed = shiny.host.sandbox("up", boxes / "shiny.yml", expect=6)
    # It took 225 s; how fast it is on a machine under load is no question for a test
    assert time.monotonic() - started < 60
    assert "there is no package called" in failed.stderr
    assert re.search(r"add DT to r\.packages\.names in \S+:\d+", failed.stderr), failed.stderr
    assert "sandbox logs shiny faithful" in failed.stderr
    told = shiny.host.sandbox("logs", "shiny", "faithful").stdout
    assert told.count("==>") == 1
    assert "there is no package called" in told
    page = next(one for one in _results(shiny) if one["id"] == "up.page.faithful")
    assert "there is no package called" in page["actual"]
    assert "add DT to r.packages.names" in page["fix"]


def test_an_output_that_fails_tells_its_own_error(shiny: Shiny, boxes: Path) -> None:
    (boxes / APP).write_text(BAD_SERVER)
    failed = shiny.host.sandbox("up", boxes / "shiny.yml", expect=1)
    assert 'could not find function "nofun"' in failed.stdout
    assert "app.R, line 4" in failed.stdout


def test_who_has_shiny_servers_port_is_named(shiny: Shiny) -> None:
    shiny.as_root(
        "systemctl stop shiny-server; cd /tmp; "
        "setsid python3 -m http.server 3838 >/dev/null 2>&1 </dev/null & sleep 1"
    )
    try:
        started = time.monotonic()
        failed = shiny.host.sandbox("start", "shiny", expect=6)
        assert time.monotonic() - started < 45
        assert "python3 listens on it" in failed.stderr
    finally:
        shiny.as_root(
            "kill $(ss -Hltnp sport = :3838 | grep -o 'pid=[0-9]*' | cut -d= -f2); sleep 1; "
            "systemctl start shiny-server"
        )
    shiny.host.sandbox("start", "shiny")


def _results(shiny: Shiny) -> list[dict[str, str]]:
    done = shiny.host.sandbox("check", shiny.name, "--goal", "up", "--quick", "--json", expect=1)
    found: list[dict[str, str]] = json.loads(done.stdout)["results"]
    return found
