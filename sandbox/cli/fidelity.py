"""Commands that look at production: capture, diff, report."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.console import Progress, say
from sandbox.cli.settings import NameArgument, SshConfigOption, SudoOption, context
from sandbox.errors import ExitCode, UsageError
from sandbox.files import hand_over

if TYPE_CHECKING:
    from sandbox.capture.choices import Room
    from sandbox.fidelity.diff import Diff, Selection
    from sandbox.probe.facts import Facts
    from sandbox.workflows.capture import Captured
    from sandbox.workflows.compare import SshOptions

TimeoutOption = Annotated[
    float, typer.Option(min=1, metavar="SECONDS", help="Give up on an ssh host after so long.")
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
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON on stdout.")] = False,
) -> None:
    """Read a production R server over ssh and write a box that is as close to it as can be.

    Reads only: nothing is installed or written there, no root is needed, passwords and tokens are
    taken out before anything leaves the host. Writes NAME.yml and NAME.facts.json, both or neither.

    sandbox capture admin@r.example.org

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
        )
    if as_json:
        typer.echo(json.dumps(_captured(done), indent=2))
        return
    _show_unseen(done.facts, host, sudo=sudo)
    for note in done.box.notes:
        say(f"  the box cannot say: {note}")
    typer.echo(str(done.box_path))
    say(f"its facts: {done.facts_path}")
    say(f"next: sandbox up {done.box_path}")


def _captured(done: "Captured") -> dict[str, object]:
    return {
        "box": str(done.box_path),
        "facts": str(done.facts_path),
        "base": done.box.base.name,
        "notes": list(done.box.notes),
        "not_seen": [one.model_dump() for one in done.facts.not_seen],
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
    """What this computer can give a sandbox: all processors, half of the memory."""
    from sandbox.capture.choices import Room

    cpus = os.cpu_count() or 2
    try:
        memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1024 * 1024)
    except (ValueError, OSError):
        memory_mb = 4096
    return Room(cpus=cpus, memory_mb=max(1024, memory_mb // 2))


def diff(
    a: Annotated[
        str, typer.Argument(help="A sandbox, a NAME.facts.json, a box, or [USER@]HOST over ssh.")
    ],
    b: Annotated[str, typer.Argument(help="What to compare it with; the same kinds of things.")],
    *,
    only: _OnlyOption = None,
    ignore: _IgnoreOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Every fact, as JSON.")] = False,
    html: _PageOption = None,
    sudo: SudoOption = False,
    timeout: TimeoutOption = 60,
    ssh_config: SshConfigOption = None,
) -> None:
    """Compare two machines fact by fact; the most dangerous differences first.

    Exit status 1 when something differs. What could not be read or compared is counted, not hidden.

    sandbox diff prod.facts.json prod

    sandbox diff admin@r.example.org shiny --only answers --ignore r.package.testthat
    """
    from sandbox.fidelity.diff import Selection
    from sandbox.workflows.compare import SshOptions

    selection = Selection(only=tuple(only or ()), ignore=tuple(ignore or ()))
    ssh = SshOptions(use_sudo=sudo, timeout_s=timeout, config=ssh_config)
    found = _compared(a, b, selection, ssh)
    if html is not None:
        _write_diff_page(html, found)
    _show_diff(found, as_json=as_json)
    if found.differences:
        raise typer.Exit(ExitCode.FAILED_CHECKS)


def _compared(a: str, b: str, selection: "Selection", ssh: "SshOptions") -> "Diff":
    from sandbox.workflows.compare import diff as run_diff

    with Progress() as progress:
        found = run_diff(a, b, selection, context(progress), cwd=Path.cwd(), ssh=ssh)
    if not found.facts:
        raise UsageError(
            "no fact is left to compare", hint="`sandbox diff A B` without --only shows their names"
        )
    return found


def _show_diff(found: "Diff", *, as_json: bool) -> None:
    from sandbox.cli.diff_table import render_diff

    if not as_json:
        typer.echo(render_diff(found))
        return
    from sandbox.fidelity.diff import Outcome

    counts = {str(outcome): found.count(outcome) for outcome in Outcome}
    content = found.model_dump(mode="json")
    typer.echo(json.dumps({**content, "counts": counts, "compared": found.compared}, indent=2))


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
    last: `sandbox check NAME` measures anew.

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
