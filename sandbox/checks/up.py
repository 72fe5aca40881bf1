"""Goal up: services run, answer with their real page, start sessions, and come back when killed."""

import shlex
import time
from collections.abc import Iterator

from sandbox.app_logs.answer import logs_script, parse_logs
from sandbox.app_logs.trouble import trouble_with_app
from sandbox.checks import apis, fixes, fronts, places, rstudio
from sandbox.checks.check import CannotLook, Check, Look, NothingToLookAt, equal
from sandbox.checks.live import END_R, CheckedMachine, Seen, wait_for_page
from sandbox.checks.results import Goal
from sandbox.checks.shiny_page import describe, is_app_page, is_document, is_shiny, read_page
from sandbox.checks.web import NoAnswer, WebAnswer
from sandbox.facts.subjects.services import SystemServices
from sandbox.placement import Placement
from sandbox.plan import Plan
from sandbox.servers.shiny import SERVER as SHINY

RESTART_TIMEOUT_S = 30.0
RESTART_ID = "up.restart.shiny-server"
_SLACK_S = 3.0
_OK = 200
_NOT_FOUND = 404


def seen_checks(placement: Placement) -> Iterator[Check[Seen]]:
    """Yield the checks of services that run, answered by the facts."""
    yield Check(
        id="up.system",
        goal=Goal.UP,
        title="systemd has no failed unit",
        expected="running",
        why="a failed unit is an outage that has begun: what it should do is not done",
        look=lambda seen: _system_state(placement, seen),
        fix=fixes.restart_command(placement),
    )
    for unit in services(placement.plan):
        yield from _service(placement, unit)


def live_checks(placement: Placement) -> Iterator[Check[CheckedMachine]]:
    """Yield the checks that need an answer of the live machine."""
    plan = placement.plan
    yield from apis.live_checks(placement)
    yield from rstudio.up_checks(placement)
    if not SHINY.is_in(plan.services):
        return
    for app in plan.apps:
        yield _page(placement, app.name)
        yield _session(placement, app.name)
    yield from fronts.live_checks(placement)
    yield from places.live_checks(placement)
    if not plan.apps:
        yield Check(
            id="up.ping",
            goal=Goal.UP,
            title="Shiny Server answers",
            expected="HTTP 200 from /ping (the box has no app with a page of its own)",
            why="a service can be active in systemd and yet answer nobody",
            look=_ping,
            fix=fixes.up_command(placement),
        )
    yield Check(
        id=RESTART_ID,
        goal=Goal.UP,
        title="Shiny Server comes back after it is killed",
        expected=f"a new process serves the page within {RESTART_TIMEOUT_S:g} s after SIGKILL",
        why=(
            "Debian's unit has no Restart=: one crash, or one visit of the kernel's out-of-memory"
            " killer, and every app is down until somebody notices"
        ),
        look=lambda machine: _restarted(placement, machine),
        # The playbooks set Restart= for the unit: what does not hold was overridden elsewhere
        fix=fixes.reset_command(placement),
        order=1,
    )


def services(plan: Plan) -> tuple[str, ...]:
    """List the units that the plan needs."""
    return ("ssh", *(unit for one in plan.servers for unit in one.units_in(plan.services)))


def _system_state(placement: Placement, seen: Seen) -> Look:
    failed = seen.inspection.failed_units
    state = seen.inspection.system_state
    # `starting` has an end; what is not failed then is judged by the other checks
    ok = state in {"running", "starting"} and not failed
    if not failed:
        return Look(ok, state)
    # One that fails again, such as a job that nobody will run any more, is only forgotten. That it
    # fails shows a moment after systemd has started it
    units = shlex.join(failed)
    retry = f"systemctl restart {units}; sleep 2; systemctl reset-failed {units}"
    ours = {f"{unit}.service" for unit in services(placement.plan)}
    fix = (
        fixes.up_command(placement)
        if ours & set(failed)
        else fixes.as_root(placement, "sh", "-c", retry)
    )
    return Look(ok=False, actual=f"{state}: {', '.join(failed)}", fix=fix)


