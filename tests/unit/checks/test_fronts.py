"""What stands in front of the apps' server is asked for their pages and websockets."""

from collections.abc import Sequence

import pytest

from sandbox.checks import up
from sandbox.checks.check import Check, Look, NothingToLookAt
from sandbox.checks.live import CheckedMachine
from sandbox.checks.web import NoAnswer
from sandbox.endpoints import Endpoint, Proof
from sandbox.servers.server import Server
from sandbox.servers.shiny import SERVER as SHINY
from sandbox.spec.services import Services
from tests.unit.checks.samples import FakeMachine, page
from tests.unit.factories import placed, shiny_plan

DOCUMENT = '<html><head><meta name="generator" content="pandoc" /></head></html>'


def _in_front(_: Services, apps: Sequence[str]) -> tuple[Endpoint, ...]:
    return tuple(
        Endpoint(name=app, service="front", port=81, path=f"/{app}/", proof=Proof.PAGE, is_app=True)
        for app in apps
    )


FRONT = Server(
    name="front",
    title="the front",
    unit="front",
    processes=frozenset({"front"}),
    packages=(),
    endpoints=_in_front,
    variables=lambda *_: {},
)


@pytest.fixture(autouse=True)
def two_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.plan.wanted", lambda _: (FRONT, SHINY))


def checks() -> dict[str, Check[CheckedMachine]]:
    return {one.id: one for one in up.live_checks(placed(shiny_plan()))}


def look(what: str, machine: FakeMachine) -> Look:
    return checks()[f"up.{what}.front.faithful"].look(machine)


def test_the_apps_own_server_and_the_one_in_front_are_asked() -> None:
    assert {
        "up.page.faithful",
        "up.session.faithful",
        "up.page.front.faithful",
        "up.websocket.front.faithful",
    } <= set(checks())


def test_only_the_apps_own_server_is_asked_where_there_is_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sandbox.plan.wanted", lambda _: (SHINY,))
    assert not [one for one in checks() if "websocket" in one or one.count(".") > 2]


def test_its_page_is_asked_for_there() -> None:
    machine = FakeMachine()
    assert look("page", machine).ok
    assert machine.asked == ["through front", "/faithful/"]
    assert look("page", FakeMachine([page(status=502)])) == Look(
        ok=False, actual="HTTP 502, “Old Faithful”"
    )


def test_its_websocket_is_asked_for_there() -> None:
    machine = FakeMachine()
    assert look("websocket", machine) == Look(ok=True, actual="HTTP 101")
    assert machine.asked == ["through front", "/faithful/", "websocket /faithful/"]
    refused = FakeMachine(websocket_status=400)
    assert look("websocket", refused) == Look(ok=False, actual="HTTP 400")
    assert not look("websocket", FakeMachine([page(status=404)])).ok


def test_a_document_has_none() -> None:
    with pytest.raises(NothingToLookAt):
        look("websocket", FakeMachine([page(DOCUMENT)]))


@pytest.mark.parametrize("what", ["page", "websocket"])
def test_no_answer_is_a_finding(what: str) -> None:
    found = look(what, FakeMachine([NoAnswer("connection refused")]))
    assert found == Look(ok=False, actual="no answer: connection refused")


def test_both_are_mended_by_up() -> None:
    for what in ("page", "websocket"):
        assert checks()[f"up.{what}.front.faithful"].fix.startswith("sandbox up ")
