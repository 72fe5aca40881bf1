"""What came of the checks: frozen, and the same after a trip through JSON."""

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, computed_field

from sandbox.probe.untaken import without_hash
from sandbox.saved import BrokenFileError, read_saved

Words = Annotated[str, AfterValidator(without_hash)]
"""What a result says. Results are handed on, and nobody else can do anything with a hash."""


class Goal(StrEnum):
    """What R admins mean by "in production"; every check serves one of these."""

    UP = "up"
    SAFE = "safe"
    CORRECT = "correct"
    SNAPPY = "snappy"

    @property
    def promise(self) -> str:
        """The goal in a few words, for headings."""
        return _PROMISES[self]


_PROMISES = {
    Goal.UP: "services run, answer, and come back",
    Goal.SAFE: "nobody gets in who should not",
    Goal.CORRECT: "the machine is what the box says, and gives right answers",
    Goal.SNAPPY: "fast enough, with room to work",
}


class Outcome(StrEnum):
    """How one check ended."""

    PASSED = "passed"
    FAILED = "failed"
    """The machine is not as it should be."""
    ERROR = "error"
    """The check itself could not be carried out: nothing is known."""
    SKIPPED = "skipped"
    """Left out, for the reason in `actual`."""


class _Result(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CheckResult(_Result):
    """One check and what it found."""

    id: str
    """Stable from run to run: `up.page.faithful`, `correct.timezone`."""
    goal: Goal
    title: str
    """What is checked, as a statement: `the timezone is Europe/Vienna`."""
    outcome: Outcome
    expected: Words = ""
    actual: Words = ""
    """What was found instead; for a skipped check the reason, for an error its message."""
    why: str = ""
    """Why it matters: one sentence."""
    fix: str = ""
    """The command that mends it, where there is one."""
    elapsed_s: float = 0.0


class CheckReport(BaseModel):
    """All checks of one sandbox."""

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    sandbox: str
    box: str
    plan_key: str
    elapsed_s: float
    results: tuple[CheckResult, ...]
    whole: bool = True
    """Whether every check that the plan calls for had its say, not only those of a goal."""

    @property
    def ok(self) -> bool:
        """True when no check failed and none was in error."""
        return not self.problems

    @property
    def problems(self) -> tuple[CheckResult, ...]:
        """What failed or could not be carried out."""
        bad = (Outcome.FAILED, Outcome.ERROR)
        return tuple(result for result in self.results if result.outcome in bad)

    def count(self, outcome: Outcome) -> int:
        """Count the checks with that outcome."""
        return Counter(result.outcome for result in self.results)[outcome]

    def of(self, goal: Goal) -> tuple[CheckResult, ...]:
        """Return the checks of one goal, in the order they ran."""
        return tuple(result for result in self.results if result.goal is goal)

    @computed_field  # type: ignore[prop-decorator]  # mypy does not know it on a property
    @property
    def summary(self) -> str:
        """`41 passed, 1 failed, 1 skipped in 3.2 s`."""
        parts = [
            f"{number} {'in error' if outcome is Outcome.ERROR else outcome}"
            for outcome in Outcome
            if (number := self.count(outcome)) or outcome is Outcome.PASSED
        ]
        return f"{', '.join(parts)} in {self.elapsed_s:.1f} s"

    def to_json(self) -> str:
        """Return the report as JSON, as `sandbox check --json` prints it."""
        return self.model_dump_json(indent=2)

    @classmethod
    def from_json(cls, text: str) -> "CheckReport":
        """Read what `to_json` wrote.

        Raises:
            pydantic.ValidationError: it is something else.
        """
        return cls.model_validate_json(text)


def with_found(known: CheckReport | None, found: CheckReport) -> CheckReport | None:
    """Merge what was known of a sandbox with a part that ran again; None: as much as before.

    Of each check the last result counts. Where nothing was known, failures are: `up` must hear of
    them, and of what passed nothing follows.
    """
    if known is None or known.plan_key != found.plan_key:
        return None if found.ok else found
    newer = {one.id: one for one in found.results if one.outcome is not Outcome.SKIPPED}
    old = {one.id for one in known.results}
    results = (
        *(newer.get(one.id, one) for one in known.results),
        *(one for one in newer.values() if one.id not in old),
    )
    return known.model_copy(update={"results": results})


def last_report(folder: Path) -> CheckReport | None:
    """Read what an instance's checks last found; None when none ran, or it cannot be read."""
    try:
        return read_saved(folder / "checks.json", CheckReport)
    except BrokenFileError:
        # As if none had run: the next run writes it again
        return None
