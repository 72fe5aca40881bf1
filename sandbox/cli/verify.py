"""The command that verifies: check."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.complete import complete_facts, complete_goal
from sandbox.cli.console import Progress, say, show, show_json_text
from sandbox.cli.settings import NameArgument, SshConfigOption, SudoOption, TrustOption, context
from sandbox.errors import ExitCode, UsageError
from sandbox.files import hand_over

if TYPE_CHECKING:
    from sandbox.checks.results import CheckReport, Goal
    from sandbox.workflows.check import Against


_GoalOption = Annotated[
    list[str] | None,
    typer.Option(
        "--goal",
        help="Only this goal: up, safe, correct, snappy. Can be repeated.",
        autocompletion=complete_goal,
    ),
]
_QuickOption = Annotated[
    bool,
    typer.Option(
        "--quick", help="Leave out what ends processes: restart after a kill, first page."
    ),
]
_AgainstOption = Annotated[
    str | None,
    typer.Option(
        "--against",
        metavar="[USER@]HOST",
        autocompletion=complete_facts,
        help="Compare with production as it is now, over ssh, or with a file of facts.",
    ),
]
_JunitOption = Annotated[
    Path | None, typer.Option("--junit", help="Also write JUnit XML to this file.")
]


def check(
    name: NameArgument,
    *,
    goal: _GoalOption = None,
    quick: _QuickOption = False,
    against: _AgainstOption = None,
    trust: TrustOption = False,
    sudo: SudoOption = False,
    ssh_config: SshConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    junit: _JunitOption = None,
) -> None:
    """Verify that a running sandbox is what its box says: up, safe, correct, snappy.

    It also ends the Shiny Server and the apps' R processes for a moment, to see them come back:
    with people at work on the machine, say --quick. Exit status 1 when a check fails.

    sandbox check shiny

    sandbox check shiny --goal up --goal safe --junit checks.xml

    sandbox check prod --against admin@r.example.org
    """
    from sandbox.cli.check_table import render_report
    from sandbox.workflows.check import check as run_check

    goals = _goals(goal or [])
    if junit is not None and not junit.absolute().parent.is_dir():
        raise UsageError(f"the folder of {junit} is not there")
    with Progress() as progress:
        report = run_check(
            name,
            context=context(progress, trust=trust),
            goals=goals,
            quick=quick,
            against=_against(against, sudo=sudo, ssh_config=ssh_config),
        )
    if junit is not None:
        _write_junit(junit, report)
    if as_json:
        show_json_text(report.to_json())
    else:
        show(render_report(report))
    if not report.ok:
        raise typer.Exit(ExitCode.FAILED_CHECKS)


def _against(word: str | None, *, sudo: bool, ssh_config: Path | None) -> "Against | None":
    """How to read production; None when nobody asks for it."""
    if word is None:
        return None
    from sandbox.facts.files import load_facts
    from sandbox.workflows.check import Against
    from sandbox.workflows.compare import SshOptions

    if word.endswith(".json"):
        return Against(word, lambda _: load_facts(Path(word)))
    ssh = SshOptions(use_sudo=sudo, config=ssh_config)
    return Against(word, lambda key: ssh.read(word, key))


def _goals(words: list[str]) -> "tuple[Goal, ...]":
    from sandbox.checks.results import Goal

    known = [goal.value for goal in Goal]
    for word in words:
        if word not in known:
            raise UsageError(f"there is no goal `{word}`", hint=f"one of: {', '.join(known)}")
    # Each once, in the order of the goals
    return tuple(goal for goal in Goal if goal.value in words)


def _write_junit(path: Path, report: "CheckReport") -> None:
    from sandbox.report.junit import junit_xml

    try:
        hand_over(path, junit_xml(report))
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    say(f"wrote {path}")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("check")(check)
