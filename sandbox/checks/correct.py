"""Goal correct: the machine is what the box says. The system's side; R's own is in r_setup.py."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from sandbox.checks import fixes, places, r_setup, rstudio_state, settings
from sandbox.checks.as_planned import differing, is_as_planned
from sandbox.checks.check import Check, Look, none_of
from sandbox.checks.inspection import Inspection, planned_packages
from sandbox.checks.live import CheckedMachine, Seen
from sandbox.checks.results import Goal
from sandbox.checks.views import per_viewer_and_seen
from sandbox.facts.r_view import RView
from sandbox.facts.subjects.locale import FROM_LANG, SystemLocale, normal_locale
from sandbox.facts.subjects.os import Os
from sandbox.facts.subjects.timezone import Timezone
from sandbox.placement import Placement
from sandbox.plan import Plan


def seen_checks(placement: Placement) -> Iterator[Check[Seen]]:
    """Yield the checks that the machine is what the box says, answered by the facts."""
    yield _release(placement)
    yield from _timezone(placement)
    yield from _locale(placement)
    yield from settings.environment_checks(placement)
    yield from _limits(placement)
    if planned_packages(placement.plan):
        yield _debian_packages(placement)
    yield from r_setup.seen_checks(placement)
    yield from places.seen_checks(placement)
    yield from rstudio_state.seen_checks(placement)


def live_checks(placement: Placement) -> Iterator[Check[CheckedMachine]]:
    """Yield the checks that must ask the live machine."""
    yield from rstudio_state.correct_checks(placement)


def _check(  # noqa: PLR0917  (one statement a call, read in this order)
    placement: Placement,
    check_id: str,
    title: str,
    expected: str,
    why: str,
    look: Callable[[Seen], Look],
    fix: str = "",
) -> Check[Seen]:
    return Check(
        check_id, Goal.CORRECT, title, expected, why, look, fix or fixes.up_command(placement)
    )


def _release(placement: Placement) -> Check[Seen]:
    base = placement.plan.base
    return _check(
        placement,
        "correct.os",
        f"the system is {base.distribution} {base.suite}",
        f"{base.distribution} {base.suite}",
        "another release has another R, another libc and other libraries under every package",
        lambda seen: Look(
            is_as_planned(seen, placement.plan, "system.release"),
            f"{seen.facts[Os].id} {seen.facts[Os].codename}",
        ),
        fixes.make_again(placement),
    )


# Timezone


def _timezone(placement: Placement) -> Iterator[Check[Seen]]:
    planned = placement.plan.system.timezone
    why = "the same time stamp read in another timezone is another day's data"

    def in_r(view: RView, seen: Seen) -> Look:
        # A variable stands in a file that is not ours; the link is
        fix = fixes.reset_command(placement) if view.timezone and view.tz_variable else ""
        ok = is_as_planned(seen, placement.plan, "r.timezone", view=view)
        return Look(ok, view.timezone or "Sys.timezone() is NA", fix)

    yield _check(
        placement,
        "correct.timezone",
        f"the timezone is {planned}",
        f"/etc/localtime leads to {planned}",
        why,
        lambda seen: Look(
            is_as_planned(seen, placement.plan, "system.timezone"),
            f"{seen.facts[Timezone].name or 'not set'}"
            f"{'' if _is_link(seen) else '; /etc/localtime is no symbolic link, so R cannot tell'}",
        ),
    )
    yield from per_viewer_and_seen(
        placement,
        id="timezone",
        title=f"Sys.timezone() is {planned}",
        expected=planned,
        why=f"{why}; where it is NA, as.POSIXct() goes wrong without a word",
        look=in_r,
    )


def _is_link(seen: Seen) -> bool:
    return seen.facts[Timezone].localtime_is_symlink


# Locale


def _locale(placement: Placement) -> Iterator[Check[Seen]]:
    planned = placement.plan.system.locale
    yield _check(
        placement,
        "correct.locale",
        f"the system's locale is {planned}",
        f"LANG={planned}, and nothing that overrides it",
        "the same sort() gives another order: without LANG, apps run in C and read no UTF-8",
        lambda seen: _system_locale(placement, seen, planned),
    )
    yield from per_viewer_and_seen(
        placement,
        id="locale",
        title=f"R runs in {planned}",
        expected=f"{planned} in {', '.join(FROM_LANG)}",
        why="the same code sorts, prints and parses differently: in C, B comes before a",
        look=lambda view, seen: _r_locale(placement, view, seen),
    )


def _system_locale(placement: Placement, seen: Seen, planned: str) -> Look:
    settings = seen.facts[SystemLocale].settings
    wrong = [
        f"{name}={settings[name]}" if name in settings else f"{name} is not set"
        for name in differing(seen, placement.plan, "system.locale")
    ]
    available = seen.facts[SystemLocale].available
    if available is not None and normal_locale(planned) not in map(normal_locale, available):
        wrong.append(f"{planned} is not among the machine's locales")
    found = none_of(wrong, nothing=f"LANG={settings.get('LANG')}")
    # The playbooks write LANG, and know nothing of what overrides it
    overridden = any(one.startswith("LC_") for one in wrong)
    return replace(found, fix=fixes.reset_command(placement)) if overridden else found


def _r_locale(placement: Placement, view: RView, seen: Seen) -> Look:
    plan = placement.plan
    wrong = [
        f"{name}={view.locale.get(name, 'not set')}"
        for name in differing(seen, plan, "r.locale", view=view)
    ]
    if differing(seen, plan, "r.encoding", view=view):
        wrong.append("R does not take text for UTF-8")
    found = none_of(wrong, nothing=view.locale.get("LC_COLLATE", plan.system.locale))
    overridden = any(name.startswith("LC_") for name in view.environment)
    return replace(found, fix=fixes.reset_command(placement)) if overridden else found


# Limits


def _limits(placement: Placement) -> Iterator[Check[Seen]]:
    limits = placement.plan.system.limits
    for name, words, planned, kind, item in (
        ("nofile", "open files", limits.nofile, "r.limit", "nofile"),
        ("nproc", "processes", limits.nproc, "r.processes", ""),
    ):
        if planned is not None:
            yield from per_viewer_and_seen(
                placement,
                id=f"limit.{name}",
                title=f"at most {planned} {words}",
                expected=f"ulimit for {words}: {planned}",
                why="an app that opens a connection a user fails at the limit, in the busiest hour",
                look=_limit(placement.plan, name, kind, item),
            )


def _limit(plan: Plan, name: str, kind: str, item: str) -> Callable[[RView, Seen], Look]:
    def look(view: RView, seen: Seen) -> Look:
        limit = view.limits.nofile if name == "nofile" else view.limits.nproc
        if limit is None:
            return Look(ok=False, actual="not seen")
        soft = "unlimited" if limit.soft is None else str(limit.soft)
        hard = "unlimited" if limit.hard is None else str(limit.hard)
        ok = is_as_planned(seen, plan, kind, item, view=view)
        return Look(ok, soft if soft == hard else f"{soft} (at most {hard})")

    return look


def _debian_packages(placement: Placement) -> Check[Seen]:
    planned = planned_packages(placement.plan)
    return _check(
        placement,
        "correct.debian-packages",
        f"all {len(planned)} planned Debian packages are installed",
        ", ".join(planned),
        "a library that is missing shows when the code path that needs it is first taken",
        lambda seen: none_of(
            (
                _why_missing(name, seen.inspection)
                for name in planned
                if name not in seen.inspection.packages
            ),
            nothing="all installed",
        ),
    )


def _why_missing(name: str, inspection: Inspection) -> str:
    state = inspection.half_installed.get(name)
    if state is None:
        return f"{name} is not"
    return f"{name} is installed but {state}: sudo dpkg --configure -a"
