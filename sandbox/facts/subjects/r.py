"""Every R on the machine, and how it is seen: by a login, an app, a session."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from sandbox.facts.kind import (
    CannotReadError,
    Consequence,
    NotThereError,
    Reading,
    kind_of_machine,
    kind_of_r,
)
from sandbox.facts.part import FactsModel, ListPart
from sandbox.facts.planned import PlannedVersion
from sandbox.facts.r_lines import (
    R_VERSION,
    Fields,
    a_path,
    a_version,
    check_failed,
    named,
    whole_view,
)
from sandbox.facts.r_said import own_words, unseen_in_r
from sandbox.facts.r_view import RView, Viewer
from sandbox.facts.shapes import Shape, anything
from sandbox.facts.subject import Facts, Hashes, ProbeAnswer, RSaid, Stated, Subject
from sandbox.plan import Plan
from sandbox.probe.frame import Frame, Section
from sandbox.probe.readers import SectionError, name, path, row
from sandbox.probe.redact import redact_text


class RInstallation(FactsModel):
    """One R."""

    home: str
    version: str | None
    """By its base package, so also of an R that does not start; then it has no views."""
    found_as: tuple[str, ...]
    """The programs or folders that led here: `/usr/bin/R`, `/opt/R/4.4.1`."""
    on_path: bool
    """It is what `R` means to a login."""
    views: tuple[RView, ...] = ()

    def view(self, seen_by: Viewer) -> RView | None:
        """Return the view of this R that a login, an app or a session has."""
        return next((view for view in self.views if view.seen_by == seen_by), None)


class RInstallations(ListPart[RInstallation]):
    """Every R found; the one on the PATH first."""

    def view(self, seen_by: Viewer) -> RView | None:
        """Return the view that a login, or an app inside Shiny Server, has of the R it gets."""
        views = (installation.view(seen_by) for installation in self)
        return next((view for view in views if view is not None), None)


def r_view(facts: Facts, seen_by: Viewer) -> RView | None:
    """Return the view that a login, or an app inside Shiny Server, has of the R it gets."""
    return facts[RInstallations].view(seen_by)


def _check_found(section: Section) -> None:
    """Every R that was found: home, version, what led to it, the program."""
    for line in section.lines:
        if not line:
            continue
        home, has, found_as, program = row(line, "an R of four fields", least=4, most=4)
        for one in (home, found_as, program):
            path(one, "the path of an R")
        if has:
            name(has, "the version of an R", pattern=R_VERSION)


def _whole_view(section: Section, boundary: str) -> Section:
    from sandbox.facts import registry

    return whole_view(section, boundary, registry.r_lines())


def require_views(frame: Frame, kinds: Mapping[str, Fields]) -> None:
    """Refuse an answer unless every R that was found was started, and told of itself or failed.

    Raises:
        SectionError: one did not, or does not say what every R says.
    """
    views = [section for section in frame.sections if section.name in ("r-view", "r-failed")]
    tried = {section.args[2] for section in views if len(section.args) > 2}  # noqa: PLR2004
    found = frame.lines("r-found")
    if any(line and line.partition("\t")[0] not in tried for line in found):
        raise SectionError("r-view", "it is missing for an R that was found")
    wanted = [kind for kind, fields in kinds.items() if fields.required]
    for section in frame.all("r-view"):
        mark = f"{frame.boundary}\tfact\t"
        said = {
            line.removeprefix(mark).partition("\t")[0]
            for line in section.lines
            if line.startswith(mark)
        }
        if missing := [kind for kind in wanted if kind not in said]:
            raise SectionError("r-view", f"the fact `{missing[0]}` is missing")


def _parse(answer: ProbeAnswer) -> RInstallations:
    found = answer.first("r-found")
    on_path = found.args[0] if found is not None and found.args else ""
    views = [_view(said) for said in answer.r]
    lines = found.lines if found is not None else ()
    return RInstallations(_installations(lines, on_path, views))


def _view(said: RSaid) -> RView:
    from sandbox.facts import registry

    fields: dict[str, Any] = {}
    parts: list[BaseModel] = []
    for subject in registry.subjects():
        if subject.r_fields is not None:
            fields |= subject.r_fields(said)
        part = subject.parse_r(said) if subject.parse_r is not None else None
        if part is not None:
            parts.append(part)
    return RView(**fields, parts=tuple(parts))


def _fields(said: RSaid) -> Mapping[str, Any]:
    return {
        "seen_by": said.seen_by,
        "how": said.how,
        "user": said.one("user"),
        "working_dir": said.one("working_dir"),
        "version_string": said.one("version_string"),
        "version": said.one("version"),
        "home": said.one("home"),
        "startup_output": redact_text("\n".join(own_words(said.noise)).strip()),
        "startup_error": said.startup_error,
        "profile_skipped": said.profile or None,
    }


def _installations(
    lines: Sequence[str], on_path: str, views: Sequence[RView]
) -> tuple[RInstallation, ...]:
    versions: dict[str, str] = {}
    found_as: dict[str, list[str]] = {}
    path_home = ""
    for line in filter(None, lines):
        home, version, name, program = line.split("\t")
        versions[home] = version
        if name not in found_as.setdefault(home, []):
            found_as[home].append(name)
        if on_path and program == on_path:
            path_home = home
    for view in views:
        # An app may run an R that stands in none of the usual places
        versions.setdefault(view.home, view.version)
        found_as.setdefault(view.home, [])
    return _ordered(versions, found_as, path_home, views)


def _ordered(
    versions: Mapping[str, str],
    found_as: Mapping[str, Sequence[str]],
    path_home: str,
    views: Sequence[RView],
) -> tuple[RInstallation, ...]:
    return tuple(
        RInstallation(
            home=home,
            version=versions[home] or None,
            found_as=tuple(found_as[home]),
            on_path=home == path_home,
            views=tuple(view for view in views if view.home == home),
        )
        for home in sorted(versions, key=lambda home: (home != path_home, home))
    )


def without_r(facts: Facts) -> Exception:
    """Return the error that says why R's libraries and all that R itself would tell are unknown."""
    if not facts[RInstallations]:
        return NotThereError("there is no R")
    reasons = (one.why for one in facts.not_seen if one.what.startswith("libraries of R's"))
    return CannotReadError(next(reasons, "no R could be asked"))


