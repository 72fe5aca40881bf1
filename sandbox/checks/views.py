"""R as a login sees it and as an app sees it: the same statement is checked for each, apart.

They get there on different roads: an app's environment comes through `su`, PAM and Renviron.site,
not through the service's unit and not through a login shell.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from sandbox.checks import fixes
from sandbox.checks.check import Check, Look
from sandbox.checks.live import Seen
from sandbox.checks.results import Goal
from sandbox.facts.r_view import RView
from sandbox.placement import Placement
from sandbox.plan import Plan


@dataclass(frozen=True)
class Viewer:
    """One kind of process that runs R."""

    seen_by: Literal["login", "shiny"]
    """As the facts call it."""
    short: str
    """As it stands in the ids of checks."""
    words: str
    """As it stands in titles."""


_LOGIN = Viewer("login", "login", "in a login")
_APP = Viewer("shiny", "app", "inside an app")


def viewers(plan: Plan) -> tuple[Viewer, ...]:
    """List those who see R on this machine."""
    if plan.r is None:
        return ()
    return (_LOGIN, _APP) if plan.app_server is not None else (_LOGIN,)


def per_viewer(
    placement: Placement,
    *,
    id: str,
    title: str,
    expected: str,
    why: str,
    look: Callable[[RView], Look],
    fix: str = "",
) -> Iterator[Check[Seen]]:
    """Yield the same check of R for everyone who sees it: `correct.ID.login`, `correct.ID.app`."""
    return per_viewer_and_seen(
        placement,
        id=id,
        title=title,
        expected=expected,
        why=why,
        look=lambda view, _: look(view),
        fix=fix,
    )


def per_viewer_and_seen(
    placement: Placement,
    *,
    id: str,
    title: str,
    expected: str,
    why: str,
    look: Callable[[RView, Seen], Look],
    fix: str = "",
) -> Iterator[Check[Seen]]:
    """Yield what `per_viewer` does, for a look that needs more than R as it is seen there."""
    for viewer in viewers(placement.plan):
        yield Check(
            id=f"correct.{id}.{viewer.short}",
            goal=Goal.CORRECT,
            title=f"{title}, {viewer.words}",
            expected=expected,
            why=why,
            look=_through(viewer, look),
            fix=fix or fixes.up_command(placement),
        )


def _through(viewer: Viewer, look: Callable[[RView, Seen], Look]) -> Callable[[Seen], Look]:
    return lambda seen: look(seen.view(viewer.seen_by), seen)
