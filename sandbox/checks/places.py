"""Goal up and correct, continued: what the box sets of Shiny Server, and its further places."""

from collections.abc import Iterator

from sandbox.checks import fixes
from sandbox.checks.as_planned import differing
from sandbox.checks.check import Check, Look, none_of
from sandbox.checks.live import CheckedMachine, Seen
from sandbox.checks.results import Goal
from sandbox.checks.shiny_page import describe, is_app_page
from sandbox.checks.web import NoAnswer
from sandbox.endpoints import Endpoint, Proof
from sandbox.facts.subjects.shiny import SeenShinyServer
from sandbox.placement import Placement
from sandbox.servers.shiny import SERVER as SHINY
from sandbox.servers.shiny_config import shiny_statements


def live_checks(placement: Placement) -> Iterator[Check[CheckedMachine]]:
    """Yield a check for each place where an app of the box answers once more."""
    for endpoint in placement.plan.endpoints:
        is_place = endpoint.service == SHINY.name and not endpoint.is_app
        if is_place and endpoint.proof is Proof.PAGE:
            yield _place(placement, endpoint)


def seen_checks(placement: Placement) -> Iterator[Check[Seen]]:
    """Yield the check of what the box sets of Shiny Server."""
    shiny = placement.plan.services.shiny_server
    if shiny is None or not (said := shiny_statements(shiny)):
        return
    yield Check(
        id="correct.shiny-settings",
        goal=Goal.CORRECT,
        title="Shiny Server is configured as the box says",
        expected="; ".join(f"{name} {value}" for name, value in said.items()),
        why="a timeout or an account that differs shows when a session ends, or an app cannot read",
        look=lambda seen: _settings(placement, seen),
        fix=fixes.up_command(placement),
    )


def _place(placement: Placement, endpoint: Endpoint) -> Check[CheckedMachine]:
    def look(machine: CheckedMachine) -> Look:
        try:
            page = machine.through(endpoint.way).get(endpoint.path)
        except NoAnswer as error:
            return Look(ok=False, actual=f"no answer: {error}")
        return Look(is_app_page(page), describe(page))

    return Check(
        id=f"up.place.{endpoint.name}",
        goal=Goal.UP,
        title=f"an app answers at port {endpoint.port}, {endpoint.path}",
        expected="HTTP 200 and the app's own HTML",
        why="a location that leads nowhere is a 404, while the server and its port look well",
        look=look,
        fix=fixes.up_command(placement),
    )


def _settings(placement: Placement, seen: Seen) -> Look:
    server = seen.facts.get(SeenShinyServer)
    if server is None:
        return Look(ok=False, actual="no configuration of Shiny Server was found")
    wrong = [
        *differing(seen, placement.plan, "shiny.setting"),
        *(["run_as"] if differing(seen, placement.plan, "access.run-as") else []),
    ]
    return none_of((f"{name} differs" for name in wrong), nothing="as the box says")
