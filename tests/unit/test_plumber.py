"""APIs of plumber, from the plan to the checks."""

import dataclasses
import json
import shlex
import tarfile
from pathlib import Path

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.app_logs.answer import AppLogs, UnitLog, unit_script
from sandbox.app_logs.trouble import trouble_with_api
from sandbox.checks import apis, ports, safe, snappy, up
from sandbox.checks.inspection import inspection_script, parse_inspection
from sandbox.endpoints import Proof
from sandbox.guest.pages import direct_pages
from sandbox.paths import data_dir
from sandbox.plan import Plan
from sandbox.providers.engine import MachineStatus, Power
from sandbox.provision import pack
from sandbox.quoting import Json
from sandbox.render import api_archive_path, provision_vars
from sandbox.resolving import resolve
from sandbox.spec.load import load_box
from tests.unit.checks.samples import good
from tests.unit.checks.test_inspection import ANSWER
from tests.unit.factories import placed, shiny_plan
from tests.unit.test_role_filters import load

UNITS = load("plumber", "plumber_units")
BOX = """\
version: 1
base: debian-12
r: {}
services:
  plumber:
    apis:
      - {name: one, path: one}
      - {name: two, path: two, port: 8001, host: 127.0.0.1, user: api, ready_path: /health}
"""
# As R and systemd say it on Debian 12
BROKEN = """\
Started plumber-one.service - The plumber API one.
Error in library(nosuchpackage) :
  there is no package called 'nosuchpackage'
Calls: <Anonymous> ... sourceUTF8 -> eval -> eval -> eval -> eval -> library
Execution halted
plumber-one.service: Main process exited, code=exited, status=1/FAILURE
plumber-one.service: Failed with result 'exit-code'.
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "plumber.R").write_text("#* @get /\nfunction() 1\n")
    (tmp_path / "box.yml").write_text(BOX)
    return resolve(load_box(tmp_path / "box.yml"))


def test_debians_package_comes_with_it(plan: Plan) -> None:
    assert "r-cran-plumber" in plan.apt_packages


def test_changed_files_are_a_changed_plan(plan: Plan) -> None:
    before = plan.key
    (plan.apis[0].path / "helper.R").write_text("x <- 1\n")
    assert resolve(load_box(plan.box_path)).key != before


def test_a_plan_without_apis_says_nothing_of_them() -> None:
    assert "apis" not in shiny_plan().model_dump(mode="json")
    assert "plumber" not in shiny_plan().model_dump(mode="json")["services"]


def test_a_plan_with_apis_is_read_back(plan: Plan) -> None:
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_its_role_is_told_all(plan: Plan) -> None:
    told = json.loads(provision_vars(plan, Path("/i")).for_reading())
    assert told["plumber_wanted"] is True
    first, second = told["plumber_apis"]
    assert first["name"] == {"__ansible_unsafe": "one"}
    assert first["archive"] == {"__ansible_unsafe": "/i/apis/one.tar"}
    assert first["host"] == {"__ansible_unsafe": "0.0.0.0"}
    assert (second["port"], second["user"]["__ansible_unsafe"]) == (8001, "api")


def test_its_files_are_packed_like_an_apps(plan: Plan, tmp_path: Path) -> None:
    (plan.apis[0].path / ".Renviron").write_text("TOKEN=x\n")
    archive = api_archive_path(tmp_path / "i", "one")
    pack(plan.apis[0], archive)
    with tarfile.open(archive) as tar:
        assert tar.getnames() == ["plumber.R"]


def test_where_it_answers(plan: Plan) -> None:
    assert [(one.title, one.port, one.path, one.proof) for one in plan.endpoints] == [
        ("the API one", 8000, "/__docs__/", Proof.PAGE),
        ("the API two", 8001, "/health", Proof.PAGE),
    ]
    status = MachineStatus("x", Power.RUNNING, address="192.0.2.7")
    assert [page.name for page in direct_pages(plan.endpoints, status)] == ["one"]


def test_it_is_checked_in_three_goals(plan: Plan) -> None:
    placement = placed(plan)
    seen = {one.id for one in (*up.seen_checks(placement), *ports.seen_checks(placement))}
    assert {"up.service.plumber-one", "up.enabled.plumber-two", "safe.port.8001"} <= seen
    live = {one.id: one for one in up.live_checks(placement)}
    assert {"up.api.one", "up.restart.plumber-one", "up.api.two"} <= set(live)
    assert live["up.restart.plumber-one"].disturbs
    assert "safe.plumber-one.user" in {one.id for one in safe.seen_checks(placement)}
    assert "snappy.api.one" in {one.id for one in snappy.live_checks(placement)}


@pytest.mark.parametrize(
    ("owners", "ok"),
    [("plumber-one plumber\n", True), ("plumber-one root\n", False), ("", False)],
)
def test_who_runs_it(plan: Plan, owners: str, *, ok: bool) -> None:
    text = ANSWER.replace("@end", f"@owners\n{owners}@end")
    seen = dataclasses.replace(good(), inspection=parse_inspection(text))
    first = next(iter(apis.safe_checks(placed(plan))))
    assert first.look(seen).ok is ok
    assert "plumber-one plumber-two" in inspection_script(plan)


def logs(text: str, state: str) -> AppLogs:
    return AppLogs(units={"plumber-one": UnitLog(state=state, text=text)})


def test_r_says_why_it_does_not_run(plan: Plan) -> None:
    found = trouble_with_api(placed(plan), "one", logs(BROKEN, "activating (auto-restart)"))
    assert found is not None
    assert "there is no package called 'nosuchpackage'" in found.message
    assert "plumber-one.service" not in found.told


def test_one_that_is_still_starting_is_waited_for(plan: Plan) -> None:
    early = "Started plumber-one.service - The plumber API one.\nLoading data\n"
    assert trouble_with_api(placed(plan), "one", logs(early, "active (running)")) is None
    ended = trouble_with_api(placed(plan), "one", logs("Killed\n", "failed (failed)"))
    assert ended is not None
    assert ended.told == "Killed"


def test_the_machine_is_asked_for_its_units_only(plan: Plan) -> None:
    asked = json.loads(shlex.split(unit_script(plan, ("plumber-one",)))[-1])
    assert (asked["units"], asked["apps"]) == (["plumber-one"], [])


def systemd_reads(word: str) -> str:
    """A word of Environment= as systemd reads it: quotes and escapes, then specifiers."""
    assert (word[0], word[-1]) == ('"', '"')
    text, inner, at = "", word[1:-1], 0
    while at < len(inner):
        if inner[at] == "\\":
            at += 1
        assert inner[at] != '"' or inner[at - 1] == "\\"
        text += inner[at]
        at += 1
    assert "%" not in text.replace("%%", "")
    return text.replace("%%", "%")


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=40))
def test_a_value_in_a_unit_is_exact(value: str) -> None:
    assert systemd_reads(UNITS.unit_word(value)) == value
    assert systemd_reads(UNITS.unit_command_word(value)).replace("$$", "$") == value


POSIT = """\
r:
  versions:
    - {version: "4.4.1", source: posit, default: true, packages: {source: repository, \
repository: "https://packagemanager.posit.co/cran", names: [plumber]}}
    - {version: "4.2"}
