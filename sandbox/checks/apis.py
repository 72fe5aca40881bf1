"""APIs of plumber, in three goals: each answers, comes back when killed, and is nobody's root."""

import shlex
import statistics
import time
from collections.abc import Iterator
from http import HTTPStatus

from sandbox.app_logs.answer import parse_logs, unit_script
from sandbox.app_logs.trouble import trouble_with_api
from sandbox.checks import fixes
from sandbox.checks.check import CannotLook, Check, Look, NothingToLookAt
from sandbox.checks.killing import NO_PROCESS, RESTART_S, kill_main_process
from sandbox.checks.live import CheckedMachine, Seen, wait_for_page
from sandbox.checks.results import Goal
from sandbox.checks.shiny_page import describe
from sandbox.checks.web import NoAnswer, WebAnswer
from sandbox.endpoints import Endpoint
from sandbox.placement import Placement
from sandbox.plan import Plan
from sandbox.servers.plumber import SERVER as PLUMBER
from sandbox.spec.plumber import unit_of

_TRIES = 3


def apis_of(plan: Plan) -> tuple[Endpoint, ...]:
    """List the endpoints of the APIs."""
    return tuple(one for one in plan.endpoints if one.service == PLUMBER.name)


def live_checks(placement: Placement) -> Iterator[Check[CheckedMachine]]:
    """Yield two checks for each API: it answers, and it answers again after a crash."""
    for api in apis_of(placement.plan):
        yield _answers(placement, api)
        yield Check(
            id=f"up.restart.{unit_of(api.name)}",
            goal=Goal.UP,
            title=f"the API {api.name} comes back after it is killed",
            expected=f"a new process answers within {RESTART_S:g} s after SIGKILL",
            why="an error in R ends the whole API: without a restart it is down for everybody",
            look=_ApiRestart(placement, api),
            fix=fixes.reset_command(placement),
            order=1,
        )


def timed_checks(placement: Placement) -> Iterator[Check[CheckedMachine]]:
    """Yield a check for each API that it answers within the box's budget."""
    for api in apis_of(placement.plan):
        yield _timed(placement.plan.budget.warm_page_s, api)


def safe_checks(placement: Placement) -> Iterator[Check[Seen]]:
    """Yield a check for each API that its process is the account's that the box names."""
    plumber = placement.plan.services.plumber
    for api in plumber.all if plumber is not None else ():
        yield Check(
            id=f"safe.{unit_of(api.name)}.user",
            goal=Goal.SAFE,
            title=f"the API {api.name} runs as {api.user}",
            expected=api.user,
            why="an API runs what its callers can talk it into: as root, that is the whole machine",
            look=lambda seen, api=api: _owner(seen, unit_of(api.name), api.user),  # type: ignore[misc]
            fix=fixes.up_command(placement),
        )


def _owner(seen: Seen, unit: str, user: str) -> Look:
    found = seen.inspection.owners.get(unit)
    return Look(found == user, found or "it does not run")


def _is_answer(page: WebAnswer) -> bool:
    return page.status == HTTPStatus.OK


def _answers(placement: Placement, api: Endpoint) -> Check[CheckedMachine]:
    def look(machine: CheckedMachine) -> Look:
        try:
            page = machine.through(api.way).get(api.path)
        except NoAnswer as error:
            return _explained(placement, api, machine, f"no answer: {error}")
        if _is_answer(page):
            return Look(ok=True, actual=describe(page))
        return _explained(placement, api, machine, describe(page))

    return Check(
        id=f"up.api.{api.name}",
        goal=Goal.UP,
        title=f"the API {api.name} answers",
        expected=f"HTTP 200 at port {api.port}, {api.path}",
        why="systemd calls a unit active whose R is still starting, or answers every call with 500",
        look=look,
        fix=f"sandbox logs {placement.name} {api.name}",
    )


def _explained(placement: Placement, api: Endpoint, machine: CheckedMachine, found: str) -> Look:
    """What was found, and R's own words to it."""
    up = fixes.up_command(placement)
    try:
        logs = parse_logs(machine.sudo(unit_script(placement.plan, (unit_of(api.name),))))
    except (CannotLook, ValueError):
        return Look(ok=False, actual=found, fix=up)
    trouble = trouble_with_api(placement, api.name, logs)
    if trouble is None:
        return Look(ok=False, actual=found, fix=up)
    return Look(ok=False, actual=f"{found}; R says:\n{trouble.told}", fix=trouble.advice)


class _ApiRestart:
    """Kill the process of an API; a new one must answer, by itself."""

    def __init__(self, placement: Placement, api: Endpoint) -> None:
        self._api, self._unit = api, f"{unit_of(api.name)}.service"
        self._up = fixes.up_command(placement)

    def __call__(self, machine: CheckedMachine) -> Look:
        started = time.monotonic()
        before, after = kill_main_process(machine, self._unit)
        if before == NO_PROCESS:
            return Look(
                ok=False, actual="it does not run, so there is nothing to kill", fix=self._up
            )
        if after == NO_PROCESS:
            return self._dead(machine, "no new process")
        waited = self._wait(machine)
        if waited:
            return self._dead(machine, f"no answer ({waited})")
        elapsed_s = time.monotonic() - started
        return Look(ok=True, actual=f"answers again after {elapsed_s:.1f} s by process {after}")

    def _wait(self, machine: CheckedMachine) -> str:
        """What came instead of an answer; empty when one came."""
        through = machine.through(self._api.way)
        waited = wait_for_page(through, self._api.path, _is_answer, timeout_s=RESTART_S)
        return "" if waited.page is not None else waited.last

    def _dead(self, machine: CheckedMachine, what: str) -> Look:
        # No check may leave the machine dead, nor may the next one find it so
        machine.sudo(f"systemctl start {shlex.quote(self._unit)}")
        self._wait(machine)
        return Look(ok=False, actual=f"{what} for {RESTART_S:g} s; started again by hand")


def _timed(budget_s: float, api: Endpoint) -> Check[CheckedMachine]:
    def look(machine: CheckedMachine) -> Look:
        through = machine.through(api.way)
        try:
            answers = [through.get(api.path) for _ in range(_TRIES + 1)][1:]
        except NoAnswer as error:
            raise CannotLook(f"no answer to time: {error}") from error
        if not all(map(_is_answer, answers)):
            raise CannotLook(f"no answer to time: {describe(answers[0])}")
        median_s = statistics.median(one.elapsed_s for one in answers)
        actual = f"{median_s:.2f} s (median of {_TRIES})"
        if median_s > budget_s and machine.emulated:
            raise NothingToLookAt(f"{actual}, on a processor that QEMU emulates: that says nothing")
        return Look(median_s <= budget_s, actual)

    return Check(
        id=f"snappy.api.{api.name}",
        goal=Goal.SNAPPY,
        title=f"the API {api.name} answers fast",
        expected=f"within {budget_s:g} s at {api.path}",
        why="one R answers all calls, one after the other: what waits here waits for everybody",
        look=look,
        fix="profile the API (profvis), or raise checks.budget.warm_page_s in the box",
    )
