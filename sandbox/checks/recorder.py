"""Turns what pytest does into check results: which there are, their order, and how each ended."""

import re
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from sandbox.checks.check import CannotLook, Check, CheckFailed, NothingToLookAt
from sandbox.checks.request import CHECKING, NO_RESULT, CheckRequest, ResultFolder
from sandbox.checks.results import CheckResult, Goal, Outcome
from sandbox.checks.up import RESTART_ID

_LONGEST = 2000
_DRAFT = pytest.StashKey[CheckResult]()
_ACTUAL = pytest.StashKey[str]()


class Recorder:
    """Registered as a plugin for the length of one run."""

    def __init__(self, request: CheckRequest, folder: ResultFolder) -> None:
        self._request = request
        self._folder = folder
        self._begun = 0

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Say which check begins: its title, not the name of a test."""
        self._begun += 1
        reporter = item.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            title = " ".join(item.stash[_DRAFT].title.split())
            reporter.ensure_newline()
            reporter.write_line(f"{CHECKING}{self._begun} of {len(item.session.items)}: {title}")
            reporter.flush()
        return (yield)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the goals asked for, put what disturbs last, and write down all there is to do."""
        kept = [item for item in items if not _is_placeholder(item)]
        for item in kept:
            item.stash[_DRAFT] = _draft(item)
        kept = [item for item in kept if item.stash[_DRAFT].goal in self._request.goals]
        kept.sort(key=_order)
        _make_ids_unique(kept)
        if self._request.quick:
            reason = "left out, because it would end processes on the machine (--quick)"
            for item in kept:
                if _order(item) > 0:
                    item.add_marker(pytest.mark.skip(reason=reason))
        self._folder.write_collected([item.stash[_DRAFT] for item in kept])
        if self._request.early_inspection:
            kept.sort(key=_order_after_kill)
        items[:] = kept

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Record a test file of the box that cannot be read as an error like any other."""
        report = yield
        if report.failed:
            self._folder.append(_unreadable(collector.path, report))
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Take down each phase; the result is complete after the last."""
        report = yield
        draft = item.stash[_DRAFT]
        elapsed_s = draft.elapsed_s + call.duration
        if call.when == "call" and report.passed:
            actual = item.stash.get(_ACTUAL, "")
            draft = draft.model_copy(update={"outcome": Outcome.PASSED, "actual": actual})
        elif call.excinfo is not None:
            outcome, actual = _judge(item, call, report)
            draft = draft.model_copy(update={"outcome": outcome, "actual": actual[:_LONGEST]})
            if isinstance(error := call.excinfo.value, CheckFailed) and error.look.fix:
                draft = draft.model_copy(update={"fix": error.look.fix})
            if outcome is Outcome.SKIPPED:
                report.outcome = "skipped"
                report.longrepr = (str(item.path), 0, f"Skipped: {actual}")
        draft = draft.model_copy(update={"elapsed_s": round(elapsed_s, 3)})
        item.stash[_DRAFT] = draft
        if call.when == "teardown":
            self._folder.append(draft)
        return report


def note_actual(item: pytest.Item, actual: str) -> None:
    """Keep what a check found, for the report of one that passes."""
    item.stash[_ACTUAL] = actual


def _check_of(item: pytest.Item) -> Check[Any] | None:
    callspec = getattr(item, "callspec", None)
    check = callspec.params.get("check") if callspec is not None else None
    return check if isinstance(check, Check) else None


def _is_placeholder(item: pytest.Item) -> bool:
    """What pytest keeps of a parametrised test that has no parameters: a plan without Shiny."""
    return item.get_closest_marker("made_from_plan") is not None and _check_of(item) is None


def _order(item: pytest.Item) -> int:
    check = _check_of(item)
    return check.order if check is not None else 0


def _order_after_kill(item: pytest.Item) -> int:
    """First what was seen before the kill, then the server that comes back, then what needs it."""
    if "seen" in getattr(item, "fixturenames", ()):
        return 0
    return 1 if item.stash[_DRAFT].id == RESTART_ID else 2


def _draft(item: pytest.Item) -> CheckResult:
    """The result as it stands until the check has run: an error."""
    check = _check_of(item)
    if check is not None:
        return CheckResult(
            id=check.id,
            goal=check.goal,
            title=check.title,
            outcome=Outcome.ERROR,
            expected=check.expected,
            actual=NO_RESULT,
            why=check.why,
            fix=check.fix,
        )
    marker = item.get_closest_marker("goal")
    goal = Goal(marker.args[0]) if marker is not None else Goal.CORRECT
    function = getattr(item, "function", None)
    doc = (getattr(function, "__doc__", None) or "").strip()
    name = _own_name(item)
    return CheckResult(
        id=f"box.{item.path.stem}.{name}",
        goal=goal,
        title=doc.splitlines()[0].rstrip(".")
        if doc
        else name.removeprefix("test_").replace("_", " "),
        outcome=Outcome.ERROR,
        actual=NO_RESULT,
        expected="the test passes",
        why=f"the box says so, in {item.path.name}",
    )


def _own_name(item: pytest.Item) -> str:
    """The test's name without the host that testinfra adds to it."""
    name = re.sub(r"\bssh://[^\]-]*-?", "", item.name)
    return name.replace("[]", "").replace("-]", "]")


def _make_ids_unique(items: list[pytest.Item]) -> None:
    seen: Counter[str] = Counter()
    for item in items:
        draft = item.stash[_DRAFT]
        seen[draft.id] += 1
        if seen[draft.id] > 1:
            fresh = f"{draft.id}~{seen[draft.id]}"
            item.stash[_DRAFT] = draft.model_copy(update={"id": fresh})


def _judge(
    item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport
) -> tuple[Outcome, str]:
    assert call.excinfo is not None  # noqa: S101  (for mypy: the caller has looked)
    error = call.excinfo.value
    match error:
        case CheckFailed():
            return Outcome.FAILED, error.look.actual
        case NothingToLookAt():
            return Outcome.SKIPPED, str(error)
        case CannotLook():
            return Outcome.ERROR, str(error)
        case pytest.skip.Exception():
            return Outcome.SKIPPED, error.msg or "skipped without a reason"
        case _:
            failed = isinstance(error, AssertionError | pytest.fail.Exception)
    words = call.excinfo.exconly().strip()
    if _check_of(item) is None:
        words = f"{words}\n({_place(item, report)})"
    return (Outcome.FAILED if failed and call.when == "call" else Outcome.ERROR), words


def _place(item: pytest.Item, report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return item.path.name
    return f"{Path(crash.path).name}:{crash.lineno}"


def _unreadable(path: Path, report: pytest.CollectReport) -> CheckResult:
    lines = [line for line in report.longreprtext.strip().splitlines() if line.strip()]
    return CheckResult(
        id=f"box.{path.stem}",
        goal=Goal.CORRECT,
        title=f"{path.name} can be read",
        outcome=Outcome.ERROR,
        expected="a Python file that pytest can collect",
        actual="\n".join(line.removeprefix("E").strip() for line in lines[-6:])[:_LONGEST],
        why="none of its checks were run",
    )
