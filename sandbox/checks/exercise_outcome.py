"""How one test of an exercise ended in one seat: a line between the pytest process and us."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from sandbox.checks.results import Outcome

ExerciseEnd = Literal[Outcome.PASSED, Outcome.FAILED, Outcome.ERROR]
"""No test is left out: who is not asked is not done either."""


class ExerciseOutcome(BaseModel):
    """One test in one seat."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str
    """The machine of the seat; empty when the file could not be read at all."""
    exercise: int
    """The number of the exercise, in the order they were handed over."""
    end: ExerciseEnd
    words: str = ""
