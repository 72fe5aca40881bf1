"""What comes of the exercises' checks: of each seat its own, in the words of the check."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Final

import pytest
import testinfra
from pydantic import ValidationError

from sandbox.checks import exercise_plugin
from sandbox.checks.exercise_outcome import ExerciseEnd, ExerciseOutcome
from sandbox.checks.results import Outcome
from sandbox.errors import UsageError
from sandbox.workflows.workshop import exercises
from sandbox.workshop.exercise_results import exercise_results, keep_results
from sandbox.workshop.view import ExerciseResult
from tests.unit.workflows.workshop.conftest import Classroom

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
PASSED: Final = Outcome.PASSED
FAILED: Final = Outcome.FAILED
ERROR: Final = Outcome.ERROR


def result(*ends: tuple[ExerciseEnd, str], trouble: str = "") -> tuple[bool | None, str]:
    outcomes = [ExerciseOutcome(host="m", exercise=0, end=end, words=words) for end, words in ends]
    found = exercises._result(outcomes, trouble, NOW)
    return found.holds, found.words


def test_each_test_is_told_to_its_own_machine() -> None:
    host = testinfra.get_host("ssh://ws-class-07-g1")
    item: Any = SimpleNamespace(callspec=SimpleNamespace(params={"_testinfra_host": host}))
    assert exercise_plugin._host_of(item) == "ws-class-07-g1"
    item = SimpleNamespace(callspec=SimpleNamespace(params={"_testinfra_host": host.backend}))
    assert exercise_plugin._host_of(item) == "ws-class-07-g1"
    assert exercise_plugin._host_of(SimpleNamespace()) == ""  # type: ignore[arg-type]


def test_it_says_what_is_missing_in_the_words_of_the_check() -> None:
    assert (
        exercise_plugin._words(AssertionError("a.R is missing\nassert False")) == "a.R is missing"
    )
    assert exercise_plugin._words(TimeoutError()) == "TimeoutError"


def test_an_exercise_is_done_when_all_of_it_holds() -> None:
    assert result((PASSED, ""), (PASSED, "")) == (True, "")
    assert result((PASSED, ""), (FAILED, "no\x1b[31m a.R"), (FAILED, "no b.R")) == (
        False,
        "no\N{REPLACEMENT CHARACTER}[31m a.R; no b.R",
    )
    assert result((FAILED, "same"), (FAILED, "same")) == (False, "same")


def test_a_line_says_how_a_test_ended_and_none_was_left_out() -> None:
    line = ExerciseOutcome(host="m", exercise=0, end=FAILED, words="no").model_dump_json()
    assert line == '{"host":"m","exercise":0,"end":"failed","words":"no"}'
    assert ExerciseOutcome.model_validate_json(line).end is FAILED
    with pytest.raises(ValidationError):
        ExerciseOutcome.model_validate_json(line.replace("failed", "skipped"))


def test_what_could_not_be_run_is_neither() -> None:
    assert result((PASSED, ""), (ERROR, "the seat did not answer")) == (
        None,
        "the seat did not answer",
    )
    assert result(trouble="it took too long") == (None, "it took too long")
    # Some have passed when the process ended: nobody knows of the others
    assert result((PASSED, ""), trouble="it took too long")[0] is None
    assert result() == (None, "it has no tests")


def test_results_of_one_seat_leave_the_others(classroom: Classroom) -> None:
    ws = classroom.up()
    one, two = (ExerciseResult(holds=holds, at=NOW) for holds in (True, False))
    keep_results(ws.store, {1: {"ex1": one}, 2: {"ex1": two}})
    keep_results(ws.store, {2: {"ex1": one}})
    assert exercises.results(ws.store) == {1: {"ex1": one}, 2: {"ex1": one}}
    (ws.store.folder / "exercises.json").write_text("{", encoding="utf-8")
    assert exercise_results(ws.store).seats == {}


def test_without_exercises_it_says_where_they_are_named(classroom: Classroom) -> None:
    with pytest.raises(UsageError, match="has no exercises"):
        exercises.run_exercises(classroom.up())
