"""Shiny Server's own settings and an API of plumber, on one machine, as a person would use them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.checks.web import fetch
from tests.conftest import Host
from tests.e2e.conftest import Shiny

BOX = """\
version: 1
extends: shiny
apps:
  - {name: faithful, path: faithful}
system:
  environment: {REGION: vienna}
services:
  shiny_server:
    app_idle_timeout: 30
    app_init_timeout: 120
    access_log: /var/log/requests/access.log tiny
    locations:
      - {path: /again, app: faithful, app_idle_timeout: 0, run_as: sales}
      - {path: /old, redirect: "https://example.org/new"}
    servers:
      - port: 4000
        host: 127.0.0.1
        locations: [{path: /, app: faithful}]
  plumber:
    path: api
    environment: {WHERE: 'a "quoted" 100% $HOME\\x'}
"""
API = """\
#* @get /hello
function() {
  names <- c("WHERE", "REGION", "LANG")
  c(as.list(Sys.getenv(names)), user = Sys.info()[["user"]])
}
"""
NAME = "services"


@pytest.fixture(scope="module")
def box(host: Host, shiny: Shiny, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The box's file, once its machine is up."""
    del shiny
    folder = tmp_path_factory.mktemp("services")
    (folder / "api").mkdir()
    (folder / "api" / "plumber.R").write_text(API)
    path = folder / f"{NAME}.yml"
    path.write_text(BOX.replace("path: faithful", "path: app"))
    (folder / "app").mkdir()
    for file in Path("boxes/apps/faithful").iterdir():
        (folder / "app" / file.name).write_bytes(file.read_bytes())
    try:
        host.sandbox("up", path, timeout_s=1800)
        yield path
    finally:
        host.sandbox("destroy", NAME, expect=None)


def check(host: Host, *words: str, expect: int = 0) -> dict[str, dict[str, Any]]:
    report = json.loads(host.sandbox("check", NAME, "--json", *words, expect=expect).stdout)
    return {one["id"]: one for one in report["results"]}


def url(host: Host, port: int) -> str:
    rows = json.loads(host.sandbox("list", "--json").stdout)
    urls: list[str] = next(row["urls"] for row in rows if row["name"] == NAME)
    return next(one for one in urls if f":{port}/" in one)


def test_every_check_passes(host: Host, box: Path) -> None:
    del box
    found = check(host)
    assert {one["outcome"] for one in found.values()} == {"passed"}, found
    assert {
        "up.place.3838/again",
        "up.place.4000/",
        "safe.port.4000",
        "correct.shiny-settings",
        "up.api.api",
        "up.restart.plumber-api",
        "safe.plumber-api.user",
        "snappy.api.api",
    } <= set(found)


def test_apps_run_as_the_box_says(host: Host, box: Path) -> None:
    del box
    base = url(host, 3838).removesuffix("/faithful/")
    assert fetch(f"{base}/again/", timeout_s=60).status == 200
    who = host.sandbox("exec", NAME, "--", "ps", "-o", "user=", "-C", "R").stdout.split()
    assert "sales" in who


def test_the_api_answers_with_its_own_environment(host: Host, box: Path) -> None:
    del box
    base = url(host, 8000).removesuffix("/__docs__/")
    answer = json.loads(fetch(f"{base}/hello", timeout_s=30).body)
    assert answer == {
        "WHERE": ['a "quoted" 100% $HOME\\x'],
        "REGION": ["vienna"],
        "LANG": ["en_US.UTF-8"],
        "user": ["plumber"],
    }


def test_a_changed_api_is_restarted(host: Host, box: Path) -> None:
    (box.parent / "api" / "plumber.R").write_text(f"{API}\n#* @get /new\nfunction() 42\n")
    host.sandbox("up", box, timeout_s=600)
    base = url(host, 8000).removesuffix("/__docs__/")
    assert json.loads(fetch(f"{base}/new", timeout_s=30).body) == [42]


def test_a_setting_changed_by_hand_is_found_and_put_right(host: Host, box: Path) -> None:
    spoil = "sed -i '/^app_idle_timeout/d' /etc/shiny-server/default.config"
    host.sandbox("exec", NAME, "--", "sudo", "sh", "-c", spoil)
    found = check(host, "--goal", "correct", expect=1)
    failed = {name: one for name, one in found.items() if one["outcome"] == "failed"}
    assert list(failed) == ["correct.shiny-settings"]
    assert failed["correct.shiny-settings"]["actual"] == "app_idle_timeout differs"
    host.sandbox("up", box, timeout_s=600)
    assert check(host, "--goal", "correct")["correct.shiny-settings"]["outcome"] == "passed"


def test_a_broken_api_says_so_in_rs_own_words(host: Host, box: Path) -> None:
    (box.parent / "api" / "plumber.R").write_text("library(nosuchpackage)\n")
    said = host.sandbox("up", box, timeout_s=600, expect=6).stderr
    assert "the API api does not run: Error in library(nosuchpackage)" in said
    assert "there is no package called" in said
    assert "nosuchpackage" in host.sandbox("logs", NAME, "api").stdout
    (box.parent / "api" / "plumber.R").write_text(API)
    host.sandbox("up", box, timeout_s=600)
    assert {one["outcome"] for one in check(host).values()} == {"passed"}
