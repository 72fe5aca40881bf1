"""The command that writes a first box: init."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from sandbox.cli.console import next_steps, say, show, show_json


def init(
    app_dir: Annotated[
        Path, typer.Argument(metavar="[APPDIR]", help="A folder with an app, or several of them.")
    ] = Path(),
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The box file; default: the folder's name, here."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON on stdout.")] = False,
) -> None:
    """Write a box for your own apps: finds them, and the R packages that their code asks for.

    The apps' code is not run. Packages in an renv.lock are put into comments.

    sandbox init apps/sales

    sandbox init -o sales.yml
    """
    from sandbox.spec.problem import short
    from sandbox.workflows.new_box import write_new_box

    done = write_new_box(app_dir, output, cwd=Path.cwd(), force=force)
    if as_json:
        show_json(
            {
                "box": str(done.path),
                "apps": [app.name for app in done.apps],
                "packages": list(done.packages),
                "not_there": list(done.not_there),
            }
        )
        return
    apps = ", ".join(app.name for app in done.apps)
    say(f"apps: {apps}")
    say(f"R packages: {', '.join(done.packages)}")
    if done.not_there:
        say(f"the base does not have: {', '.join(done.not_there)}")
    if done.lock_file is not None:
        say("renv.lock: its versions cannot be pinned yet; the box lists them in comments")
    show(short(done.path))
    box = shlex.quote(short(done.path))
    next_steps(f"sandbox validate {box}", f"sandbox up {box}")


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command("init")(init)
