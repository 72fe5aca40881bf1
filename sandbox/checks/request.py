"""What the runner hands to the pytest process, and how it gets it back: files in one folder.

`request.json` goes in; `collected.json` (all there is to do) and `results.jsonl` (what is done, one
line a check, written as it ends) come out. So a run that is cut off still tells what it found.
"""

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from sandbox.checks.results import CheckResult, Goal
from sandbox.checks.safe import fingerprint
from sandbox.files import write_whole
from sandbox.plan import Plan
from sandbox.probe.facts import Facts

NO_RESULT = "the run of the checks ended before this one"


class CheckRequest(BaseModel):
    """Everything a run of the checks needs to know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    plan: Plan
    """What the machine must be."""
    facts: Facts
    """What the probe has just seen, the plan's packages loaded."""
    base_url: str
    """`http://HOST:PORT` of its Shiny Server as seen from here; empty without one."""
    own_key: str
    """Fingerprint of the instance's own login key; empty when unknown."""
    production: Facts | None = None
    """The facts of the machine that this one is to be like."""
    goals: tuple[Goal, ...] = tuple(Goal)
    """Only these."""
    quick: bool = False
    """Leave out the checks that end processes on the machine (reported as skipped)."""


def own_key(folder: Path) -> str:
    """Fingerprint of the login key in an instance's folder; empty when it has none."""
    public = folder / "id_ed25519.pub"
    return fingerprint(public.read_text()) if public.is_file() else ""


class ResultFolder:
    """The folder between the two processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._request = folder / "request.json"
        self._collected = folder / "collected.json"
        self._results = folder / "results.jsonl"

    def write_request(self, request: CheckRequest) -> None:
        """For the pytest process to read."""
        write_whole(self._request, request.model_dump_json())

    def read_request(self) -> CheckRequest:
        """What was asked for."""
        return CheckRequest.model_validate_json(self._request.read_text())

    def write_collected(self, results: list[CheckResult]) -> None:
        """All checks of this run, as errors that stand until a result replaces them."""
        write_whole(self._collected, json.dumps([one.model_dump(mode="json") for one in results]))

    def read_collected(self) -> tuple[CheckResult, ...] | None:
        """All checks of this run; None when pytest did not get that far."""
        if not self._collected.exists():
            return None
        return tuple(
            CheckResult.model_validate(one) for one in json.loads(self._collected.read_text())
        )

    def append(self, result: CheckResult) -> None:
        """One more check is done."""
        with self._results.open("a") as file:
            file.write(result.model_dump_json() + "\n")

    def read_results(self) -> tuple[CheckResult, ...]:
        """The checks that are done, in the order they ran."""
        if not self._results.exists():
            return ()
        lines = self._results.read_text().splitlines(keepends=True)
        # A process that was killed may have left half a line
        whole = (line for line in lines if line.endswith("\n"))
        return tuple(CheckResult.model_validate_json(line) for line in whole)
