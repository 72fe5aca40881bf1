"""Reports: what they count, and that they survive a trip through JSON."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from sandbox.checks.request import ResultFolder
from sandbox.checks.results import CheckReport, CheckResult, Goal, Outcome, with_found
from tests.unit.checks.reports import report, result


def test_the_report_counts_and_sorts_by_goal() -> None:
    mixed = report()
    assert mixed.summary == "1 passed, 1 failed, 1 in error, 1 skipped in 3.2 s"
    assert [one.id for one in mixed.problems] == ["safe.ports", "correct.os"]
    assert [one.id for one in mixed.of(Goal.SAFE)] == ["safe.ports"]
    assert not mixed.ok


def test_skipped_is_no_problem_and_nothing_at_all_is_counted_too() -> None:
    skipped = report(result("snappy.disk", Outcome.SKIPPED))
    assert skipped.ok
    assert skipped.summary == "0 passed, 1 skipped in 3.2 s"


def test_a_report_is_the_same_after_json() -> None:
    assert CheckReport.from_json(report().to_json()) == report()
    assert json.loads(report().to_json())["results"][0]["goal"] == "up"


def test_a_report_of_another_kind_is_refused() -> None:
    with pytest.raises(ValidationError):
        CheckReport.from_json('{"format": 2}')


def test_results_are_frozen() -> None:
    with pytest.raises(ValidationError):
        result("up.system", Outcome.PASSED).title = "x"  # type: ignore[misc]


def test_half_a_line_of_a_killed_run_is_left_out(tmp_path: Path) -> None:
    folder = ResultFolder(tmp_path)
    assert folder.read_results() == ()
    assert folder.read_collected() is None
    first = result("up.system", Outcome.PASSED)
    folder.append(first)
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write(first.model_dump_json()[:40])
    assert folder.read_results() == (first,)
    folder.write_collected([first])
    assert folder.read_collected() == (first,)


def test_each_goal_has_a_promise() -> None:
    assert len({goal.promise for goal in Goal}) == 4
    assert CheckResult.model_fields.keys() >= {"expected", "actual", "why", "fix", "elapsed_s"}


def test_other_line_ends_in_what_a_machine_said_end_no_line(tmp_path: Path) -> None:
    folder = ResultFolder(tmp_path)
    said = CheckResult(
        id="up.x", goal=Goal.UP, title="x", outcome=Outcome.FAILED, actual="a\u2028b\x85c\x0cd\re"
    )
    folder.append(said)
    folder.append(said)
    assert folder.read_results() == (said, said)


def test_what_a_part_of_the_checks_found_is_known_until_it_is_looked_at_again() -> None:
    whole = report(result("safe.ports", Outcome.PASSED), result("correct.os", Outcome.PASSED))
    part = report(result("safe.ports", Outcome.FAILED), result("correct.os", Outcome.SKIPPED))
    part = part.model_copy(update={"whole": False})
    known = with_found(whole, part)
    assert known is not None
    assert [one.id for one in known.problems] == ["safe.ports"]
    assert known.whole
    better = with_found(known, report(result("safe.ports", Outcome.PASSED)))
    assert better is not None
    assert (better.ok, len(better.results)) == (True, 2)


def test_a_part_alone_is_kept_for_what_failed_and_never_as_a_proof() -> None:
    good = report(result("safe.ports", Outcome.PASSED)).model_copy(update={"whole": False})
    bad = report(result("safe.ports", Outcome.FAILED)).model_copy(update={"whole": False})
    assert with_found(None, good) is None
    assert with_found(None, bad) == bad
    mended = with_found(bad, good)
    assert mended is not None
    assert (mended.ok, mended.whole) == (True, False)
    # Of another plan, nothing follows from it
    older = report(result("correct.os", Outcome.PASSED)).model_copy(update={"plan_key": "older"})
    assert with_found(older, good) is None
