"""Where a machine answers: one list, whatever servers it has."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from sandbox import servers
from sandbox.checks import ports, up
from sandbox.endpoints import Endpoint, Proof
from sandbox.guest.pages import apps_url, direct_pages, proven_by_page, reached_pages
from sandbox.plan import Plan
from sandbox.providers.engine import MachineStatus, Power
from sandbox.record import Record
from sandbox.render import provision_vars
from sandbox.servers.server import Server, Variables
from sandbox.spec.services import Services
from sandbox.spec.values import Model
from sandbox.ssh import SshTarget
from tests.unit.factories import placed, plain_plan, shiny_plan

RUNNING = MachineStatus("shiny", Power.RUNNING, address="192.0.2.7")


class Metrics(Model):
    """The settings of a server that nobody has yet."""

    port: int = 8000


class MoreServices(Services):
    metrics: Metrics | None = None


def _endpoints(services: Services, _: Sequence[str]) -> tuple[Endpoint, ...]:
    assert isinstance(services, MoreServices)
    assert services.metrics is not None
    port, path = services.metrics.port, "/__docs__/"
    return (Endpoint(name="Metrics", service="metrics", port=port, path=path, proof=Proof.PAGE),)


def _variables(services: Services, _: object) -> Variables:
    return {"metrics_wanted": METRICS.is_in(services)}


METRICS = Server(
    name="metrics",
    title="Metrics",
    unit="metrics-api",
    processes=frozenset({"R"}),
    packages=("r-cran-plumber",),
    endpoints=_endpoints,
    variables=_variables,
)


@pytest.fixture
def two_servers(monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A plan with Shiny Server, and with another that is one more file in `sandbox/servers`."""
    known = (*servers.servers(), METRICS)
    monkeypatch.setattr("sandbox.servers.servers", lambda: known)
    monkeypatch.setattr("sandbox.render.servers", lambda: known)
    shiny = shiny_plan()
    services = MoreServices(shiny_server=shiny.services.shiny_server, metrics=Metrics())
    return shiny.model_copy(update={"services": services})


def test_servers_are_found_by_their_files() -> None:
    folder = Path(servers.__file__).parent
    others = {"__init__", "server", "shiny_config"}
    files = {path.stem for path in folder.glob("*.py")} - others
    assert len(servers.servers()) == len(files)
    names = ["nginx", "plumber", "rstudio_server", "shiny_server"]
    assert [server.name for server in servers.servers()] == names


def test_each_app_is_an_endpoint_of_shiny_server() -> None:
    (endpoint,) = shiny_plan().endpoints
    assert (endpoint.name, endpoint.port, endpoint.path) == ("faithful", 3838, "/faithful/")
    assert endpoint.proof is Proof.PAGE
    assert endpoint.title == "the app faithful"
    assert plain_plan().endpoints == ()


def test_shiny_server_without_apps_is_an_endpoint_of_its_own() -> None:
    plan = shiny_plan().model_copy(update={"apps": ()})
    (endpoint,) = plan.endpoints
    assert (endpoint.name, endpoint.path) == ("Shiny Server", "/")
    pages = direct_pages(plan.endpoints, RUNNING)
    # Nothing that a listing shows, or that is waited for
    assert proven_by_page(pages) == ()
    assert apps_url(plan, pages) == "http://192.0.2.7:3838"


def test_a_second_server_is_asked_for_everywhere(two_servers: Plan) -> None:
    plan = two_servers
    assert plan.forwarded_ports == (3838, 8000)
    assert [page.url for page in direct_pages(plan.endpoints, RUNNING)] == [
        "http://192.0.2.7:3838/faithful/",
        "http://192.0.2.7:8000/__docs__/",
    ]
    assert [one.title for one in plan.endpoints] == ["the app faithful", "Metrics"]
    checks = [one.id for one in ports.seen_checks(placed(plan))]
    assert checks[-3:] == ["safe.port.22", "safe.port.3838", "safe.port.8000"]
    assert up.services(plan) == ("ssh", "shiny-server", "metrics-api")
    assert provision_vars(plan, Path()).servers["metrics_wanted"] is True
    assert Record(placement=placed(plan)).summary.endpoints == plan.endpoints
    assert apps_url(plan, direct_pages(plan.endpoints, RUNNING)) == "http://192.0.2.7:3838"


def test_where_there_is_no_route_one_tunnel_serves_all_pages_of_a_port(
    two_servers: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    class Tunnel:
        def __init__(self, _: SshTarget, port: int) -> None:
            asked.append(port)

        def __enter__(self) -> int:
            return 40000 + asked[-1]

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr("sandbox.guest.pages.forwarded", Tunnel)
    app = two_servers.apps[0]
    apps = (app, app.model_copy(update={"name": "second"}))
    plan = two_servers.model_copy(update={"apps": apps})
    forwarded = MachineStatus("shiny", Power.RUNNING, forwarded=((8000, 20001),))
    with reached_pages(plan.endpoints, forwarded, SshTarget("shiny")) as pages:
        assert [page.url for page in pages] == [
            "http://127.0.0.1:43838/faithful/",
            "http://127.0.0.1:43838/second/",
            "http://127.0.0.1:20001/__docs__/",
        ]
    assert asked == [3838]
    assert len(direct_pages(plan.endpoints, forwarded)) == 1


def test_an_endpoint_is_read_back_from_a_file() -> None:
    (endpoint,) = shiny_plan().endpoints
    assert Endpoint.from_saved(asdict(endpoint)) == endpoint
    for broken in ({"port": "3838"}, {"is_app": 1}, {"proof": "smoke"}, {"name": "\ud800"}):
        with pytest.raises((TypeError, ValueError)):
            Endpoint.from_saved({**asdict(endpoint), **broken})
