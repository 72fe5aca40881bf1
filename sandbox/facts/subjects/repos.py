"""Where R installs its packages from."""

from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.facts.kind import Consequence, Reading, kind_of_r
from sandbox.facts.making import AskedFor, Change, Made, Making, Unsaid
from sandbox.facts.planned import PlannedUrl, planned_texts
from sandbox.facts.r_lines import Fields
from sandbox.facts.r_view import RView
from sandbox.facts.subject import Facts, Hashes, RSaid, Stated, Subject
from sandbox.plan import Plan
from sandbox.probe.untaken import is_untaken, without_hash
from sandbox.spec.fits import fits
from sandbox.spec.texts import RepoName, RepoUrl


def _fields(said: RSaid) -> Mapping[str, Any]:
    return {"repos": said.table("repo")}


def repos(view: RView, _: Facts) -> Reading:
    """List the repositories from which install.packages() gets packages."""
    return {name: url.rstrip("/") for name, url in view.repos.items()}


def _stated(plan: Plan, hashes: Hashes) -> Stated:
    if plan.r is None:
        return {}
    return {"r.repo": planned_texts(plan.r.repos, hashes, PlannedUrl)}


_USUAL = ("@CRAN@", "cloud.r-project.org")


def _makes(_: Facts, making: Making) -> Iterator[Made]:
    for name, url in (making.view.repos if making.view is not None else {}).items():
        if any(one in url for one in _USUAL):
            continue
        if not fits(RepoName, name) or not (is_untaken(url) or fits(RepoUrl, url)):
            yield Unsaid(f"the repository {name}: {without_hash(url)}")
        else:
            yield Change(("r", "repos", name), AskedFor() if is_untaken(url) else url)


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
    makes=_makes,
)
