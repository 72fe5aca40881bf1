"""What a box cannot say stands in its comments."""

from typing import Any

import pytest

from sandbox.capture.write_box import write_box
from sandbox.facts.facts import Facts
from sandbox.facts.making import Room
from sandbox.facts.r_yaml import option_yaml
from sandbox.facts.subjects.configs import ConfigFile
from sandbox.facts.subjects.environment import choose_variables
from sandbox.facts.subjects.locale import SystemLocale, choose_locale
from sandbox.facts.subjects.r import RInstallations
from sandbox.facts.subjects.shiny import SeenShinyServer, parse_shiny_server
from sandbox.facts.subjects.timezone import choose_timezone
from sandbox.facts.subjects.units import UnitSettings
from sandbox.probe.frame import read_frame
from sandbox.probe.untaken import new_key, placeholder
from sandbox.spec.bases import load_bases
from tests.unit.changed_facts import with_named
from tests.unit.checks.samples import good

FACTS = good().facts
HIDDEN = placeholder("x9Kq2Lm7", new_key())


def view(facts: Facts = FACTS, *, only: int | None = None, **parts: Any) -> Facts:
    r = facts[RInstallations][0]
    views = tuple(
        one.model_copy(update=parts) if only in (None, at) else one
        for at, one in enumerate(r.views)
    )
    return with_named(facts, r=(r.model_copy(update={"views": views}),))


def notes(facts: Facts) -> str:
    box = write_box(
        facts, source="prod", facts_file="x.json", bases=load_bases(), room=Room(4, 8192)
    )
    assert "#" not in "".join(box.notes).replace("server #2", "")
    return "\n".join(box.notes)


def shiny(text: str) -> SeenShinyServer:
    head = "\nB\tsection\tshiny-server\t/etc/shiny-server/shiny-server.conf\n"
    found = parse_shiny_server(read_frame(f"{head}{text}\nB\tsection\tend\n", "B"))
    assert found is not None
    return found


CONF = f"""
run_as apps;
app_init_timeout 120;
utilization_scheduler 20 0.9 3;
server {{
  listen 3838;
  location / {{ site_dir /srv/shiny-server; log_dir /var/log/shiny-server; directory_index on; }}
  location {HIDDEN} {{
    app_dir /srv/sales;
    app_idle_timeout 0;
  }}
  location /users {{ user_dirs; }}
}}
server {{
  listen 8080;
}}
"""


def test_each_statement_of_shiny_server_that_a_box_cannot_say() -> None:
    said = notes(with_named(FACTS, shiny_server=shiny(CONF)))
    for wanted in (
        "utilization_scheduler 20 0.9 3",
        "> app_dir /srv/sales",
        "> app_idle_timeout 0",
        "server #2 > listen 8080",
    ):
        assert wanted in said, wanted
    for in_the_box in ("run_as apps", "app_init_timeout 120", "location /users"):
        assert in_the_box not in said
    assert "also says: listen 3838" not in said
    assert "directory_index" not in said


def test_a_location_that_was_not_taken_keeps_its_brace_and_what_follows() -> None:
    found = shiny(CONF)
    inside = [one.text for one in found.statements if len(one.within) == 2]
    assert "app_dir /srv/sales" in inside
    assert found.app_dirs == ("/srv/sales",)
    assert [one.port for one in found.listens] == [3838, 8080]


def test_the_usual_configuration_is_nothing_to_say() -> None:
    usual = (
        "run_as shiny; server { listen 3838; location / { site_dir /srv/shiny-server; "
        "log_dir /var/log/shiny-server; directory_index on; } }"
    )
    assert "also says" not in notes(with_named(FACTS, shiny_server=shiny(usual)))


def test_the_agent_that_decides_what_repositories_send() -> None:
    usual = '"R (4.2.2 x86_64-pc-linux-gnu x86_64 linux-gnu)"'
    assert "HTTPUserAgent" not in notes(view(options={"HTTPUserAgent": usual}))
    own = '"R/4.2.2 R (4.2.2 x86_64-pc-linux-gnu x86_64 linux-gnu)"'
    assert "HTTPUserAgent = " in notes(view(options={"HTTPUserAgent": own}))
    hidden = notes(view(options={"HTTPUserAgent": f'"{HIDDEN}"'}))
    assert "HTTPUserAgent = <not taken: 1-8 characters> (by it" in hidden


