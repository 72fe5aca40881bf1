"""Pages to hand to an IT group: one HTML file each, which needs no other file. Pure.

Jinja escapes every value here; a machine or a box can only put text into a page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sandbox import __version__
from sandbox.checks.results import CheckReport, CheckResult, Goal, Outcome
from sandbox.clean import clean
from sandbox.facts.by_kind import alike, is_told_by_note, item_of, not_compared
from sandbox.facts.differences import Diff
from sandbox.facts.facts import Facts
from sandbox.facts.kind import Consequence
from sandbox.facts.r_view import RView
from sandbox.facts.subjects.accounts import Accounts
from sandbox.facts.subjects.blas import blas_family
from sandbox.facts.subjects.identity import Identity
from sandbox.facts.subjects.locale import SystemLocale
from sandbox.facts.subjects.os import Os
from sandbox.facts.subjects.ports import Ports
from sandbox.facts.subjects.r import r_view
from sandbox.facts.subjects.r_packages import loaded_packages
from sandbox.facts.subjects.shiny import SeenShinyServer
from sandbox.facts.subjects.timezone import Timezone
from sandbox.facts.subjects.tools import Programs
from sandbox.paths import data_dir
from sandbox.record import Record

_DANGEROUS = (Consequence.ANSWERS, Consequence.FAILS, Consequence.ACCESS)
_TIME = "%Y-%m-%d %H:%M UTC"


@dataclass(frozen=True)
class GoalSection:
    """One of the four goals, with the results of its checks."""

    name: str
    promise: str
    problems: tuple[CheckResult, ...]
    others: tuple[CheckResult, ...]

    @property
    def total(self) -> int:
        """How many checks there are."""
        return len(self.problems) + len(self.others)

    @property
    def passed(self) -> int:
        """How many checks passed."""
        return sum(1 for one in self.others if one.outcome is Outcome.PASSED)

    @property
    def skipped(self) -> int:
        """How many checks were left out."""
        return len(self.others) - self.passed


@dataclass(frozen=True)
class HistoryRow:
    """One action on the sandbox."""

    at: str
    what: str
    plan_key: str
    note: str


@dataclass(frozen=True)
class SandboxSection:
    """Everything that the page says about a sandbox."""

    name: str
    names_production: bool
    contents: tuple[tuple[str, str], ...]
    packages: tuple[tuple[str, str], ...]
    measured_at: str
    checked_at: str
    checks_ok: bool
    checks_summary: str
    goals: tuple[GoalSection, ...]
    diff: Diff | None
    production_name: str
    production_at: str
    history: tuple[HistoryRow, ...]


@dataclass(frozen=True)
class ReportPage:
    """The values for the template."""

    title: str
    subtitle: str
    made_at: str
    version: str = __version__
    sandbox: SandboxSection | None = None
    diff: Diff | None = None
    consequences: Sequence[Consequence] = tuple(Consequence)
    dangerous: Sequence[Consequence] = _DANGEROUS


def diff_page(diff: Diff, *, made_at: str) -> str:
    """Make the page that compares two machines.

    Args:
        diff: the comparison.
        made_at: when, for the foot of the page.
    """
    title = f"{diff.b_name} compared with {diff.a_name}"
    return _render(ReportPage(title=title, subtitle=diff.summary, made_at=made_at, diff=diff))


def sandbox_page(
    record: Record,
    facts: Facts | None,
    report: CheckReport | None,
    diff: Diff | None,
    production: Facts | None,
    *,
    made_at: str,
) -> str:
    """Make the page about one sandbox.

    Args:
        record: its plan and history.
        facts: its last measured facts.
        report: the last whole run of the checks.
        diff: the comparison with production.
        production: the facts of production, for its name and age.
        made_at: when, for the foot of the page.
    """
    placement, plan = record.placement, record.plan
    section = SandboxSection(
        name=placement.name,
        names_production=plan.production is not None,
        contents=tuple(_contents(record, facts)),
        packages=_packages(facts),
        measured_at=_moment(facts.probe.taken_at) if facts is not None else "",
        checked_at=_checked_at(record) if report is not None else "",
        checks_ok=report is not None and report.ok,
        checks_summary=_checks_summary(report),
        goals=tuple(_goal(goal, report) for goal in Goal),
        diff=diff,
        production_name=production[Identity].hostname if production is not None else "",
        production_at=_moment(production.probe.taken_at) if production is not None else "",
        history=tuple(
            HistoryRow(one.at.strftime(_TIME), one.what, one.plan_key, one.note)
            for one in reversed(record.history)
        ),
    )
    words = [plan.description, f"box {plan.box_name}", f"{plan.base.name} on {placement.provider}"]
    subtitle = " · ".join(word for word in words if word)
    page = ReportPage(
        title=f"The R machine {placement.name}", subtitle=subtitle, made_at=made_at, sandbox=section
    )
    return _render(page)


def _checks_summary(report: CheckReport | None) -> str:
    if report is None:
        return "none yet"
    looked_at = len(report.results) - report.count(Outcome.SKIPPED)
    return f"{report.count(Outcome.PASSED)} of {looked_at} hold"


def _goal(goal: Goal, report: CheckReport | None) -> GoalSection:
    results = report.of(goal) if report is not None else ()
    bad = (Outcome.FAILED, Outcome.ERROR)
    return GoalSection(
        name=str(goal),
        promise=goal.promise,
        problems=tuple(one for one in results if one.outcome in bad),
        others=tuple(one for one in results if one.outcome not in bad),
    )


def _checked_at(record: Record) -> str:
    found = [one.at for one in record.history if one.what == "checked"]
    return found[-1].strftime(_TIME) if found else ""


def _moment(taken_at: str) -> str:
    """A time such as `2026-11-22T16:42:12Z`, for a person."""
    return taken_at.replace("T", " ").replace("Z", " UTC")


def _contents(record: Record, facts: Facts | None) -> list[tuple[str, str]]:
    plan = record.plan
    cpus = "1 processor" if plan.machine.cpus == 1 else f"{plan.machine.cpus} processors"
    size = f"{cpus}, {plan.machine.memory_mb} MB memory"
    rows = [("Size", f"{size}, {plan.machine.disk_gb} GB disk at most")]
    if facts is None:
        return [*rows, ("System", plan.base.description)]
    rows.insert(0, ("System", f"{facts[Os].name}, {facts[Os].arch}, kernel {facts[Os].kernel}"))
    view = r_view(facts, "login")
    if view is not None:
        rows += _r_rows(view)
    shiny = facts.get(SeenShinyServer)
    if shiny is not None:
        ports = ", ".join(str(one.port) for one in shiny.listens)
        rows.append(("Shiny Server", f"{shiny.version or ''} on port {ports}".strip()))
    if plan.apps:
        rows.append(("Apps", ", ".join(app.name for app in plan.apps)))
    rows.append(("Timezone", facts[Timezone].name or "not set"))
    rows.append(("Locale", facts[SystemLocale].settings.get("LANG", "not set")))
    tools = [f"{one.name} {one.version or ''}".strip() for one in facts.get(Programs) or ()]
    if tools:
        rows.append(("Programs", ", ".join(tools)))
    people = [one.name for one in facts[Accounts] if 1000 <= one.uid < 60000]  # noqa: PLR2004
    rows.append(("People's accounts", ", ".join(people) or "none"))
    rows.append(("Open ports", _open_ports(facts)))
    return rows


def _open_ports(facts: Facts) -> str:
    ports = facts.get(Ports)
    if ports is None:
        return "could not be read"
    listening = (one for one in ports if one.protocol == "tcp" and not one.loopback)
    return ", ".join(map(str, sorted({one.port for one in listening}))) or "none"


def _r_rows(view: RView) -> list[tuple[str, str]]:
    blas = blas_family(view.external_software.get("BLAS") or view.la_library)
    return [
        ("R", f"{view.version_string}, in {view.home}"),
        ("Linear algebra", f"{blas}, LAPACK {view.la_version or 'unknown'}"),
        ("R packages", str(len(loaded_packages(view)))),
    ]


def _packages(facts: Facts | None) -> tuple[tuple[str, str], ...]:
    view = r_view(facts, "login") if facts is not None else None
    if view is None:
        return ()
    found = loaded_packages(view)
    return tuple((name, found[name].version) for name in sorted(found, key=str.lower))


def _bug(link: str) -> str:
    """`owner/name#12` for an address on GitHub."""
    parts = link.rstrip("/").split("/")
    return f"{parts[-4]}/{parts[-3]}#{parts[-1]}"


def _shown(value: object) -> object:
    # An object with an `__html__` is a piece of the page itself
    return clean(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(data_dir("templates"))),
        undefined=StrictUndefined,
        autoescape=True,
        # Text read from a machine must not change the page's direction of text, or be invisible
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["bug"] = _bug
    made.filters["alike"] = alike
    made.filters["item"] = item_of
    made.filters["told_by_note"] = is_told_by_note
    made.filters["not_compared"] = not_compared
    return made


def _render(page: ReportPage) -> str:
    return _environment().get_template("report.html.j2").render(page=page)