def _service(placement: Placement, unit: str) -> Iterator[Check[Seen]]:
    def running(seen: Seen) -> Look:
        services = seen.facts.get(SystemServices)
        if services is None:
            raise CannotLook("the probe saw no services: systemd does not answer")
        found = services.named(unit)
        if found is None:
            return Look(ok=False, actual="there is no such service")
        is_ok = found.active == "active" and found.sub == "running" and found.load == "loaded"
        return Look(is_ok, f"{found.load}, {found.active} ({found.sub})")

    def enabled(seen: Seen) -> Look:
        services = seen.facts.get(SystemServices)
        found = services.named(unit) if services is not None else None
        return equal(found.enabled if found else "there is no such service", "enabled")

    yield Check(
        id=f"up.service.{unit}",
        goal=Goal.UP,
        title=f"{unit} is running",
        expected="loaded, active (running)",
        why="what does not run serves nobody",
        look=running,
        fix=fixes.up_command(placement),
    )
    yield Check(
        id=f"up.enabled.{unit}",
        goal=Goal.UP,
        title=f"{unit} starts with the machine",
        expected="enabled",
        why="a service started by hand is gone after the next reboot, often weeks later",
        look=enabled,
        fix=fixes.up_command(placement),
    )


def _page(placement: Placement, app: str) -> Check[CheckedMachine]:
    def look(machine: CheckedMachine) -> Look:
        started = time.monotonic()
        try:
            page = machine.get(f"/{app}/")
        except NoAnswer as error:
            fix = fixes.up_command(placement)
            return _explained(placement, app, machine, f"no answer: {error}", started, fix=fix)
        if is_app_page(page):
            return Look(ok=True, actual=describe(page))
        # An app that is not there is put back
        fix = fixes.up_command(placement) if page.status == _NOT_FOUND else ""
        return _explained(placement, app, machine, describe(page), started, fix=fix)

    return Check(
        id=f"up.page.{app}",
        goal=Goal.UP,
        title=f"the app {app} serves its page",
        expected=f"HTTP 200 and the app's own HTML at /{app}/",
        why=(
            "Debian's Shiny Server answers 200 on /ping while every app is a 404: that it lives is"
            " no proof that it serves"
        ),
        look=look,
        fix=f"sandbox logs {placement.name} {app}",
    )


def _session(placement: Placement, app: str) -> Check[CheckedMachine]:
    path = f"/{app}/"

    def look(machine: CheckedMachine) -> Look:
        if not _may_poll(placement.plan):
            raise NothingToLookAt("the box disables the protocol by which checks hold a session")
        started = time.monotonic()
        try:
            page = machine.get(path)
        except NoAnswer as error:
            return Look(ok=False, actual=f"no answer: {error}", fix=fixes.up_command(placement))
        if page.status == _OK and is_document(page.body) and not is_shiny(page.body):
            raise NothingToLookAt(f"{path} is a document that needs no session")
        if not is_app_page(page):
            fix = fixes.up_command(placement) if page.status == _NOT_FOUND else ""
            return Look(ok=False, actual=describe(page), fix=fix)
        outcome = machine.session(path, read_page(page.body))
        if outcome.ok:
            return Look(ok=True, actual=outcome.summary)
        return _explained(placement, app, machine, outcome.summary, started)

    return Check(
        id=f"up.session.{app}",
        goal=Goal.UP,
        title=f"the app {app} starts a session and computes an output",
        expected="a session over SockJS in which an output gets its value",
        why=(
            "the page comes from the app's ui alone: an app with a server function that fails "
            "serves its page with 200 and greys out in front of every user"
        ),
        look=look,
        fix=f"sandbox logs {placement.name} {app}",
    )


def _may_poll(plan: Plan) -> bool:
    shiny = plan.services.shiny_server
    disabled = (shiny.disable_protocols or ()) if shiny is not None else ()
    return not {"polling", "xhr-polling"} & set(disabled)


