"""Commands that look and enter: list, status, ssh, exec, open, logs, render."""

import json
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from sandbox.cli.complete import complete_app, complete_box, complete_name
from sandbox.cli.console import Progress, say, show, show_json_text
from sandbox.cli.rows import columns
from sandbox.cli.settings import (
    NameArgument,
    ProviderOption,
    RootOption,
    context,
)
from sandbox.files import hand_over
from sandbox.workflows.box_changes import box_has_changed

JsonOption = Annotated[bool, typer.Option("--json", help="As JSON.")]


def list_(*, as_json: JsonOption = False) -> None:
    """List all sandboxes.

    sandbox list

    sandbox list --json
    """
    from sandbox.workflows.listing import all_sandboxes

    with Progress(quiet=True) as progress:
        infos = all_sandboxes(context(progress))
    if as_json:
        show_json_text(_json([asdict(info) for info in infos]))
        return
    if not infos:
        say("there is no sandbox yet: sandbox up shiny makes one")
        return
    rows = [
        (
            info.name,
            info.state,
            info.box,
            info.base,
            info.provider,
            info.checks.rpartition(" in ")[0] or "never",
            info.urls[0] if info.urls else "",
        )
        for info in infos
    ]
    heads = ("NAME", "STATE", "BOX", "BASE", "PROVIDER", "CHECKS", "URL")
    show(columns(rows, heads=heads))
    for info in infos:
        if info.changed:
            say(f"{info.name}: {box_has_changed(info.name, info.changed)}")


def _json(listed: object) -> str:
    """JSON, with points in time in ISO 8601."""

    def iso(value: object) -> str:
        if isinstance(value, datetime):
            return value.isoformat().replace("+00:00", "Z")
        raise TypeError(f"no JSON for a {type(value).__name__}")

    return json.dumps(listed, indent=2, default=iso)


def status(name: NameArgument, *, as_json: JsonOption = False) -> None:
    """Show one sandbox: state, size, URLs, last checks, history.

    sandbox status shiny
    """
    from sandbox.workflows.listing import details_of

    with Progress(quiet=True) as progress:
        info = details_of(name, context(progress))
    if as_json:
        show_json_text(_json(asdict(info)))
        return
    size = f"{info.cpus} cpus, {info.memory_mb} MB memory, {info.disk_gb} GB disk"
    rows = [
        ("state", info.state),
        ("box", info.box_path),
        *([("", box_has_changed(name, info.changed))] if info.changed else []),
        ("base", f"{info.base} on {info.provider}"),
        ("size", size),
        ("address", info.address or "-"),
        *(("url", url) for url in info.urls),
        ("checks", info.checks or "none ran yet"),
        ("plan", info.plan_key),
        ("folder", info.folder),
    ]
    rows += [
        (
            "history" if entry is info.history[0] else "",
            f"{entry.at.astimezone():%Y-%m-%d %H:%M:%S}  {entry.what}  {entry.note}",
        )
        for entry in info.history
    ]
    show(columns(rows, first_width=8))


def ssh(
    name: NameArgument,
    command: Annotated[
        list[str] | None, typer.Argument(help="A command to run there, after `--`.")
    ] = None,
) -> None:
    """Open a shell in a sandbox (or run a command on a terminal there).

    sandbox ssh shiny

    sandbox ssh shiny -- top
    """
    with Progress(quiet=True) as progress:
        target = context(progress).guest_named(name).require_login()
    # Not cleaned: a shell's programs must be able to draw on the terminal
    raise typer.Exit(target.interactive(tuple(command or ()), terminal=True))


def exec_(
    name: NameArgument,
    command: Annotated[
        list[str], typer.Argument(help="The command and its arguments, after `--`.")
    ],
) -> None:
    """Run a command in a sandbox; its output and exit status are passed on.

    sandbox exec shiny -- Rscript -e 'sessionInfo()'
    """
    with Progress(quiet=True) as progress:
        target = context(progress).guest_named(name).require_login()
    # Not cleaned: a pipe or a file gets the command's output byte for byte
    raise typer.Exit(target.interactive(tuple(command), terminal=False))


def open_(
    name: NameArgument,
    *,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Start a browser.")
    ] = True,
) -> None:
    """Show the URLs of a sandbox's apps, and open the first in a browser.

    For a machine that this host has no route to (a remote Incus), the way through ssh stays open
    until Ctrl-C.

    sandbox open shiny
    """
    from sandbox.workflows.open_pages import opened

    with Progress(quiet=True) as progress, opened(name, context=context(progress)) as view:
        for page in view.pages:
            show(page.url)
        if browser and sys.stdout.isatty() and view.pages:
            typer.launch(view.pages[0].url)
        if view.tunnelled:
            say("the way through ssh is open until Ctrl-C")
            view.wait()


def logs(
    name: Annotated[
        str | None,
        typer.Argument(help="A sandbox. Default: the only one.", autocompletion=complete_name),
    ] = None,
    app: Annotated[
        str | None,
        typer.Argument(
            help="One of its apps: the log of its last start.", autocompletion=complete_app
        ),
    ] = None,
    *,
    own: Annotated[
        bool, typer.Option("--own", help="What sandbox itself logged (provisioning, checks).")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new lines of the apps, until Ctrl-C.")
    ] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many lines each.")] = 50,
) -> None:
    """Show the log of an app's last start; without an app also Shiny Server and the system.

    sandbox logs shiny faithful

    sandbox logs shiny faithful -f

    sandbox logs shiny --own
    """
    from sandbox.errors import UsageError
    from sandbox.workflows import logs as its

    if own and (follow or app is not None):
        raise UsageError("--own shows our own logs, and none of an app: leave out the rest")
    chosen = its.the_only(name)
    if own:
        for path, text in its.own_logs(chosen, lines=lines):
            show(f"==> {path} <==\n{text}")
        return
    with Progress(quiet=True) as progress:
        where = context(progress)
        if not follow:
            show(its.machine_logs(chosen, context=where, lines=lines, app=app))
            return
        for text in its.follow(chosen, context=where, lines=lines, app=app):
            show(text)


def render(
    box: Annotated[
        str | None, typer.Argument(help="A box file or a box's name.", autocompletion=complete_box)
    ] = None,
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the files into this folder.")
    ] = None,
    provider: ProviderOption = None,
    root: RootOption = None,
) -> None:
    """Show what a box would write: plan, Vagrantfile, bootstrap script, Ansible's variables.

    Ports, ids and keys in a Vagrantfile are examples: `up` chooses them.

    sandbox render shiny

    sandbox render shiny --provider virtualbox

    sandbox render shiny -o /tmp/shiny
    """
    from sandbox.workflows.choose_placement import Overrides, placement_for
    from sandbox.workflows.preview import preview

    with Progress(quiet=True) as progress:
        where = context(progress, provider=provider)
        files = preview(placement_for(box, Overrides(root=root), where, cwd=Path.cwd()), where)
    for file in files:
        if output is None:
            show(f"==> {file.path} <==\n{file.content}")
            continue
        path = output / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        hand_over(path, file.content)
        say(f"wrote {path}")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for name, command in (
        ("list", list_),
        ("status", status),
        ("ssh", ssh),
        ("exec", exec_),
        ("open", open_),
        ("logs", logs),
        ("render", render),
    ):
        app.command(name)(command)
