"""The shell's completion: answers at a press of a key, and installs itself.

The scripts in `shells/` call `sandbox` with `_SANDBOX_COMPLETE` set to the name of the shell, and
with the typed words as arguments. The answer is one word a line; for zsh and fish with its meaning.
On any error the answer is empty: an error in the middle of a typed line helps nobody.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.cli.console import say, show
from sandbox.errors import UsageError

VARIABLE: Final = "_SANDBOX_COMPLETE"
SHELLS: Final = ("bash", "zsh", "fish")

_SCRIPTS: Final = Path(__file__).parent / "shells"
_NEEDS_QUOTING: Final = frozenset(" \t!\"#$&'()*;<>?[\\]^`{|}~")
_IN_DOUBLE_QUOTES: Final = frozenset('"\\$`')


@dataclass(frozen=True)
class Typed:
    """A line up to the cursor, as a shell of the Bourne family reads it."""

    words: tuple[str, ...]
    """All words but the last, without quotes."""
    last: str
    """The word to complete; empty after a space."""
    quote: str = ""
    """The open quote around it: `'`, `"` or none."""


@dataclass(frozen=True)
class Candidate:
    """One word that can stand there."""

    value: str
    help: str = ""


def answer(shell: str, words: list[str]) -> None:
    """Print the words that can stand at the cursor.

    Args:
        shell: the shell that asks.
        words: from bash, the word at the cursor as bash cuts it, and the line up to there; from
            others, the words after `sandbox`, the last one incomplete.
    """
    if shell == "bash":
        cut, line = words
        typed = read_line(line)
        for one in completions([*typed.words[1:]], typed.last):
            show(_for_bash(one.value, typed, cut))
        return
    before, last = words[:-1], words[-1] if words else ""
    stem = f"{last.partition('=')[0]}=" if shell == "fish" and _is_joined(last) else ""
    for one in completions(before, last):
        show(f"{stem}{one.value}" + (f"\t{one.help}" if one.help else ""))


def completions(before: list[str], last: str) -> list[Candidate]:
    """List the words that can stand in place of `last`; only those that fit in one line."""
    from sandbox.cli.app import GROUPS

    names = [name for commands in GROUPS.values() for name in commands]
    if not before and not last.startswith("-"):
        # The names of commands need no command's module
        return [Candidate(name) for name in sorted(names) if name.startswith(last)]
    if before and before[0] not in names:
        return []
    found = _of_command(before, last)
    return [one for one in found if one.value.isprintable()]


def _of_command(before: list[str], last: str) -> list[Candidate]:
    import typer.main
    from typer._click.shell_completion import ShellComplete

    from sandbox.cli.app import program

    class Words(ShellComplete):
        """Candidates from typer's own completion, without its scripts."""

        name = "words"
        source_template = ""

        def source_vars(self) -> dict[str, object]:
            return {}

        def get_completion_args(self) -> tuple[list[str], str]:
            return [], ""

        def format_completion(self, item: object) -> str:
            return str(item)

    command = typer.main.get_command(program(before))
    items = Words(command, {}, "sandbox", VARIABLE).get_completions([*before], last)
    return [Candidate(item.value, _line(item.help or "")) for item in items if item.type == "plain"]


def _is_joined(word: str) -> bool:
    return word.startswith("--") and "=" in word


def _line(text: str) -> str:
    return " ".join(text.split())


def read_line(line: str) -> Typed:
    """Split a line as bash does; a quote may still be open at its end."""
    words, word, quote = list[str](), "", ""
    started = escaped = False
    for char in line:
        if escaped:
            # Between double quotes a backslash stands for itself before most characters
            word += char if not quote or char in _IN_DOUBLE_QUOTES else f"\\{char}"
            escaped = False
        elif char == "\\" and quote != "'":
            started = escaped = True
        elif quote:
            word, quote = (word, "") if char == quote else (word + char, quote)
        elif char in "'\"":
            started, quote = True, char
        elif char.isspace():
            words, word, started = ([*words, word] if started else words), "", False
        else:
            started, word = True, word + char
    return Typed(tuple(words), word, quote)


def _for_bash(value: str, typed: Typed, cut: str) -> str:
    """The quoted part of a value that bash puts in place of the word at the cursor."""
    stem, known = "", typed.last
    if _is_joined(known):
        known = known.partition("=")[2]
    elif cut.strip("'\"") and known.endswith(cut):
        # For bash a new word begins after `:` and some others
        stem = known.removesuffix(cut)
    rest = value.removeprefix(stem) if value.startswith(stem) else value
    if typed.quote == "'":
        return rest.replace("'", "'\\''")
    special = _IN_DOUBLE_QUOTES if typed.quote else _NEEDS_QUOTING
    quoted = "".join(f"\\{char}" if char in special else char for char in rest)
    # `~` for the home folder must not be quoted
    return quoted.replace("\\~/", "~/", 1) if quoted.startswith("\\~/") else quoted


def completion_script(shell: str) -> str:
    """Return the script that makes a shell complete `sandbox`."""
    return (_SCRIPTS / f"sandbox.{shell}").read_text(encoding="utf-8")


def this_shell() -> str:
    """Return the shell in which the user types.

    Raises:
        UsageError: we have no completion for it.
    """
    import shellingham

    try:
        name = str(shellingham.detect_shell()[0])
    except (shellingham.ShellDetectionFailure, OSError):
        name = Path(os.environ.get("SHELL", "")).name
    if name not in SHELLS:
        raise UsageError(
            f"there is no completion for the shell `{name}`",
            details=f"only for {', '.join(SHELLS)}",
            hint="start one of them, and type it there",
        )
    return name


def install_completion(shell: str) -> None:
    """Put the script where the shell looks for it, and report what was changed."""
    from sandbox.files import hand_over

    home = Path.home()
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    path, start, line = {
        "bash": (
            data / "bash-completion" / "completions" / "sandbox",
            home / ".bashrc",
            '[ ! -r "{}" ] || . "{}"',
        ),
        "zsh": (
            data / "sandbox" / "completion.zsh",
            Path(os.environ.get("ZDOTDIR") or home) / ".zshrc",
            '(( $+functions[compdef] )) || {{ autoload -Uz compinit && compinit }}; . "{1}"',
        ),
        "fish": (config / "fish" / "completions" / "sandbox.fish", None, ""),
    }[shell]
    path.parent.mkdir(parents=True, exist_ok=True)
    hand_over(path, completion_script(shell))
    say(f"wrote {path}")
    if start is not None:
        _add_line(start, line.format(path, path))
    say(f"from the next {shell} on, the Tab key completes words after `sandbox`")


def _add_line(start: Path, line: str) -> None:
    there = start.read_text(encoding="utf-8", errors="replace") if start.exists() else ""
    if line in there.splitlines():
        return
    gap = "" if not there or there.endswith("\n") else "\n"
    with start.open("a", encoding="utf-8") as file:
        file.write(f"{gap}# Completion of sandbox\n{line}\n")
    say(f"added to {start}: {line}")
