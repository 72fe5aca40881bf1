"""Shiny Server's configuration from a box: written by its role, and read back from a machine."""

import dataclasses
from pathlib import Path

import jinja2
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sandbox.checks import places, ports, up
from sandbox.endpoints import Proof
from sandbox.facts.making import BoxItems
from sandbox.facts.shiny_keys import shiny_keys
from sandbox.facts.subjects.shiny import SeenShinyServer, parse_shiny_server, settings, statements
from sandbox.guest.pages import direct_pages, urls_of
from sandbox.paths import data_dir
from sandbox.plan import Plan
from sandbox.probe.frame import read_frame
from sandbox.providers.engine import MachineStatus, Power
from sandbox.render import provision_vars
from sandbox.servers.shiny_config import accounts_of, shiny_statements
from sandbox.spec.services import Nginx, Services
from sandbox.spec.shiny_server import ShinyLocation, ShinyServer, ShinySite
from tests.unit.changed_facts import with_named
from tests.unit.checks.samples import good
from tests.unit.factories import placed, shiny_plan
from tests.unit.test_role_filters import load

ROLE = data_dir("playbooks") / "roles" / "shiny_server"
CONFIG = load("shiny_server", "shiny_config")
FULL = ShinyServer(
    port=4000,
    host="127.0.0.1",
    run_as="apps",
    app_idle_timeout=0,
    directory_index=False,
    log_dir="/var/log/apps",
    access_log="/var/log/requests/access.log combined",
    locations=(
        ShinyLocation(path="/sales", app="faithful", app_init_timeout=120, run_as="sales"),
        ShinyLocation(path="/old", redirect="https://example.org/new"),
    ),
    servers=(
        ShinySite(
            port=4001,
            disable_websockets=True,
            locations=(ShinyLocation(path="/", app_dir="/srv/one"),),
        ),
    ),
)


def plan_with(shiny: ShinyServer, *, nginx: bool = False) -> Plan:
    services = Services(shiny_server=shiny, nginx=Nginx() if nginx else None)
    return shiny_plan().model_copy(update={"services": services})


