"""Goal snappy: pages within the box's budget, the machine as big as planned, room on its disk."""

import statistics
from collections.abc import Iterator

from sandbox.checks import apis, fixes, rstudio_state
from sandbox.checks.as_planned import is_as_planned
from sandbox.checks.check import CannotLook, Check, Look, NothingToLookAt
from sandbox.checks.live import END_R, CheckedMachine, Seen
from sandbox.checks.results import Goal
from sandbox.checks.shiny_page import describe, is_app_page
from sandbox.checks.web import NoAnswer
from sandbox.facts.subjects.machine import MEMORY_LEAST, MachineSize
from sandbox.placement import Placement
from sandbox.plan import Plan
from sandbox.servers.shiny import SERVER as SHINY

DISK_USED_MOST_PERCENT = 90
DISK_FREE_LEAST_MB = 512
_WARM_TRIES = 3


def seen_checks(placement: Placement) -> Iterator[Check[Seen]]:
    """Yield the checks of the machine's size and room, answered by the facts."""
    plan = placement.plan
    yield Check(
        id="snappy.cpus",
        goal=Goal.SNAPPY,
        title=f"the machine has {plan.machine.cpus} cpus",
        expected=str(plan.machine.cpus),
        why="R counts cpus to choose its number of workers: another number is another speed",
        look=lambda seen: _cpus(seen, plan),
        fix=fixes.make_again(placement),
    )
    yield Check(
        id="snappy.memory",
        goal=Goal.SNAPPY,
        title=f"the machine has {plan.machine.memory_mb} MB of memory",
        expected=f"{MEMORY_LEAST * plan.machine.memory_mb:.0f} to {plan.machine.memory_mb} MB",
        why="an app that fits here and not in production is killed there, at the busiest hour",
        look=lambda seen: _memory(seen, plan),
        fix=fixes.make_again(placement),
    )
    yield Check(
        id="snappy.disk",
        goal=Goal.SNAPPY,
        title="the disk is not nearly full",
        expected=f"at most {DISK_USED_MOST_PERCENT} % used, {DISK_FREE_LEAST_MB} MB free",
        why="on a full disk R cannot write to its tempdir, and every session fails at once",
        look=_disk,
        fix=fixes.reset_command(placement),
    )


def live_checks(placement: Placement) -> Iterator[Check[CheckedMachine]]:
    """Yield the checks of pages' times, which need a stopwatch."""
    plan = placement.plan
    yield from apis.timed_checks(placement)
    for app in plan.apps if SHINY.is_in(plan.services) else ():
        yield _warm(plan, app.name)
        yield _first(plan, app.name)
    yield from rstudio_state.snappy_checks(placement)


def _cpus(seen: Seen, plan: Plan) -> Look:
    ok = is_as_planned(seen, plan, "machine.cpus")
    return Look(ok, str(seen.facts[MachineSize].cpus))


def _memory(seen: Seen, plan: Plan) -> Look:
    actual_mb = seen.facts[MachineSize].memory_mb
    if actual_mb is None:
        raise NothingToLookAt(f"the machine's memory {_unseen_memory(seen)}")
    return Look(is_as_planned(seen, plan, "machine.memory"), f"{actual_mb} MB")


def _unseen_memory(seen: Seen) -> str:
    found = (one.why for one in seen.facts.not_seen if one.what == "memory")
    return f"was not seen: {next(found, 'the probe does not say why')}"


def _disk(seen: Seen) -> Look:
    found = seen.inspection
    inodes = found.inodes_used_percent or 0
    ok = (
        max(found.disk_used_percent, inodes) <= DISK_USED_MOST_PERCENT
        and found.disk_free_mb >= DISK_FREE_LEAST_MB
    )
    of_inodes = f", {inodes} % of its inodes" if found.inodes_used_percent is not None else ""
    return Look(ok, f"{found.disk_used_percent} % used{of_inodes}, {found.disk_free_mb} MB free")


