"""RStudio Server on a machine: its endpoints, its role's variables, and the server in front."""

import json
from pathlib import Path
from typing import Any

from sandbox.checks import ports, up
from sandbox.checks.rstudio import client_for
from sandbox.endpoints import Proof
from sandbox.plan import Plan
from sandbox.render import provision_vars
from sandbox.servers.rstudio import SERVER, way_in
from sandbox.spec.models import User
from sandbox.spec.rstudio import RstudioConfig, RstudioServer
from sandbox.spec.services import Nginx, Services
from sandbox.spec.shiny_server import ShinyServer
from tests.unit.factories import placed, plain_plan, shiny_plan
from tests.unit.test_nginx import site

VERSION = "2024.12.0+467"
CONFIG = RstudioConfig(
    rserver={"auth-timeout-minutes": 5, "server-add-header": ("A: b", "C: d")},
    rsession={"allow-shell": False},
    logging={"log-level": "debug"},
    prefs={"save_workspace": "never"},
)


def plan(*, path: str | None = None, users: tuple[str, ...] | None = None) -> Plan:
    rstudio = RstudioServer(version=VERSION, config=CONFIG, path=path, users=users)
    nginx = Nginx() if path else None
    services = Services(rstudio_server=rstudio, nginx=nginx)
    people = (User(name="ada"), User(name="bob"))
    update = {"services": services, "users": people, "apps": ()}
    return shiny_plan().model_copy(update=update)


def variables(wanted: Plan) -> dict[str, object]:
    found: dict[str, object] = plain(json.loads(provision_vars(wanted, Path("/x")).for_reading()))
    return found


def plain(value: Any) -> Any:
    """The same without the marks that keep Ansible from taking text for templates."""
    match value:
        case {"__ansible_unsafe": text}:
            return text
        case dict():
            return {key: plain(one) for key, one in value.items()}
        case list():
            return [plain(one) for one in value]
        case _:
            return value


def test_its_page_is_the_one_for_signing_in() -> None:
    (page,) = plan().endpoints
    assert (page.name, page.port, page.path) == ("RStudio Server", 8787, "/auth-sign-in")
    assert page.proof is Proof.PAGE
    assert not page.is_app


def test_its_files_are_written_as_its_makers_have_them() -> None:
    found = variables(plan())
    assert found["rstudio_server_rserver"] == (
        "auth-timeout-minutes=5\nserver-add-header=A: b\nserver-add-header=C: d\n"
    )
    assert found["rstudio_server_rsession"] == "allow-shell=0\n"
    assert found["rstudio_server_logging"] == "log-level=debug\n"
    assert found["rstudio_server_prefs"] == '{\n  "save_workspace": "never"\n}'
    assert found["rstudio_server_which_r"] == "/usr/bin/R"
    assert found["rstudio_server_address"] == "0.0.0.0"
    assert found["rstudio_server_has_check_config"] is False
    assert found["users_with_password"] == ["ada", "bob"]


def test_only_those_who_may_sign_in_get_a_password() -> None:
    assert plan(users=("bob",)).users_with_password == ("bob",)
    assert shiny_plan().users_with_password == ()


def test_a_box_without_it_is_as_it_was() -> None:
    content = shiny_plan().model_dump(mode="json")
    assert set(content["services"]) == {"shiny_server"}
    assert "rstudio_session_s" not in content["budget"]
    assert variables(plain_plan())["rstudio_server_wanted"] is False


def test_behind_nginx_it_listens_for_nginx_alone() -> None:
    wanted = plan(path="/rstudio")
    (page,) = wanted.endpoints
    assert (page.service, page.port, page.path) == ("nginx", 80, "/rstudio/auth-sign-in")
    assert way_in(wanted.services) == ("nginx", "/rstudio")
    assert SERVER.loopback_ports(wanted.services) == (8787,)
    assert wanted.forwarded_ports == (80,)
    found = variables(wanted)
    assert found["rstudio_server_address"] == "127.0.0.1"
    assert str(found["rstudio_server_rserver"]).startswith("www-root-path=/rstudio\n")
    assert found["nginx_rstudio_path"] == "/rstudio"
    assert found["nginx_upstream_wanted"] is False


def test_nginx_takes_the_path_away_and_tells_it() -> None:
    text = site(
        nginx_port=80,
        nginx_upstream_port=3838,
        nginx_upstream_wanted=False,
        nginx_rstudio_path="/rstudio",
    )
    for words in (
        "location = /rstudio {",
        "rewrite ^/rstudio/(.*)$ /$1 break;",
        "proxy_pass http://127.0.0.1:8787;",
        "proxy_set_header X-RStudio-Root-Path /rstudio;",
        "proxy_set_header Upgrade $http_upgrade;",
    ):
        assert words in text, words
    assert "location / {" not in text
    assert "location / {" in site(nginx_port=80, nginx_upstream_port=3838)


def test_its_checks_are_made() -> None:
    placement = placed(plan())
    seen = {one.id for one in (*up.seen_checks(placement), *ports.seen_checks(placement))}
    assert {"up.service.rstudio-server", "up.enabled.rstudio-server", "safe.port.8787"} <= seen
    live = [one.id for one in up.live_checks(placement)]
    assert live == ["up.page.rstudio", "up.session.rstudio", "up.restart.rstudio-server"]


def test_beside_shiny_server_both_are_checked() -> None:
    both = shiny_plan()
    rstudio = RstudioServer(version=VERSION)
    services = Services(shiny_server=ShinyServer(), rstudio_server=rstudio)
    placement = placed(both.model_copy(update={"services": services}))
    live = {one.id for one in up.live_checks(placement)}
    assert {"up.session.rstudio", "up.session.faithful"} <= live


def test_the_client_takes_the_way_that_people_take() -> None:
    class Machine:
        def address_of(self, server: str) -> str:
            return {"nginx": "http://h:1", "rstudio_server": "http://h:2"}[server]

    machine = Machine()
    assert client_for(plan(path="/rstudio"), machine).base_url == "http://h:1/rstudio"  # type: ignore[arg-type]
    assert client_for(plan(), machine).base_url == "http://h:2"  # type: ignore[arg-type]
