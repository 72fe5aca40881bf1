"""Options and variables by the real R: from a box to R, through the probe, and back into a box."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import jinja2
import pytest
import yaml

from sandbox.capture.write_box import write_box
from sandbox.checks.options import option_look
from sandbox.facts import r_value
from sandbox.facts.answer import facts_of
from sandbox.facts.collect import compose
from sandbox.facts.facts import Facts
from sandbox.facts.making import Room
from sandbox.facts.r_view import RView
from sandbox.facts.shown import planned_code
from sandbox.facts.subjects.r import RInstallations, main_view
from sandbox.plan import Plan
from sandbox.probe.script import Taking
from sandbox.probe.untaken import HashKey
from sandbox.spec.bases import load_bases
from sandbox.spec.load import load_box
from sandbox.spec.values import OptionValue, Secret
from tests.conftest import cannot_run
from tests.unit.checks.samples import doctored, full_plan, good
from tests.unit.test_role_filters import ROLES, load

_KEY = HashKey("00112233445566778899aabbccddeeff")
_FILTERS: ModuleType = load("r", "r_files")

_OPTIONS = r"""
    contrasts: [contr.sum, contr.poly]
    shiny.maxRequestSize: 1e9
    looks.like.number: "1e9"
    looks.like.flag: "TRUE"
    looks.like.time: "08:30"
    looks.like.null: "null"
    looks.like.na: "NA"
    flag: true
    flags: [true, false]
    whole: 7
    large: 5000000000
    number: 7.0
    fraction: 0.1
    small: 1.0e-05
    negative: -5
    wholes: [1, 2, 3]
    numbers: [1, 2.5]
    quoted: "a \"b\" 'c' \\ # ${d} {{ e }} \u00e4"
    digits: 5
    OutDec: ","
    named: {r: 'c(a = 1L, "b c" = 2L)'}
    missing: {r: "c(1, NA)"}
    missing.text: {r: NA_character_}
    endless: {r: "-Inf"}
    several.lines: {r: '"a\u000ab"'}
    nothing: {r: character(0)}
    gone: {r: "NULL"}
    nested: {r: 'list(a = 1L, b = list("x", NULL), TRUE)'}
    error: {r: "quote(dump.frames())"}
    made: {r: "function(x) {\n  x + 1\n}"}
    formula: {r: "~x + y"}