def test_other_files_and_units_are_named_with_what_they_set() -> None:
    files = (
        ConfigFile(path="/etc/rstudio/rserver.conf", settings={"www-port": "80", "x": HIDDEN}),
        ConfigFile(path="/etc/security/limits.conf", settings={"* hard nproc": "4096"}),
    )
    unit = UnitSettings(
        name="shiny-server.service",
        settings={"DropInPaths": "/etc/systemd/system/x.conf", "MemoryMax": "4294967296"},
    )
    said = notes(with_named(FACTS, configs=files, units=(unit,)))
    assert "/etc/rstudio/rserver.conf sets www-port=80; x=<not taken: 1-8 characters>" in said
    assert "/etc/security/limits.conf sets * hard nproc=4096" in said
    assert "is changed by /etc/systemd/system/x.conf: MemoryMax=4294967296" in said


def test_files_say_where_a_variable_comes_from_and_r_what_it_is() -> None:
    files = (
        ConfigFile(path="/etc/environment", settings={"STAGE": "production", "LOST": "1"}),
        ConfigFile(
            path="/usr/lib/R/etc/Renviron.site",
            settings={
                "A": "1",
                "A #2": "2",
                "STAGE": "${STAGE-test}",
                "B": "3",
                "R_MAX_VSIZE": "9",
            },
        ),
        ConfigFile(path="/etc/R/Rprofile.site", settings={"expression 1": 'Sys.setenv(C = "1")'}),
    )
    measured = {"A": "2", "STAGE": "production", "B": "4", "C": "1", "D": "5", "R_MAX_VSIZE": "9"}
    facts = view(
        with_named(FACTS, configs=files),
        environment=measured,
        environment_files={"/home/ops/.Renviron": ("D",)},
    )
    facts = view(facts, only=1, environment={**measured, "B": "7"})
    found = choose_variables(facts, facts[RInstallations][0].views[0])
    said = {one.name: (one.value, one.where) for one in found.said}
    site = "/usr/lib/R/etc/Renviron.site"
    assert said == {
        "A": ("2", site),
        "B": ("4", f"{site} says otherwise"),
        "C": ("1", "/etc/R/Rprofile.site"),
        "D": ("5", "/home/ops/.Renviron"),
        "STAGE": ("production", f"/etc/environment, {site}"),
    }
    assert f"R_MAX_VSIZE=9 ({site})" in found.notes
    assert "LOST is set in /etc/environment, and no R sees it" in found.notes
    assert "B is 7 in apps: the box says what a login has" in found.notes


@pytest.mark.parametrize(
    ("locale", "settings", "wanted"),
    [
        ({"LC_CTYPE": "en_US.UTF-8", "LC_COLLATE": "en_US.UTF-8"}, {}, "en_US.UTF-8"),
        ({"LC_CTYPE": "C", "LC_COLLATE": "C"}, {"LANG": "de_DE.UTF-8"}, "C"),
        ({"LC_CTYPE": "en_US.utf8", "LC_COLLATE": "en_US.utf8"}, {"LANG": "C"}, "en_US.UTF-8"),
        ({}, {"LANG": "en_US.utf8"}, "en_US.UTF-8"),
        ({}, {"LC_ALL": "de_AT.UTF-8"}, "de_AT.UTF-8"),
        ({}, {}, None),
    ],
)
def test_the_locale_is_the_one_that_r_runs_in(
    locale: dict[str, str], settings: dict[str, str], wanted: str | None
) -> None:
    system = FACTS[SystemLocale].model_copy(update={"settings": settings})
    facts = view(with_named(FACTS, locale=system), locale=locale)
    found, said = choose_locale(facts, facts[RInstallations][0].views[0])
    assert found == wanted
    assert bool(said) is (locale.get("LC_CTYPE") == "C")


def test_the_time_zone_is_r_s_own_and_the_systems_is_said() -> None:
    facts = view(timezone="Asia/Tokyo")
    found, said = choose_timezone(facts, facts[RInstallations][0].views[0])
    assert found == "Asia/Tokyo"
    assert said == ["the system's time zone is Europe/Vienna, and R's is Asia/Tokyo"]


@pytest.mark.parametrize(
    ("code", "yaml"),
    [
        ("7L", "7"),
        ("7", "7.0"),
        ("1000000000", "1000000000.0"),
        ("1e-05", "1.0e-05"),
        ('"1e9"', '"1e9"'),
        ('"null"', '"null"'),
        ("TRUE", "true"),
        ('c("contr.sum", "contr.poly")', '["contr.sum", "contr.poly"]'),
        ("c(a = 1)", '{r: "c(a = 1)"}'),
        ("NA", '{r: "NA"}'),
        ("quote(f())", '{r: "quote(f())"}'),
        ("<environment>", None),
        ("", None),
        (" \n", None),
        (f'c("a", "{HIDDEN}")', None),
    ],
)
def test_each_type_has_its_own_word_in_a_box(code: str, yaml: str | None) -> None:
    assert option_yaml(code) == yaml
