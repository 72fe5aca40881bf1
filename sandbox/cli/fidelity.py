"""Commands that look at production: capture, diff, report."""

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.complete import complete_side
from sandbox.cli.console import Progress, answer_to, next_steps, say, show, show_json
from sandbox.cli.settings import NameArgument, RootOption, SshConfigOption, SudoOption, context
from sandbox.errors import ExitCode, UsageError
from sandbox.files import hand_over

if TYPE_CHECKING:
    from sandbox.capture.review import NotTaken
    from sandbox.facts.differences import Diff, Selection
    from sandbox.facts.facts import Facts
    from sandbox.facts.making import Room
    from sandbox.workflows.capture import Captured
    from sandbox.workflows.compare import SshOptions

_MOST_NAMED = 12
"""How many of the values that were not taken the terminal shows; the facts have every name."""

TimeoutOption = Annotated[
    float, typer.Option(min=1, metavar="SECONDS", help="Give up on an ssh host after this time.")
]
_OnlyOption = Annotated[
    list[str] | None,
    typer.Option("--only", help="Only facts like this: r.package, 'system.*', answers."),
]
_IgnoreOption = Annotated[
    list[str] | None, typer.Option("--ignore", help="Leave such facts out; repeatable.")
]
_PageOption = Annotated[Path | None, typer.Option("--html", help="Also write a page to this file.")]


