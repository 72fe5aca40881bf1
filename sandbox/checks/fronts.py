"""Goal up, continued: what stands in front of the server of the apps hands on all they need."""

from collections.abc import Callable, Iterator
from http import HTTPStatus

from sandbox.checks import fixes
from sandbox.checks.check import Check, Look, NothingToLookAt
from sandbox.checks.live import CheckedMachine
from sandbox.checks.results import Goal
from sandbox.checks.shiny_page import describe, is_app_page, is_document, is_shiny
from sandbox.checks.web import NoAnswer
from sandbox.endpoints import Endpoint, Proof
from sandbox.placement import Placement
from sandbox.plan import Plan


def live_checks(placement: Placement) -> Iterator[Check[CheckedMachine]]:
    """Two for each app and each server that answers for the apps' own."""
    plan = placement.plan
    names = {server.name: server.title for server in plan.servers if not server.serves_apps}
    for endpoint in plan.endpoints:
        if endpoint.proof is Proof.PAGE and endpoint.is_app and endpoint.service in names:
            title = names[endpoint.service]
            yield _page(placement, endpoint, title)
            if _has_websockets(placement.plan):
                yield _websocket(placement, endpoint, title)


def _has_websockets(plan: Plan) -> bool:
    shiny = plan.services.shiny_server
    return shiny is None or not (
        shiny.disable_websockets or "websocket" in (shiny.disable_protocols or ())
    )


def _page(placement: Placement, endpoint: Endpoint, title: str) -> Check[CheckedMachine]:
    def look(machine: CheckedMachine) -> Look:
        page = machine.through(endpoint.service).get(endpoint.path)
        return Look(is_app_page(page), describe(page))

    return Check(
        id=f"up.page.{endpoint.service}.{endpoint.name}",
        goal=Goal.UP,
        title=f"{title} hands on the page of {endpoint.title}",
        expected=f"HTTP 200 and the app's own HTML at port {endpoint.port}, {endpoint.path}",
        why="users come this way: an app that only answers behind it answers nobody",
        look=_answered(look),
        fix=fixes.up_command(placement),
    )


def _websocket(placement: Placement, endpoint: Endpoint, title: str) -> Check[CheckedMachine]:
    def look(machine: CheckedMachine) -> Look:
        front = machine.through(endpoint.service)
        page = front.get(endpoint.path)
        if is_app_page(page) and is_document(page.body) and not is_shiny(page.body):
            raise NothingToLookAt(f"{endpoint.path} is a document that needs no session")
        if not is_app_page(page):
            return Look(ok=False, actual=describe(page))
        status = front.websocket(endpoint.path)
        return Look(status == HTTPStatus.SWITCHING_PROTOCOLS, f"HTTP {status}")

    return Check(
        id=f"up.websocket.{endpoint.service}.{endpoint.name}",
        goal=Goal.UP,
        title=f"{title} hands on the websocket of {endpoint.title}",
        expected=f"HTTP 101 (Switching Protocols) at port {endpoint.port}",
        why=(
            "without websockets an app's page comes, and then it is slow, or grey after a minute:"
            " a proxy that knows nothing of them ends what says nothing for so long"
        ),
        look=_answered(look),
        fix=fixes.up_command(placement),
    )


def _answered(look: Callable[[CheckedMachine], Look]) -> Callable[[CheckedMachine], Look]:
    """The same, where nothing may come back at all."""

    def ask(machine: CheckedMachine) -> Look:
        try:
            return look(machine)
        except NoAnswer as error:
            return Look(ok=False, actual=f"no answer: {error}")

    return ask
