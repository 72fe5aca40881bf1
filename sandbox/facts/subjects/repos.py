"""Where R installs its packages from."""

from collections.abc import Mapping
from typing import Any

from sandbox.facts.kind import Consequence, Reading, kind_of_r
from sandbox.facts.r_lines import Fields
from sandbox.facts.r_view import RView
from sandbox.facts.shown import shown_or_hidden
from sandbox.facts.subject import Facts, RSaid, Stated, Subject
from sandbox.plan import Plan
from sandbox.probe.untaken import HashKey


def _fields(said: RSaid) -> Mapping[str, Any]:
    return {"repos": said.table("repo")}


def repos(view: RView, _: Facts) -> Reading:
    """Where install.packages() gets packages."""
    return {name: url.rstrip("/") for name, url in view.repos.items()}


def _stated(plan: Plan, key: HashKey | None) -> Stated:
    if plan.r is None:
        return {}
    stated = shown_or_hidden(plan.r.repos, key)
    return {"r.repo": {name: url.rstrip("/") for name, url in stated.items()}}


REPOS = Subject(
    name="repos",
    rank=66,
    r_lines={"repo": Fields(2, 2)},
    r_fields=_fields,
    kinds=(
        kind_of_r(
            "r.repo",
            Consequence.BEHAVIOUR,
            70,
            title="where packages are installed from",
            how="exact",
            why="install.packages() brings other versions",
            bug="rocker-org/rocker-versioned2/issues/201",
            read=repos,
        ),
    ),
    stated=_stated,
)
