"""The command line: registers the commands and catches every error; only it exits, and entry.py."""

import gc
import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Final, NoReturn

import typer

from sandbox import __version__
from sandbox.cli.console import say, show, show_error, speak_utf8
from sandbox.errors import ExitCode, HostError, SandboxError
from sandbox.interrupts import Interrupted, heard, listen, stop_listening

GROUPS: Final = {
    "lifecycle": ("up", "start", "stop", "destroy"),
    "look": ("list", "status", "ssh", "exec", "open", "logs", "render"),
    "snapshot": ("snapshot", "reset"),
    "cache": ("bake", "cache"),
    "lock": ("lock",),
    "bundle": ("bundle",),
    "workshop": ("workshop",),
    "verify": ("check",),
    "fidelity": ("capture", "diff", "report"),
    "kinds": ("kinds",),
    "probe": ("probe",),
    "init": ("init",),
    "boxes": ("validate", "schema", "boxes"),
    "trust": ("trust",),
    "passwords": ("password",),
    "host": ("doctor", "host"),
}
"""The modules of this folder and their commands, in the order of `--help`."""

_OBJECTS_BEFORE_A_LOOK: Final = 100_000
"""Python's own number is 700: a tenth of the time of all imports."""

_LEAVE_NOTHING: Final = (*GROUPS["look"], "validate", "schema", "boxes", "doctor", "kinds", "probe")
"""Commands that only read: after an interrupt nothing is left to finish or remove."""


def _version(value: bool) -> None:  # noqa: FBT001  (typer calls it so)
    if value:
        show(__version__)
        raise typer.Exit


def _install_completion(value: bool) -> None:  # noqa: FBT001
    if value:
        from sandbox.cli import completion

        completion.install_completion(completion.this_shell())
        raise typer.Exit


def _show_completion(value: bool) -> None:  # noqa: FBT001
    if value:
        from sandbox.cli import completion

        show(completion.completion_script(completion.this_shell()), end="")
        raise typer.Exit


def sandbox(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    install_completion: Annotated[
        bool,
        typer.Option(
            "--install-completion",
            callback=_install_completion,
            is_eager=True,
            help="Let the Tab key complete, in the shell in which you type this.",
        ),
    ] = False,
    show_completion: Annotated[
        bool,
        typer.Option(
            "--show-completion",
            callback=_show_completion,
            is_eager=True,
            help="Print the script that would be installed.",
        ),
    ] = False,
) -> None:
    """Make R sandbox machines from one YAML file, measurably like production."""


def program(words: Sequence[str]) -> typer.Typer:
    """Return the program with the commands that the command line `words` can mean.

    A command only needs its own module: importing all of them takes longer than most commands do.
    """
    app = typer.Typer(
        name="sandbox",
        no_args_is_help=True,
        rich_markup_mode=None,
        # Ours is faster, and quotes words: see sandbox.cli.completion
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
    )
    epilog = "Start here:  sandbox host setup,  then  sandbox up shiny"
    app.callback(epilog=epilog)(sandbox)
    wanted = [group for group, commands in GROUPS.items() if words and words[0] in commands]
    # Help, completion, and the suggestion after a typing error need all of them
    for group in wanted or GROUPS:
        import_module(f"sandbox.cli.{group}").register(app)
    return app


def main() -> NoReturn:
    """Run the command line and exit with one of the codes of errors.py."""
    _collect_seldom()
    speak_utf8()
    if shell := os.environ.pop("_SANDBOX_COMPLETE", ""):
        _complete(shell)
    listen()
    code = _run()
    stop_listening()
    # Python's own clean-up at the exit would go through every object once more
    gc.freeze()
    sys.exit(code)


def _collect_seldom() -> None:
    """Look for cycles seldom: a command lives for seconds, and keeps most of what it makes."""
    gc.set_threshold(_OBJECTS_BEFORE_A_LOOK)


def _complete(shell: str) -> NoReturn:
    """Answer the shell's completion; when that fails, offer nothing."""
    from sandbox.cli.completion import answer

    try:
        answer(shell, sys.argv[1:])
    except Exception:  # noqa: BLE001  (somebody is in the middle of typing a line)
        sys.exit(1)
    sys.exit(0)


def _run() -> int:
    try:
        program(sys.argv[1:])()
    except SandboxError as error:
        show_error(error)
        return int(error.exit_code)
    except (Interrupted, KeyboardInterrupt) as error:
        return _interrupted(error)
    except SystemExit as done:
        return _status(done.code)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); Python would complain again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.OK)
    except Exception as error:  # noqa: BLE001  (the last catcher: nothing may end in a traceback)
        return _interrupted(first) if (first := heard()) else _unexpected(error)
    return int(ExitCode.OK)


def _interrupted(error: BaseException) -> int:
    stop_listening()
    first = heard()
    words = str(error) or "interrupted"
    name = first.at_work_on if first is not None else ""
    command = next(iter(sys.argv[1:]), "")
    if command and command not in _LEAVE_NOTHING:
        words += f"; to go on: {shlex.join(['sandbox', *sys.argv[1:]])}"
    if name and command == "up":
        words += f"; to remove what is there: sandbox destroy {name}"
    # The terminal itself may have gone away
    with suppress(OSError):
        say(words)
    return int(ExitCode.INTERRUPTED)


def _status(code: str | int | None) -> int:
    if code is None:
        return int(ExitCode.OK)
    return code if isinstance(code, int) else int(ExitCode.USAGE)


def _unexpected(error: Exception) -> int:
    """Turn an exception into an error: of the host (full disk, no permission), or a bug of ours."""
    import errno

    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}:
        show_error(
            HostError(f"cannot write: {error}", hint="make room on the disk and run it again")
        )
        return int(ExitCode.HOST)
    if isinstance(error, PermissionError):
        show_error(
            HostError(
                f"no permission: {error}", hint="see who owns it: ls -ld, or run as its owner"
            )
        )
        return int(ExitCode.HOST)
    log = _write_bug_report(error)
    show_error(
        SandboxError(
            f"this is a bug in sandbox: {type(error).__name__}: {error}",
            hint="please report it with the log; `sandbox destroy NAME` still cleans up",
        ),
        log=log,
    )
    return int(ExitCode.BUG)


def _write_bug_report(error: Exception) -> str:
    import platform
    import traceback
    from datetime import UTC, datetime

    from sandbox.files import private_folder, write_whole
    from sandbox.paths import state_dir

    trace = "".join(traceback.format_exception(error))
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    path = state_dir() / "bugs" / f"{stamp}-{os.getpid()}.log"
    head = f"sandbox {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
    try:
        private_folder(path.parent, state_dir())
        write_whole(path, head + trace)
    except OSError:
        # Without a place for a log, the terminal is the log
        say(head + trace)
        return ""
    return str(path)
