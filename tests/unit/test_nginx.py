"""nginx in front of Shiny Server: one more place where the same apps answer."""

from pathlib import Path

import jinja2

from sandbox.checks import ports, up
from sandbox.endpoints import Proof
from sandbox.guest.pages import apps_url, direct_pages, proven_by_page, urls_of
from sandbox.paths import data_dir
from sandbox.plan import Plan
from sandbox.providers.engine import MachineStatus, Power
from sandbox.render import provision_vars
from sandbox.servers.nginx import SERVER
from sandbox.spec.services import Nginx, Services
from sandbox.spec.shiny_server import ShinyServer
from tests.unit.factories import placed, shiny_plan

RUNNING = MachineStatus("shiny", Power.RUNNING, address="192.0.2.7")


def both(*, port: int = 80, behind: int = 3838) -> Plan:
    services = Services(shiny_server=ShinyServer(port=behind), nginx=Nginx(port=port))
    return shiny_plan().model_copy(update={"services": services})


def site(**values: object) -> str:
    template = data_dir("playbooks") / "roles" / "nginx" / "templates" / "site.conf.j2"
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    usual = {"nginx_upstream_wanted": True, "nginx_rstudio_path": None, "nginx_rstudio_port": 8787}
    return environment.from_string(template.read_text(encoding="utf-8")).render(usual | values)


def test_the_apps_answer_at_nginx_first_and_behind_it() -> None:
    pages = direct_pages(both().endpoints, RUNNING)
    urls = ["http://192.0.2.7:80/faithful/", "http://192.0.2.7:3838/faithful/"]
    assert [page.url for page in pages] == urls
    assert proven_by_page(pages) == pages
    assert {page.endpoint.title for page in pages} == {"the app faithful"}
    assert both().forwarded_ports == (80, 3838)


def test_apps_are_served_by_shiny_server_all_the_same() -> None:
    pages = direct_pages(both().endpoints, RUNNING)
    assert apps_url(both(), pages) == "http://192.0.2.7:3838"
    assert urls_of(pages)["nginx"] == "http://192.0.2.7:80"


def test_without_apps_only_its_port_is_its_own() -> None:
    plan = both().model_copy(update={"apps": ()})
    own = next(one for one in plan.endpoints if one.service == "nginx")
    assert (own.name, own.path, own.proof) == ("nginx", "/", Proof.PORT)


def test_every_check_of_a_server_knows_it() -> None:
    placement = placed(both(port=8080))
    made = {one.id for one in (*up.seen_checks(placement), *ports.seen_checks(placement))}
    assert {"up.service.nginx", "up.enabled.nginx", "safe.port.8080"} <= made
    live = {one.id for one in up.live_checks(placement)}
    assert {"up.page.nginx.faithful", "up.websocket.nginx.faithful", "up.page.faithful"} <= live


def test_its_role_is_told_both_ports() -> None:
    told = provision_vars(both(port=8080, behind=4000), Path()).servers
    assert (told["nginx_wanted"], told["nginx_port"], told["nginx_upstream_port"]) == (
        True,
        8080,
        4000,
    )
    assert provision_vars(shiny_plan(), Path()).servers["nginx_wanted"] is False


def test_a_box_without_it_has_nothing_of_it() -> None:
    assert not SERVER.is_in(shiny_plan().services)
    assert SERVER.endpoints(shiny_plan().services, ("faithful",)) == ()


def test_the_site_keeps_websockets_and_what_the_browser_asked() -> None:
    text = site(nginx_port=8080, nginx_upstream_port=4000)
    for words in (
        "listen 8080 default_server;",
        "proxy_pass http://127.0.0.1:4000;",
        "proxy_http_version 1.1;",
        "proxy_set_header Upgrade $http_upgrade;",
        "proxy_set_header Connection $sandbox_connection;",
        "proxy_set_header Host $http_host;",
        "proxy_read_timeout 20d;",
    ):
        assert words in text, words