def rendered(shiny: ShinyServer) -> str:
    """What Ansible writes: its defaults, then our variables."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters.update(CONFIG.FilterModule().filters())
    template = environment.from_string((ROLE / "templates/shiny-server.conf.j2").read_text())
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    return template.render(**defaults | provision_vars(plan_with(shiny), Path()).servers)


def seen(text: str) -> SeenShinyServer:
    head = "\nB\tsection\tshiny-server\t/etc/shiny-server/shiny-server.conf\n"
    found = parse_shiny_server(read_frame(f"{head}{text}\nB\tsection\tend\n", "B"))
    assert found is not None
    return found


def test_without_new_keys_it_is_what_it_was() -> None:
    assert rendered(ShinyServer()) == (
        "# Written by sandbox\nrun_as shiny;\n\nserver {\n  listen 3838;\n\n  location / {\n"
        "    site_dir /srv/shiny-server;\n    log_dir /var/log/shiny-server;\n"
        "    directory_index on;\n  }\n}\n"
    )


def test_the_machine_says_what_the_box_says() -> None:
    read = settings(with_named(good().facts, shiny_server=seen(rendered(FULL))))
    stated = shiny_statements(FULL)
    assert stated.pop("run_as") == "apps"
    assert {name: read.get(name) for name in stated} == stated
    assert stated["server > location /sales > app_dir"] == "/srv/shiny-server/faithful"
    assert stated["server #2 > listen"] == "4001"


def test_a_captured_server_makes_the_same_keys() -> None:
    shiny = FULL.model_copy(
        update={
            "locations": (
                ShinyLocation(path="/sales", app_dir="/srv/sales", app_init_timeout=120),
                ShinyLocation(path="/old", redirect="https://example.org/new"),
            )
        }
    )
    found = shiny_keys(seen(rendered(shiny)).statements).values
    again = {
        key: [dict(item) for item in value.items] if isinstance(value, BoxItems) else value
        for key, value in found.items()
    }
    expected = shiny.model_dump(mode="json", exclude_none=True, exclude={"port"})
    assert again == expected


@given(st.text(min_size=1, max_size=30).filter(lambda text: "\r" not in text))
def test_a_word_stays_one_word(text: str) -> None:
    # Our own reader keeps the backslashes; the server takes them for escapes
    (read,) = list(statements(f"name {CONFIG.shiny_word(text)};"))
    (word,) = read.words or ("",)
    assert word.replace('\\"', '"').replace("\\\\", "\\") == text or "\\" in text


@pytest.mark.parametrize(
    "text",
    [
        "run_as root; server { listen 80; location / { site_dir /x; } }",
        "utilization_scheduler 20; server { listen 3838; location /a/b { app_dir /x y; } }",
        "server { listen 1; } server { listen 1; location / { app_dir /x; } }",
        "server { listen 1; } server { listen 22; location / { app_dir /x; } }",
        "server { location /x { location /y { app_dir /x; } app_idle_timeout many; } }",
    ],
)
def test_what_no_box_can_say_makes_no_key(text: str) -> None:
    assert shiny_keys(seen(text).statements).values == {}


def test_one_server_says_it_for_all() -> None:
    text = "server { listen 3838; app_idle_timeout 9; location / { reconnect off; site_dir /x; } }"
    found = shiny_keys(seen(text).statements)
    assert found.values == {"app_idle_timeout": 9, "reconnect": False}


def test_with_two_servers_it_is_not_said_for_all() -> None:
    text = (
        "server { listen 1; app_idle_timeout 9; } server { listen 2; location /a { app_dir /b; } }"
    )
    found = shiny_keys(seen(text).statements)
    assert set(found.values) == {"servers"}


def test_the_place_that_fits_all_is_the_last() -> None:
    own = ShinyServer(locations=(ShinyLocation(path="/faithful", app="faithful"),))
    text = rendered(own)
    assert text.index('location "/faithful"') < text.index("location / {")
    assert "listen 3838;\n\n  location" in text


def test_each_place_of_apps_has_a_log_folder() -> None:
    plain = ShinyServer(
        locations=(
            ShinyLocation(path="/a", app="faithful"),
            ShinyLocation(path="/b", redirect="https://example.org/"),
        ),
        servers=(ShinySite(port=4001, locations=(ShinyLocation(path="/", app_dir="/srv/one"),)),),
    )
    # One of the box's own apps, /a and port 4001: without it Shiny Server ends
    assert rendered(plain).count("log_dir") == 3
    assert rendered(FULL).count("log_dir") == 2
    found = shiny_keys(seen(rendered(plain)).statements).values
    assert "log_dir" not in str(found)


def test_each_place_is_an_endpoint() -> None:
    found = {(one.port, one.path): one for one in plan_with(FULL).endpoints}
    assert set(found) == {(4000, "/faithful/"), (4000, "/sales/"), (4000, "/old/"), (4001, "/")}
    assert found[4000, "/sales/"].proof is Proof.PAGE
    assert found[4001, "/"].proof is Proof.PORT
    assert plan_with(FULL).forwarded_ports == (4001,)


def test_what_listens_inside_only_has_no_direct_page() -> None:
    status = MachineStatus("shiny", Power.RUNNING, address="192.0.2.7")
    pages = direct_pages(plan_with(FULL).endpoints, status)
    assert [page.url for page in pages] == ["http://192.0.2.7:4001/"]
    assert urls_of(pages)["shiny_server:4001"] == "http://192.0.2.7:4001"


def test_the_checks_know_each_place() -> None:
    placement = placed(plan_with(FULL, nginx=True))
    live = {one.id for one in up.live_checks(placement)}
    assert {"up.place.4000/sales", "up.page.faithful", "up.websocket.nginx.faithful"} <= live
    listening = {one.id for one in ports.seen_checks(placement)}
    assert {"safe.port.4000", "safe.port.4001"} <= listening


def test_without_websockets_nginx_is_not_asked_for_them() -> None:
    placement = placed(plan_with(ShinyServer(disable_websockets=True), nginx=True))
    live = {one.id for one in up.live_checks(placement)}
    assert "up.page.nginx.faithful" in live
    assert "up.websocket.nginx.faithful" not in live


def test_a_setting_that_differs_is_found() -> None:
    placement = placed(plan_with(FULL))
    (check,) = places.seen_checks(placement)
    sample = good()
    same = with_named(sample.facts, shiny_server=seen(rendered(FULL)))
    assert check.look(dataclasses.replace(sample, facts=same)).ok
    other = seen(rendered(FULL).replace('app_idle_timeout "0"', 'app_idle_timeout "5"'))
    look = check.look(
        dataclasses.replace(sample, facts=with_named(sample.facts, shiny_server=other))
    )
    assert (look.ok, look.actual) == (False, "app_idle_timeout differs")


def test_accounts_of_apps_are_made_but_for_the_packages_own() -> None:
    assert accounts_of(FULL) == ("apps", "sales")
    assert accounts_of(ShinyServer(run_as=":HOME_USER: shiny")) == ()