def capture(
    host: Annotated[
        str, typer.Argument(metavar="[USER@]HOST", help="As your own ssh reaches it, with a key.")
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The box file; default: the host's name, here."),
    ] = None,
    sudo: SudoOption = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    timeout: TimeoutOption = 60,
    ssh_config: SshConfigOption = None,
    take: Annotated[
        list[str] | None,
        typer.Option("--take", metavar="NAME", help="Take this value, whatever it is; repeatable."),
    ] = None,
    take_file: Annotated[
        list[str] | None,
        typer.Option("--take-file", metavar="PATH", help="Take all of this file over there."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON on stdout.")] = False,
) -> None:
    """Read a production R server over ssh and write a box that is as close to it as can be.

    Reads only: nothing is installed or written there, and no root is needed. A value leaves the
    host only when it is known to be harmless; on a terminal you see the names of the others, and
    may take some of them, before anything is written. Writes NAME.yml and NAME.facts.json, both or
    neither.

    sandbox capture admin@r.example.org

    sandbox capture admin@r.example.org --take SALES_REGION --take-file /etc/R/Rprofile.site

    sandbox up r.yml
    """
    from sandbox.workflows.capture import capture as run_capture

    with Progress() as progress:
        done = run_capture(
            host,
            output,
            _room(),
            progress,
            use_sudo=sudo,
            overwrite=force,
            timeout_s=timeout,
            ssh_config=ssh_config,
            take_names=take or (),
            take_files=take_file or (),
            review=_review if not as_json and _is_terminal() else None,
        )
    if as_json:
        show_json(_captured(done))
        return
    _show_unseen(done.facts, host, sudo=sudo)
    _show_not_taken(done.not_taken, host)
    for note in done.box.notes:
        say(f"  the box cannot say: {note}")
    show(str(done.box_path))
    say(f"its facts: {done.facts_path}")
    for path in done.beside:
        say(f"its R packages: {path}")
    next_steps(f"sandbox up {shlex.quote(str(done.box_path))}")


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _review(left: "Sequence[NotTaken]") -> list[str]:
    """Show on the terminal the values that were not taken, and ask which to take all the same."""
    say(f"{len(left)} values were not taken:")
    for one in left:
        say(f"  - {one.name}  ({one.place}; {one.length} characters): {one.why}")
    known = {one.name for one in left} | {one.place for one in left if one.place.startswith("/")}
    while True:
        words = answer_to("Which to take? Names, or the path of a whole file; Enter for none")
        names = (words or "").replace(",", " ").split()
        wrong = [name for name in names if name not in known]
        if not wrong:
            return names
        say(f"not among them: {', '.join(wrong)}")


def _show_not_taken(left: "Sequence[NotTaken]", host: str) -> None:
    if not left:
        return
    names = list(dict.fromkeys(one.name for one in left))
    shown = ", ".join(names[:_MOST_NAMED])
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    say(f"not taken: {shown}{more}")
    say(f"  a value that you need: sandbox capture --force --take NAME {host}")


def _captured(done: "Captured") -> dict[str, object]:
    return {
        "box": str(done.box_path),
        "facts": str(done.facts_path),
        "locks": [str(path) for path in done.beside],
        "base": done.box.base.name,
        "notes": list(done.box.notes),
        "not_seen": [one.model_dump() for one in done.facts.not_seen],
        "not_taken": [asdict(one) for one in done.not_taken],
    }


def _show_unseen(facts: "Facts", host: str, *, sudo: bool) -> None:
    if not facts.not_seen:
        return
    say("not seen:")
    for one in facts.not_seen:
        why = one.why.splitlines()[0] if one.why else ""
        say(f"  - {one.what}: {why}")
    if not facts.probe.privileged and not sudo:
        say(f"  with root more is seen: sandbox capture --sudo {host}, or root@HOST")


def _room() -> "Room":
    """The most this computer can give a sandbox: all processors, half of the memory."""
    from sandbox.facts.making import Room

    cpus = os.cpu_count() or 2
    try:
        memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1024 * 1024)
    except (ValueError, OSError):
        memory_mb = 4096
    return Room(cpus=cpus, memory_mb=max(1024, memory_mb // 2))


def diff(
    a: Annotated[
        str,
        typer.Argument(
            help="A sandbox, a NAME.facts.json, a box, or [USER@]HOST over ssh.",
            autocompletion=complete_side,
        ),
    ],
    b: Annotated[
        str,
        typer.Argument(
            help="What to compare it with; the same kinds of things.", autocompletion=complete_side
        ),
    ],
    *,
    only: _OnlyOption = None,
    ignore: _IgnoreOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Every fact, as JSON.")] = False,
    html: _PageOption = None,
    sudo: SudoOption = False,
    timeout: TimeoutOption = 60,
    ssh_config: SshConfigOption = None,
    root: RootOption = None,
) -> None:
    """Compare two machines fact by fact; the most dangerous differences first.

    Exit status 1 when something differs. What could not be read or compared is counted, not hidden.

    sandbox diff prod.facts.json prod

    sandbox diff admin@r.example.org shiny --only answers --ignore r.package.testthat
    """
    from sandbox.facts.differences import Selection
    from sandbox.workflows.compare import SshOptions

    selection = Selection(only=tuple(only or ()), ignore=tuple(ignore or ()))
    ssh = SshOptions(use_sudo=sudo, timeout_s=timeout, config=ssh_config)
    found = _compared(a, b, selection, ssh, root)
    if html is not None:
        _write_diff_page(html, found)
    _show_diff(found, as_json=as_json)
    if found.differences:
        raise typer.Exit(ExitCode.FAILED_CHECKS)


def _compared(
    a: str, b: str, selection: "Selection", ssh: "SshOptions", root: Path | None
) -> "Diff":
    from sandbox.workflows.compare import diff as run_diff

    with Progress() as progress:
        found = run_diff(a, b, selection, context(progress), cwd=Path.cwd(), ssh=ssh, root=root)
    if not found.facts:
        raise UsageError(
            "no fact is left to compare", hint="`sandbox diff A B` without --only shows their names"
        )
    return found


def _show_diff(found: "Diff", *, as_json: bool) -> None:
    from sandbox.cli.diff_table import render_diff

    if not as_json:
        show(render_diff(found))
        return
    from sandbox.facts.differences import DiffOutcome

    counts = {str(outcome): found.count(outcome) for outcome in DiffOutcome}
    content = found.model_dump(mode="json")
    show_json({**content, "counts": counts, "compared": found.compared})


def _write_diff_page(path: Path, found: "Diff") -> None:
    from sandbox.report.page import diff_page

    write_page(path, diff_page(found, made_at=_now()))


def _now() -> str:
    from datetime import UTC, datetime

    return f"{datetime.now(UTC):%Y-%m-%d %H:%M UTC}"


def report(
    name: NameArgument,
    *,
    html: Annotated[Path, typer.Option("--html", help="The file to write.")],
) -> None:
    """Write a page about a sandbox to hand on: what it is, its checks, and how close to production.

    One file that needs nothing else, for a screen, a phone or paper. It tells what was measured
    last: `sandbox check NAME` measures again.

    sandbox report prod --html prod.html
    """
    from sandbox.workflows.report import page_of

    write_page(html, page_of(name, made_at=_now()))


def write_page(path: Path, text: str) -> None:
    """Write an HTML file.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        hand_over(path, text)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    say(f"wrote {path}")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("capture")(capture)
    app.command("diff")(diff)
    app.command("report")(report)
