"""What the runner hands to the pytest process, and how it gets it back: files in one folder.

`request.json` goes in; `collected.json` (all there is to do) and `results.jsonl` (what is done, one
line a check, written as it ends) come out. So a run that is cut off still tells what it found.
"""

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from sandbox.checks.early_outcome import EarlyOutcome
from sandbox.checks.results import CheckResult, Goal
from sandbox.checks.safe import fingerprint
from sandbox.deadline import Deadline, wait_until
from sandbox.facts.facts import Facts
from sandbox.facts.hashes import Hashes
from sandbox.files import write_whole
from sandbox.placement import Placement
from sandbox.plain_file import NotPlainError, read_plain

CHECKING = "checking "
"""Before the line that tells which check begins, in what the pytest process says."""
NO_RESULT = "the run of the checks ended before this one"
_MAX_BYTES = 32 * 1024 * 1024


class CheckRequest(BaseModel):
    """Everything a run of the checks needs to know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    placement: Placement
    """What the machine must be, and what it is called."""
    facts: Facts
    """What the probe has just seen, the plan's packages loaded."""
    base_url: str
    """`http://HOST:PORT` of its Shiny Server as seen from here; empty without one."""
    urls: dict[str, str] = {}
    """The same of each of its servers, by name."""
    own_key: str
    """Fingerprint of the instance's own login key; empty when unknown."""
    production: Facts | None = None
    """The facts of the machine that this one is to be like."""
    hashes: Hashes = Hashes()
    """By what values are compared that the facts do not have; never a part of the results."""
    goals: tuple[Goal, ...] = tuple(Goal)
    """Only these."""
    early_inspection: str = ""
    """The inspection's answer from before Shiny Server was killed; empty when it was not yet."""
    quick: bool = False
    """Leave out the checks that end processes on the machine (reported as skipped)."""


def own_key(folder: Path) -> str:
    """Return the fingerprint of the login key in an instance's folder; empty when it has none."""
    public = folder / "id_ed25519.pub"
    return fingerprint(public.read_text(encoding="utf-8")) if public.is_file() else ""


class ResultFolder:
    """The folder between the two processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._request = folder / "request.json"
        self._collected = folder / "collected.json"
        self._results = folder / "results.jsonl"
        self._early = folder / "early.json"

    def write_request(self, request: CheckRequest) -> None:
        """Write the request, for the pytest process to read."""
        write_whole(self._request, request.model_dump_json())

    def read_request(self) -> CheckRequest:
        """Read the request: which checks to run, and of what."""
        return CheckRequest.model_validate_json(self._request.read_bytes())

    def write_early(self, outcome: EarlyOutcome) -> None:
        """Write what came of the server that was killed."""
        write_whole(self._early, outcome.model_dump_json())

    def wait_for_early(self, timeout_s: float) -> EarlyOutcome:
        """Wait for what came of the server that was killed."""
        wait_until(self._early.exists, Deadline(timeout_s), every_s=0.02)
        if not self._early.exists():
            return EarlyOutcome(cannot=NO_RESULT)
        return EarlyOutcome.model_validate_json(self._early.read_bytes())

    def write_collected(self, results: list[CheckResult]) -> None:
        """Write all checks of this run, as errors that stand until a result replaces them."""
        write_whole(self._collected, json.dumps([one.model_dump(mode="json") for one in results]))

    def read_collected(self, *, untrusted: bool = False) -> tuple[CheckResult, ...] | None:
        """Read all checks of this run; None when pytest did not get that far.

        Args:
            untrusted: somebody else's code has written it: see `read_results`.
        """
        text = self._read(self._collected, untrusted=untrusted)
        if text is None:
            return None
        return tuple(CheckResult.model_validate(one) for one in json.loads(text))

    def append(self, result: CheckResult) -> None:
        """Add the result of one more check."""
        with self._results.open("a", encoding="utf-8") as file:
            file.write(result.model_dump_json() + "\n")

    def read_results(self, *, untrusted: bool = False) -> tuple[CheckResult, ...]:
        """Read the results of the checks that are done, in the order they ran.

        Args:
            untrusted: somebody else's code has written it, and could have put anything there.

        Raises:
            ValueError: only with `untrusted`: it is no plain file of results.
        """
        text = self._read(self._results, untrusted=untrusted) or ""
        # Not splitlines(): what a machine said may have other line ends in it. A process that was
        # killed may have left half a line
        whole = text.split("\n")[:-1]
        return tuple(CheckResult.model_validate_json(line) for line in whole)

    def _read(self, path: Path, *, untrusted: bool) -> str | None:
        if not path.exists() and not path.is_symlink():
            return None
        if not untrusted:
            return path.read_bytes().decode("utf-8")
        if path.is_symlink():
            raise ValueError("results are no link")
        try:
            return read_plain(path, max_bytes=_MAX_BYTES, follow=False).decode()
        except NotPlainError as error:
            raise ValueError(str(error)) from error