def no_view(facts: Facts, viewer: Viewer) -> Exception:
    """Return the error that says why that viewer's view is not there."""
    names = {"shiny": "R inside a Shiny app", "rstudio": "R inside an RStudio session"}
    wanted = names.get(viewer, "R of ")
    for one in facts.not_seen:
        if one.what.startswith(wanted):
            return CannotReadError(one.why)
    if not facts[RInstallations]:
        return NotThereError("there is no R")
    what = {"shiny": "no Shiny Server", "rstudio": "no RStudio Server"}.get(viewer, "no login's R")
    return NotThereError(f"there is {what}")


def r_versions(facts: Facts) -> Reading:
    """List every R on the machine."""
    return {"": frozenset(one.version or "unknown" for one in facts[RInstallations])}


def version(view: RView, _: Facts) -> Reading:
    """Return R's version."""
    return {"": view.version}


def home(view: RView, _: Facts) -> Reading:
    """Return R's home folder."""
    return {"": view.home}


def startup(view: RView, _: Facts) -> Reading:
    """Tell whether R starts with its site files."""
    return {"": "fails" if view.startup_error else "starts"}


def _stated(plan: Plan, _: Hashes) -> Stated:
    if plan.r is None:
        return {}
    rs = plan.rs
    default, asked = rs[0], plan.r.default_version
    found: dict[str, Reading] = {}
    if not default.is_moving:
        series_ = asked or default.version
        found["r.version"] = {"": PlannedVersion(default.version, series=series_)}
    if [one.source for one in rs] != ["debian"]:
        found["r.home"] = {"": default.home}
        if not any(one.is_moving for one in rs):
            found["r.all"] = {"": frozenset(one.version for one in rs)}
    return found


def main_r(facts: Facts) -> RInstallation | None:
    """Choose the R that people get: that on the PATH, else that of the apps, else any."""
    for seen_by in ("login", "shiny", "rstudio"):
        for one in facts[RInstallations]:
            if any(view.seen_by == seen_by for view in one.views) and (
                one.on_path or seen_by != "login"
            ):
                return one
    return next(iter(facts[RInstallations]), None)


def main_view(facts: Facts) -> RView | None:
    """Return the view that a login has of the main R: it has everything that everybody has."""
    r = main_r(facts)
    return r.views[0] if r is not None and r.views else None


def series(version: str) -> str:
    """Return `4.2` of 4.2.2."""
    return ".".join(version.split(".")[:2])


_POSIT_HOME = re.compile(r"/opt/R/([0-9]+[.][0-9]+[.][0-9]+|devel|next)/lib/R")


def posit_version(home: str) -> str | None:
    """Return the version, in Posit's words, of an R whose home is where Posit's builds are."""
    found = _POSIT_HOME.fullmatch(home)
    return found[1] if found is not None else None


_TAKES = (
    "=version_string: R (version [0-9]+[.][0-9]+[.][0-9]+|Under development"
    " [(]unstable[)])( Patched| RC| beta| alpha)? [(][0-9]{4}-[0-9]{2}-[0-9]{2}("
    " r[0-9]{1,6})?[)]\n"
)
R = Subject(
    name="r",
    rank=60,
    takes=_TAKES,
    part=RInstallations,
    required=True,
    sections={
        "r-view": Shape(anything, (4, 5), many=True, of_r=True, whole=_whole_view),
        "r-found": Shape(_check_found, (0, 1), lines=1000),
        "r-failed": Shape(check_failed, (4, 4), many=True, lines=1000, of_r=True),
    },
    parse=_parse,
    unseen=unseen_in_r,
    r_lines={
        "user": Fields(1, 1, named, takes="account", required=True),
        "working_dir": Fields(1, 1, a_path, takes="path"),
        "version_string": Fields(1, 1, named, takes="version_string", required=True),
        "version": Fields(1, 1, a_version, takes="version", required=True),
        "home": Fields(1, 1, a_path, takes="path", required=True),
        "failed": Fields(2, 2),
    },
    r_fields=_fields,
    kinds=(
        kind_of_r(
            "r.version",
            Consequence.ANSWERS,
            10,
            title="R's version",
            how="version",
            versions="r",
            why="defaults change between versions: since R 4.0, read.csv() makes no "
            "factors any more",
            bug="ModelOriented/ingredients/issues/107",
            read=version,
        ),
        kind_of_r(
            "r.startup",
            Consequence.FAILS,
            40,
            title="whether R starts with its site files",
            how="exact",
            why="every session and app fails before its first line",
            bug="HenrikBengtsson/startup/issues/60",
            read=startup,
        ),
        kind_of_machine(
            "r.all",
            Consequence.FAILS,
            50,
            title="the Rs on the machine",
            how="set",
            why="a script that names its R, or a package built for it, finds another or none",
            bug="r-lib/revdepcheck/issues/258",
            read=r_versions,
        ),
        kind_of_r(
            "r.home",
            Consequence.BEHAVIOUR,
            60,
            title="where R is",
            how="exact",
            why="scripts and services that name the path find nothing",
            bug="rstudio/rstudio/issues/5519",
            read=home,
        ),
    ),
    stated=_stated,
)