"""


@pytest.fixture(autouse=True)
def _needs_r() -> None:
    if shutil.which("R") is None:
        cannot_run("R is not installed: apt-get install r-base-core")


def _profile(options: dict[str, object], folder: Path) -> Path:
    """Rprofile.site as the role writes it."""
    environment = jinja2.Environment(trim_blocks=True, autoescape=False)
    environment.filters.update(_FILTERS.FilterModule().filters())
    text = (ROLES / "r" / "templates" / "Rprofile.site.j2").read_text()
    # As Ansible is told them: through JSON
    plain = json.loads(json.dumps(options))
    path = folder / "Rprofile.site"
    path.write_text(
        environment.from_string(text).render(
            r_options=plain, r_repos={"CRAN": "https://cran.example.org"}
        )
        + "\n"
    )
    return path


def _probe(profile: Path, *names: str, **environment: str) -> Facts:
    script = compose(
        "BOUNDARY", taking=Taking(key=_KEY, own=True, names=names), use_sudo=False, timeout_s=120
    )
    kept = {"PATH": os.environ["PATH"], "HOME": str(profile.parent), "LANG": "C.UTF-8"}
    done = subprocess.run(
        ["sh", "-s"],
        input=script,
        capture_output=True,
        text=True,
        timeout=180,
        env={**kept, "R_PROFILE": str(profile), **environment},
        cwd=profile.parent,
        check=True,
    )
    return facts_of(done.stdout, "BOUNDARY", where="here")


def _view(facts: Facts) -> RView:
    view = main_view(facts)
    assert view is not None
    return view


def _box(folder: Path, options: str) -> dict[str, OptionValue | Secret]:
    path = folder / "box.yml"
    path.write_text(f"version: 1\nbase: debian-12\nr:\n  options:\n{options}")
    r = load_box(path).box.r
    assert r is not None
    return dict(r.options)


def _plan_with(options: dict[str, OptionValue | Secret]) -> Plan:
    plan = full_plan()
    assert plan.r is not None
    return plan.model_copy(update={"r": plan.r.model_copy(update={"options": options})})


def _plain(options: dict[str, OptionValue | Secret]) -> dict[str, object]:
    return {
        name: value.model_dump() if hasattr(value, "model_dump") else value
        for name, value in options.items()
    }


def test_from_a_box_to_r_and_back_each_option_is_the_same(tmp_path: Path) -> None:
    planned = _box(tmp_path, _OPTIONS)
    view = _view(facts := _probe(_profile(_plain(planned), tmp_path), *planned))
    assert view.startup_error is None
    assert view.startup_output == ""
    assert view.repos == {"CRAN": "https://cran.example.org"}
    plan, seen = _plan_with(planned), doctored(good(), "facts.r", facts[RInstallations].root)
    for name, value in planned.items():
        assert not isinstance(value, Secret)
        code = planned_code(value)
        if code == "NULL":
            assert name not in view.options
        elif r_value.read(code) is not None:
            assert r_value.compare(view.options[name], code) == "equal", name
        assert option_look(plan, name, value)(view, seen).ok, name
    said = _captured(facts, tmp_path)
    for name, value in planned.items():
        if name != "gone":
            assert not isinstance(value, Secret)
            again = planned_code(said[name])  # type: ignore[arg-type]
            assert r_value.compare(again, planned_code(value)) == "equal", name


def _captured(facts: Facts, folder: Path) -> dict[str, OptionValue | Secret]:
    box = write_box(
        facts, source="x", facts_file="x.facts.json", bases=load_bases(), room=Room(2, 2048)
    )
    (folder / "x.facts.json").write_text(facts.model_dump_json())
    path = folder / "captured.yml"
    path.write_text(box.text)
    r = load_box(path).box.r
    assert r is not None
    return dict(r.options)


def test_what_somebody_sets_by_hand_comes_back_in_every_r(tmp_path: Path) -> None:
    profile = tmp_path / "Rprofile.site"
    profile.write_text(
        'options(contrasts = c("contr.sum", "contr.poly"), shiny.maxRequestSize = 1e9,\n'
        '  mc.cores = 4, digits = 5, my.text = "1e9", my.time = "08:30", my.na = NA,\n'
        "  my.list = list(a = 1L), my.call = quote(recover()), my.fun = function(x) x)\n"
    )
    names = ("my.text", "my.time", "my.list")
    first = _view(facts := _probe(profile, *names))
    said = _captured(facts, tmp_path)
    again = _view(_probe(_profile(_plain(said), tmp_path), *names))
    for name in ("contrasts", "shiny.maxRequestSize", "mc.cores", "digits", *names, "my.na",
                 "my.call", "my.fun"):  # fmt: skip
        assert again.options[name] == first.options[name], name
    assert first.options["shiny.maxRequestSize"] == "1000000000"
    assert first.options["my.text"] == '"1e9"'


def test_one_option_that_r_does_not_take_loses_no_other(tmp_path: Path) -> None:
    options = {
        "a.first": 1,
        "contrasts": "contr.sum, contr.poly",
        "digits": 99,
        "broken": {"r": "c(1,"},
        "stops": {"r": "stop('no')"},
        "escapes": {"r": 'NULL)) quit(status = 3) #"'},
        "warn": 2,
        "z.last": "there",
    }
    view = _view(_probe(_profile(dict(options), tmp_path), "a.first", "z.last"))
    assert view.startup_error is None
    assert (view.options["a.first"], view.options["z.last"]) == ("1L", '"there"')
    for name in ("digits", "broken", "stops", "escapes"):
        assert f"the option {name} of the box could not be set" in view.startup_output, name


_SITE = """\
A=1
A=2
STAGE=${STAGE-test}
QUOTED='it is "so"'
NESTED=${NOT_THERE-${NEITHER-inner}}
"""


def test_what_r_said_wins_over_the_text_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "Renviron.site").write_text(_SITE)
    (tmp_path / ".Renviron").write_text("OWN=mine\n")
    profile = tmp_path / "Rprofile.site"
    profile.write_text('Sys.setenv(BY_CODE = "yes")\n')
    names = ("A", "STAGE", "QUOTED", "NESTED", "OWN", "BY_CODE")
    facts = _probe(profile, *names, R_ENVIRON=str(tmp_path / "Renviron.site"), STAGE="production")
    box = write_box(
        facts, source="x", facts_file="x.facts.json", bases=load_bases(), room=Room(2, 2048)
    )
    said = yaml.safe_load(box.text)["system"]["environment"]
    assert {name: said[name] for name in names} == {
        "A": "2",
        "STAGE": "production",
        "QUOTED": 'it is "so"',
        "NESTED": "inner",
        "OWN": "mine",
        "BY_CODE": "yes",
    }
    lines = {line.strip().partition(":")[0]: line for line in box.text.splitlines()}
    assert lines["OWN"].endswith("/.Renviron")
    assert lines["BY_CODE"].endswith("/Rprofile.site")
    assert lines["A"].endswith("/Renviron.site")


def test_only_lc_all_is_set(tmp_path: Path) -> None:
    profile = tmp_path / "Rprofile.site"
    profile.write_text("")
    facts = _probe(profile, LC_ALL="C.UTF-8", LANG="")
    box = write_box(
        facts, source="x", facts_file="x.facts.json", bases=load_bases(), room=Room(2, 2048)
    )
    assert yaml.safe_load(box.text)["system"]["locale"] == "C.UTF-8"
