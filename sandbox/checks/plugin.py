"""The pytest plugin that makes tests from the plan; `recorder` writes down what comes of them.

Loaded by the runner alone, into a pytest process of its own (`-p sandbox.checks.plugin`). Fixtures
for the suite and for a box's own test files: `plan`, `facts`, `url`, and testinfra's `host`.
"""

from pathlib import Path
from typing import Any

import pytest
from testinfra.backend.base import BaseBackend

from sandbox.checks import inspection
from sandbox.checks.check import Check, Look, Verify, require
from sandbox.checks.live import CheckedMachine, LiveMachine, RstudioRun, Seen, is_emulated
from sandbox.checks.recorder import Recorder, note_actual
from sandbox.checks.request import CheckRequest, ResultFolder
from sandbox.facts.facts import Facts
from sandbox.plan import Plan

_REQUEST = pytest.StashKey[CheckRequest]()
_EARLY_S = 100.0
"""Twice the restart's limit, and a little: a server that stays dead is started by hand."""
_INSPECTION = pytest.StashKey[inspection.Inspection]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the one option: the folder with the request, in which the results go."""
    parser.addoption("--sandbox-folder", type=Path, required=True)


def pytest_configure(config: pytest.Config) -> None:
    """Read the request."""
    BaseBackend.encode = _as_utf8
    config.addinivalue_line("markers", "made_from_plan(checks_of): one test a check of the plan")
    config.addinivalue_line("markers", "goal(name): the goal a test serves; correct when absent")
    folder = ResultFolder(config.getoption("--sandbox-folder"))
    config.stash[_REQUEST] = folder.read_request()
    config.pluginmanager.register(Recorder(config.stash[_REQUEST], folder), "sandbox-recorder")


def _as_utf8(_: object, command: str) -> bytes:
    """A command for this host's shell, with the path of our ssh_config in it.

    testinfra asks the machine first which encoding it has; by a command with that path in it, for
    which it asks the machine first, and so on.
    """
    return command.encode("utf-8", "surrogateescape")


# Fixtures


class NamedPlan(Plan):
    """The plan as a box's own test files know it: with the sandbox's name, and who runs it."""

    name: str
    provider: str


@pytest.fixture(scope="session")
def plan(request: pytest.FixtureRequest) -> NamedPlan:
    """The plan the machine was made from."""
    placement = request.config.stash[_REQUEST].placement
    content = {field: getattr(placement.plan, field) for field in Plan.model_fields}
    return NamedPlan.model_construct(**content, name=placement.name, provider=placement.provider)


@pytest.fixture(scope="session")
def facts(request: pytest.FixtureRequest) -> Facts:
    """What the probe has just seen on the machine."""
    return request.config.stash[_REQUEST].facts


@pytest.fixture(scope="session")
def url(request: pytest.FixtureRequest) -> str:
    """`http://HOST:PORT` of Shiny Server, as reached from here; empty without one."""
    return request.config.stash[_REQUEST].base_url


@pytest.fixture(scope="session")
def first_pages() -> dict[str, float]:
    """What one file of the suite measured, for another: each has a `machine` of its own."""
    return {}


@pytest.fixture(scope="session")
def rstudio_run() -> RstudioRun:
    """A session of RStudio Server that one file of the suite tried, for the others."""
    return RstudioRun()


@pytest.fixture(scope="module")
def machine(
    host: Any,  # noqa: ANN401  (testinfra has no types)
    request: pytest.FixtureRequest,
    facts: Facts,
    first_pages: dict[str, float],
    rstudio_run: RstudioRun,
) -> CheckedMachine:
    """The live machine, as the suite's own checks use it."""
    asked = request.config.stash[_REQUEST]
    results = ResultFolder(request.config.getoption("--sandbox-folder"))

    def early(machine: LiveMachine) -> Look:
        return results.wait_for_early(_EARLY_S).look(machine)

    return LiveMachine(
        asked.base_url,
        host.run,
        emulated=is_emulated(facts),
        first_pages=first_pages,
        urls=asked.urls,
        rstudio=rstudio_run,
        early=early if asked.early_inspection else None,
    )


@pytest.fixture(scope="module")
def seen(request: pytest.FixtureRequest, facts: Facts, machine: CheckedMachine) -> Seen:
    """The facts and the inspection; the latter is asked for once a run."""
    stash = request.config.stash
    if _INSPECTION not in stash:
        answer = stash[_REQUEST].early_inspection or machine.sudo(
            inspection.inspection_script(stash[_REQUEST].placement.plan)
        )
        stash[_INSPECTION] = inspection.parse_inspection(answer)
    asked = stash[_REQUEST]
    return Seen(facts, stash[_INSPECTION], asked.own_key, asked.production, asked.hashes)


@pytest.fixture
def verify(request: pytest.FixtureRequest) -> Verify:
    """Look, fail when the statement does not hold, and keep what was found when it does."""

    def look(check: Check[Any], evidence: object) -> None:
        note_actual(request.node, require(check, evidence).actual)

    return look


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test of each check that the plan calls for."""
    marker = metafunc.definition.get_closest_marker("made_from_plan")
    if marker is not None:
        checks = tuple(marker.args[0](metafunc.config.stash[_REQUEST].placement))
        metafunc.parametrize("check", checks, ids=[check.id for check in checks])
