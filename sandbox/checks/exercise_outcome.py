"""How one test of an exercise ended in one seat: a line between the pytest process and us."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class OutcomeEnd(StrEnum):
    """How a test ended."""

    PASSED = "passed"
    FAILED = "failed"
    """What it asserts does not hold."""
    ERROR = "error"
    """It could not be carried out."""


class ExerciseOutcome(BaseModel):
    """One test in one seat."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str
    """The machine of the seat; empty when the file could not be read at all."""
    exercise: int
    """The number of the exercise, in the order they were handed over."""
    end: OutcomeEnd
    words: str = ""
