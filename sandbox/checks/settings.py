"""What a box sets for every R: variables, options, repositories. No result shows a secret's value.

Values that are not known to be harmless are compared by hash, and shown by their length at most:
results are printed, kept, and handed on as pages.
"""

from collections.abc import Callable, Iterator

from sandbox.checks import fixes
from sandbox.checks.as_planned import is_as_planned
from sandbox.checks.check import Check, Look
from sandbox.checks.live import Seen
from sandbox.checks.options import expected_option, option_look
from sandbox.checks.views import per_viewer_and_seen
from sandbox.facts.r_view import RView
from sandbox.facts.shown import shown_option, shown_value
from sandbox.facts.subjects.environment import kind_of_variable
from sandbox.placement import Placement
from sandbox.plan import Plan
from sandbox.probe.untaken import is_untaken
from sandbox.spec.r import R
from sandbox.spec.values import Secret

_NOT_SET = Look(ok=False, actual="not set")


def environment_checks(placement: Placement) -> Iterator[Check[Seen]]:
    """Yield a check of each variable of the box."""
    for name, value in placement.plan.system.environment.items():
        yield from per_viewer_and_seen(
            placement,
            id=f"environment.{name}",
            title=f"{name} is set",
            expected=f"{name}={shown_value(name, value)}",
            why="Shiny Server hands nothing of its unit's environment to apps: they start without",
            look=_variable(placement.plan, name, value),
            fix=_fix(placement, value),
        )


def option_checks(placement: Placement, r: R) -> Iterator[Check[Seen]]:
    """Yield a check of each of the box's options()."""
    for name, value in r.options.items():
        yield from per_viewer_and_seen(
            placement,
            id=f"r.option.{name}",
            title=f"options({name}) is as planned",
            expected=expected_option(name, value, shown_option(name, value)),
            why="a default that differs (digits, scipen, OutDec) differs in every report",
            look=option_look(placement.plan, name, value),
            fix=_fix(placement, value),
        )


def repository_checks(placement: Placement, r: R) -> Iterator[Check[Seen]]:
    """Yield a check of each of the box's repositories."""
    for name, url in r.repos.items():
        yield from per_viewer_and_seen(
            placement,
            id=f"r.repo.{name}",
            title=f"the repository {name} is as planned",
            expected=shown_value(name, url),
            why="the same install.packages() from another repository brings another version",
            look=_repository(placement.plan, name, url),
            fix=_fix(placement, url),
        )


def _fix(placement: Placement, value: object) -> str:
    if isinstance(value, Secret):
        # Perhaps it is not even known any more which value the machine was given
        return fixes.up_command(placement)
    # The playbooks keep what others wrote into the same files, and that is what overrides the box
    return fixes.reset_command(placement)


def _variable(plan: Plan, name: str, planned: str | Secret) -> Callable[[RView, Seen], Look]:
    kind = kind_of_variable(name)

    def look(view: RView, seen: Seen) -> Look:
        actual = view.environment.get(name)
        if actual is None:
            return _NOT_SET
        unknown = seen.hashes.why_unknown(planned)
        ok = is_as_planned(seen, plan, kind, name, view=view, unknown=unknown)
        return _judged(name, actual, planned, ok=ok, sign="=")

    return look


def _repository(plan: Plan, name: str, planned: str | Secret) -> Callable[[RView, Seen], Look]:
    def look(view: RView, seen: Seen) -> Look:
        actual = view.repos.get(name)
        if actual is None:
            return _NOT_SET
        unknown = seen.hashes.why_unknown(planned)
        ok = is_as_planned(seen, plan, "r.repo", name, view=view, unknown=unknown)
        return _judged(name, actual, planned, ok=ok)

    return look


def _judged(name: str, actual: str, planned: str | Secret, *, ok: bool, sign: str = "") -> Look:
    """Whether the value is as planned, in words that may be handed on."""
    if isinstance(planned, Secret):
        words = "the value that it was given" if ok else "another value than it was given"
        return Look(ok, f"{words} (compared by hash)")
    shown = f"{name}{sign}{shown_value(name, actual)}" if sign else shown_value(name, actual)
    if not is_untaken(actual):
        return Look(ok, shown)
    return Look(ok, f"{shown}, {'the planned' if ok else 'another'} value (compared by hash)")
