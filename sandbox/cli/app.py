"""The command line's entry: registers the groups, catches every error, and is the only place that exits."""

import os
import sys
from typing import Annotated, NoReturn

import typer

from sandbox import __version__
from sandbox.cli import boxes, host, lifecycle, look, verify
from sandbox.errors import ExitCode, SandboxError

app = typer.Typer(
    name="sandbox",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help="R sandbox machines from a YAML file, measurably like production.",
    epilog="""Start here:  sandbox host setup    then   sandbox up boxes/shiny.yml""",
)

for group in (lifecycle, look, verify, boxes, host):
    group.register(app)