"""


def of_posit(plan: Plan) -> Plan:
    """The same APIs, where a build of Posit's is the default beside Debian's R."""
    plan.box_path.write_text(BOX.replace("r: {}\n", POSIT))
    return resolve(load_box(plan.box_path))


def test_the_default_r_has_a_plumber_of_its_own(plan: Plan) -> None:
    """Debian's plumber is in Debian's R only, and would bring that R where nobody asked for it."""
    assert "r-cran-plumber" not in of_posit(plan).apt_packages


def rendered(plan: Plan) -> list[str]:
    """The unit of the first API, by the variables that the role gets for this plan."""
    told = provision_vars(plan, Path("/i")).servers
    return unit(plumber_rscript=told["plumber_rscript"])


def test_the_unit_runs_the_default_r(plan: Plan) -> None:
    told = provision_vars(plan, Path("/i")).servers
    assert told["plumber_is_debians"] is True
    assert exec_start(rendered(plan)).startswith("ExecStart=/usr/bin/Rscript ")
    posit = of_posit(plan)
    assert provision_vars(posit, Path("/i")).servers["plumber_is_debians"] is False
    assert exec_start(rendered(posit)).startswith("ExecStart=/opt/R/4.4.1/bin/Rscript ")


def exec_start(lines: list[str]) -> str:
    (found,) = [line for line in lines if line.startswith("ExecStart=")]
    return found


def test_the_unit() -> None:
    lines = unit()
    assert (
        'ExecStart=/usr/bin/Rscript /usr/local/lib/sandbox/run-api.R "a $$b.R" 127.0.0.1 8000 docs'
        in lines
    )
    assert 'Environment="A=1\\"\\\\%%h"' in lines
    for words in ("User=plumber", "Restart=on-failure", "ProtectSystem=strict"):
        assert words in lines


def unit(*, plumber_rscript: Json = "/usr/bin/Rscript") -> list[str]:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, autoescape=False
    )
    environment.filters.update(UNITS.FilterModule().filters())
    role = data_dir("playbooks") / "roles" / "plumber"
    template = environment.from_string((role / "templates" / "plumber.service.j2").read_text())
    item = {
        "name": "one",
        "user": "plumber",
        "file": "a $b.R",
        "host": "127.0.0.1",
        "port": 8000,
        "docs": True,
        "environment": {"A": '1"\\%h'},
    }
    text = template.render(
        item=item,
        plumber_site_dir="/srv/plumber",
        plumber_rscript=plumber_rscript,
        plumber_limit_nofile=None,
        system_locale="C.UTF-8",
    )
    return text.splitlines()