def _explained(
    placement: Placement,
    app: str,
    machine: CheckedMachine,
    found: str,
    started: float,
    *,
    fix: str = "",
) -> Look:
    """What was found, and what the app's own log says to it: users get to see neither.

    `fix` is what mends it when the log says nothing.

    Read at once: Shiny Server removes the log when the app's R has no visitor any more.
    """
    # Of an app that is there already, the log may have nothing new since it was asked
    within_s = time.monotonic() - started + _SLACK_S
    try:
        logs = parse_logs(machine.sudo(logs_script(placement.plan, (app,), within_s=within_s)))
    except (CannotLook, ValueError):
        return Look(ok=False, actual=found, fix=fix)
    trouble = trouble_with_app(placement, app, logs, within_s=within_s)
    if trouble is None:
        return Look(ok=False, actual=found, fix=fix)
    more = f"sandbox logs {placement.name} {app} shows it all"
    advice = f"{trouble.advice}\n{more}" if trouble.advice else fix
    return Look(ok=False, actual=f"{found}; the app says:\n{trouble.told}", fix=advice)


def _ping(machine: CheckedMachine) -> Look:
    try:
        page = machine.get("/ping")
    except NoAnswer as error:
        return Look(ok=False, actual=f"no answer: {error}")
    return Look(page.status == _OK and page.body.strip() == "OK", describe(page))


# All in one go, for each is a round trip: which process was it, and which one is it then.
# A server that is told to end takes its R processes and their logs along; of one that is killed
# they would stay for ever: see live.END_R
_KILL = f"""\
set -eu
{END_R}
main_pid() {{ systemctl show -p MainPID --value shiny-server.service; }}
before=$(main_pid)
if [ "${{before:-0}}" -eq 0 ]; then echo 0 0; exit 0; fi
orphans=$(below "$before")
logs=$(logs_of "$before")
kill -KILL "$before"
# Until it is gone, the old process could still answer
while [ -e "/proc/$before" ]; do sleep 0.05; done
end_r $orphans
if [ -n "$logs" ]; then rm -f $logs; fi
tries={RESTART_TIMEOUT_S * 10:.0f}
while [ $tries -gt 0 ]; do
  after=$(main_pid)
  case $after in
  '' | 0 | "$before") tries=$((tries - 1)); sleep 0.1 ;;
  *) echo "$before $after"; exit 0 ;;
  esac
done
echo "$before 0"
"""


def _restarted(placement: Placement, machine: CheckedMachine) -> Look:
    early = machine.early_restart()
    return early if early is not None else Restart(placement)(machine)


class Restart:
    """Kill the main process; a new one must serve the page again, by itself."""

    def __init__(self, placement: Placement) -> None:
        self._path = f"/{placement.plan.apps[0].name}/" if placement.plan.apps else "/ping"
        self._up = fixes.up_command(placement)

    def __call__(self, machine: CheckedMachine) -> Look:
        """Kill it, and wait; one that stays dead is started by hand."""
        started = time.monotonic()
        before, after = machine.sudo(_KILL).split()
        if before == "0":
            return Look(
                ok=False, actual="it does not run, so there is nothing to kill", fix=self._up
            )
        if after == "0":
            return self._dead(machine, "no new process")
        waited = wait_for_page(machine, self._path, self._accept, timeout_s=RESTART_TIMEOUT_S)
        elapsed_s = time.monotonic() - started
        if waited.page is None:
            return self._dead(machine, f"no page ({waited.last})")
        if waited.is_first:
            machine.first_pages[self._path] = waited.page.elapsed_s
        return Look(ok=True, actual=f"served again after {elapsed_s:.1f} s by process {after}")

    def _dead(self, machine: CheckedMachine, what: str) -> Look:
        # Whatever was found, the machine must not be left dead by a check, nor for the next one
        machine.sudo("systemctl start shiny-server.service")
        wait_for_page(machine, self._path, self._accept, timeout_s=RESTART_TIMEOUT_S)
        return Look(ok=False, actual=f"{what} for {RESTART_TIMEOUT_S:g} s; started again by hand")

    def _accept(self, page: WebAnswer) -> bool:
        return is_app_page(page) or (self._path == "/ping" and page.status == _OK)