def _warm(plan: Plan, app: str) -> Check[CheckedMachine]:
    budget_s = plan.budget.warm_page_s

    def look(machine: CheckedMachine) -> Look:
        # The first answer may have started the worker: it is not counted
        times_s = [_timed(machine, app) for _ in range(_WARM_TRIES + 1)][1:]
        median_s = statistics.median(times_s)
        actual = f"{median_s:.2f} s (median of {_WARM_TRIES})"
        return _within(median_s, budget_s, actual, machine)

    return Check(
        id=f"snappy.warm-page.{app}",
        goal=Goal.SNAPPY,
        title=f"the page of {app} comes fast",
        expected=f"within {budget_s:g} s, its R process running",
        why="this is the wait that every user has on every visit",
        look=look,
        fix="profile the app (profvis), or raise checks.budget.warm_page_s in the box",
    )


# Shiny Server starts R through `su`, which may put it into a session outside the service's control
# group: a worker is known by the script that it runs. The server itself hears of its end when `su`
# ends, and until then sends requests to a process that is gone
_END_WORKERS = (
    f"""\
set -eu
{END_R}"""
    """\
workers() {
  for folder in /proc/[0-9]*; do
    pid=${folder#/proc/}
    # By its name first: the shell that runs this has the same words on its command line
    name=$(cat "$folder/comm" 2>/dev/null || true)
    case " $* " in *" $name "*) ;; *) continue ;; esac
    case $(tr '\\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null || true) in
      *SockJSAdapter.R*) printf '%s ' "$pid" ;;
    esac
  done
}
first=$(workers R)
all=$(workers R su)
logs=$(logs_of "$(systemctl show -p MainPID --value shiny-server.service)")
end_r $first
# `su` ends with its R, and a moment later
for again in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  left=$(alive $all)
  if [ -z "$left" ]; then break; fi
  sleep 0.1
done
if [ -n "$left" ]; then echo "still running: $left" >&2; exit 1; fi
sleep 0.2
if [ -n "$logs" ]; then rm -f $logs; fi
echo "ended: $first"
"""
)


def _first(plan: Plan, app: str) -> Check[CheckedMachine]:
    budget_s = plan.budget.first_page_s

    def look(machine: CheckedMachine) -> Look:
        known_s = machine.first_pages.get(f"/{app}/")
        # One that came too late, with work of ours beside it, is timed again alone
        if known_s is not None and (known_s <= budget_s or machine.early_restart() is None):
            actual = f"{known_s:.2f} s, just after Shiny Server was started again"
            return _within(known_s, budget_s, actual, machine)
        _timed(machine, app)
        ended = machine.sudo(_END_WORKERS).removeprefix("ended:").split()
        if not ended:
            raise CannotLook(
                "no R process of Shiny Server was found to end: this would time a warm page"
            )
        elapsed_s = _timed(machine, app)
        return _within(elapsed_s, budget_s, f"{elapsed_s:.2f} s", machine)

    return Check(
        id=f"snappy.first-page.{app}",
        goal=Goal.SNAPPY,
        title=f"the first page of {app} comes in time",
        expected=f"within {budget_s:g} s, no R process of it running",
        why="the first visitor of the morning pays for starting R and loading the packages",
        look=look,
        fix="load less at the app's start, or raise checks.budget.first_page_s in the box",
        order=2,
    )


def _within(elapsed_s: float, budget_s: float, actual: str, machine: CheckedMachine) -> Look:
    if elapsed_s > budget_s and machine.emulated:
        raise NothingToLookAt(
            f"{actual}, on a processor that QEMU emulates: that says nothing about the app"
        )
    return Look(elapsed_s <= budget_s, actual)


def _timed(machine: CheckedMachine, app: str) -> float:
    try:
        page = machine.get(f"/{app}/", timeout_s=60)
    except NoAnswer as error:
        raise CannotLook(f"the page does not come at all: {error}") from error
    if not is_app_page(page):
        raise CannotLook(f"no page to time: {describe(page)}")
    return page.elapsed_s
