"""The pytest plugin for the checks of exercises: many machines in one process.

Fixtures for a check: testinfra's `host`, and `user` and `home` of the learner. Each test has a
limit of its own, and a machine that does not answer is not asked again: no seat keeps the others
waiting. A line is written for each test, as it ends.
"""

import resource
import signal
from collections.abc import Generator
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytest
from testinfra.backend.base import BaseBackend

from sandbox.checks.exercise_outcome import ExerciseEnd, ExerciseOutcome
from sandbox.checks.exercise_request import OUTCOMES, REQUEST, ExerciseRequest
from sandbox.checks.results import Outcome

_TEST_S: Final = 20.0
_MOST_MEMORY_BYTES: Final = 2 * 1024**3
"""A check may read a file of a learner's, whatever its size."""
_LONGEST: Final = 1000
_MOST_TROUBLES: Final = 2


class _TooSlowError(Exception):
    """A test took too long."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the one option: the folder with the request, in which the outcomes go."""
    parser.addoption("--sandbox-folder", type=Path, required=True)


def pytest_configure(config: pytest.Config) -> None:
    """Read the request, and set the limits of this process."""
    BaseBackend.encode = _as_utf8
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY_BYTES, hard))
    folder: Path = config.getoption("--sandbox-folder")
    request = ExerciseRequest.model_validate_json((folder / REQUEST).read_bytes())
    config.pluginmanager.register(_Recorder(request, folder), "sandbox-exercises")


def _as_utf8(_: object, command: str) -> bytes:
    """A command for this host's shell: see `sandbox.checks.plugin`."""
    return command.encode("utf-8", "surrogateescape")


class _Recorder:
    """Gives each test its limit, and writes down how it ended."""

    def __init__(self, request: ExerciseRequest, folder: Path) -> None:
        self._request = request
        self._file = folder / OUTCOMES
        self._troubles: dict[str, int] = {}

    @pytest.fixture(scope="session")
    def user(self) -> str:
        """The learner's account."""
        return self._request.user

    @pytest.fixture(scope="session")
    def home(self) -> str:
        """The learner's home."""
        return f"/home/{self._request.user}"

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Write down a check that cannot be read."""
        report = yield
        if report.failed:
            lines = [one for one in report.longreprtext.splitlines() if one.strip()]
            words = "\n".join(line.removeprefix("E").strip() for line in lines[-3:])
            self._write("", collector.path, Outcome.ERROR, f"it cannot be read: {words}")
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        """End a test that takes too long."""
        before = signal.signal(signal.SIGALRM, _too_slow)
        signal.setitimer(signal.ITIMER_REAL, _TEST_S)
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Do not ask a machine again that did not answer."""
        if self._troubles.get(_host_of(item), 0) >= _MOST_TROUBLES:
            raise _TooSlowError("the seat did not answer the checks before")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Write down how a test ended."""
        report = yield
        host, error = _host_of(item), call.excinfo.value if call.excinfo is not None else None
        if error is None:
            if call.when == "call":
                self._write(host, item.path, Outcome.PASSED, "")
        elif call.when == "call" and isinstance(error, AssertionError | pytest.fail.Exception):
            self._write(host, item.path, Outcome.FAILED, _words(error))
        else:
            self._troubles[host] = self._troubles.get(host, 0) + 1
            self._write(host, item.path, Outcome.ERROR, _words(error))
        return report

    def _write(self, host: str, path: Path, end: ExerciseEnd, words: str) -> None:
        number = path.parent.name
        outcome = ExerciseOutcome(
            host=host,
            exercise=int(number) if number.isdecimal() else 0,
            end=end,
            words=words[:_LONGEST],
        )
        with self._file.open("a", encoding="utf-8") as file:
            file.write(outcome.model_dump_json() + "\n")


def _too_slow(_number: int, _frame: FrameType | None) -> None:
    raise _TooSlowError(f"it took more than {_TEST_S:.0f} s")


def _host_of(item: pytest.Item) -> str:
    """The machine that testinfra gives the test, from its parameters."""
    callspec: Any = getattr(item, "callspec", None)
    for value in callspec.params.values() if callspec is not None else ():
        backend = getattr(value, "backend", value)
        if isinstance(backend, BaseBackend):
            return str(backend.hostname)
    return ""


def _words(error: BaseException) -> str:
    """The assertion's own message; without one, what pytest says of it."""
    text = str(error).strip() or type(error).__name__
    message, _, _ = text.partition("\nassert ")
    return message.strip()
