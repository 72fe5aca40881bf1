"""Break the machine by hand in many ways: the checks that should notice do, and no others.

Then what they advise is done, word for word: all that `sandbox up` is said to mend in one go, all
that `sandbox reset` is said to, and all single commands. The machine must be whole again each time.
"""

import shlex
from collections.abc import Iterable

import pytest

from tests.e2e.breakages import BREAKAGES, Breakage
from tests.e2e.conftest import Shiny

UP = "sandbox up shiny"
RESET = f"sandbox reset shiny && {UP}"
SNAPSHOT = "before-fixes"
_ADVISED: dict[str, set[str]] = {}
"""What the checks of each breakage said that mends it."""


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: breakage.name)
def test_it_is_noticed_by_the_checks_that_should(shiny: Shiny, breakage: Breakage) -> None:
    goals = [word for goal in breakage.goals for word in ("--goal", goal)]
    quick = ["--quick"] if breakage.quick else []
    shiny.as_root(breakage.breaks)
    try:
        report = shiny.check(*goals, *quick, expect=1)
    finally:
        shiny.as_root(breakage.mends)
    bad = {
        result["id"]: result
        for result in report["results"]
        if result["outcome"] in {"failed", "error"}
    }
    assert set(breakage.caught_by) <= set(bad), sorted(bad)
    others = [
        found
        for found in bad
        if found not in breakage.caught_by and not found.startswith(breakage.may_also or ("-",))
    ]
    assert not others, others
    for found in breakage.caught_by:
        told = bad[found]
        assert told["expected"], told
        assert told["actual"], told
        assert told["why"], told
        assert told["fix"].startswith("sandbox "), told
        _ADVISED.setdefault(breakage.name, set()).add(told["fix"].split(" (")[0])


def test_what_up_is_said_to_mend_it_mends_in_one_go_and_says_so(shiny: Shiny) -> None:
    # Whatever is left of the breakages goes away with it at the end of this file
    shiny.host.sandbox("snapshot", "save", "shiny", SNAPSHOT)
    broken = advised(lambda fix: fix == UP)
    assert len(broken) >= 10
    break_all(shiny, broken)
    # Also what only a part of the checks has found
    shiny.check("--goal", "correct", "--quick", expect=1)
    # As it is typed; exit 0 says that all checks passed
    done = do(shiny, UP)
    assert "put back: " in done
    for task in ("Set the timezone", "Put back files of packages", "Run Shiny Server"):
        assert task in done


def test_what_a_reset_is_said_to_mend_it_mends_in_one_go(shiny: Shiny) -> None:
    broken = advised(lambda fix: fix == RESET)
    assert len(broken) >= 10
    break_all(shiny, broken)
    # Its `up` ends with the checks
    do(shiny, RESET)


def test_single_commands_mend_what_they_are_printed_for(shiny: Shiny) -> None:
    broken = advised(lambda fix: fix not in {UP, RESET} and not fix.startswith("sandbox logs "))
    assert len(broken) >= 5
    break_all(shiny, broken)
    for command in sorted({fix for one in broken for fix in _ADVISED[one.name]} - {UP, RESET}):
        do(shiny, command)
    shiny.check(expect=0)


def test_the_machine_is_whole_again(shiny: Shiny) -> None:
    """Runs last in this file: what was mended by hand is what the box says."""
    shiny.host.sandbox("snapshot", "restore", "shiny", SNAPSHOT)
    shiny.host.sandbox("snapshot", "delete", "shiny", SNAPSHOT)
    shiny.check(expect=0)


def advised(wanted: "object") -> list[Breakage]:
    """The breakages for which one of those commands was printed."""
    assert callable(wanted)
    return [one for one in BREAKAGES if any(map(wanted, _ADVISED.get(one.name, ())))]


def break_all(shiny: Shiny, breakages: Iterable[Breakage]) -> None:
    """All at once: first those that start Shiny Server again, which needs a machine that is whole.

    Services come last: some of the others start them.
    """
    in_order = [*breakages][::-1]
    in_order.sort(key=lambda one: not one.restarts)
    shiny.as_root("\n".join(f"( {one.breaks} ) || exit 1" for one in in_order))


def do(shiny: Shiny, command: str) -> str:
    """What a user would copy into a terminal; returns all it says."""
    said = ""
    for one in command.split(" && "):
        program, *words = shlex.split(one)
        assert program == "sandbox"
        done = shiny.host.sandbox(*words)
        said += done.stdout + done.stderr
    return said
