"""A change to the host as data: what it is called, and the commands that make it."""

import shlex
from dataclasses import dataclass

from sandbox.host.journal import Kind


@dataclass(frozen=True)
class Command:
    """One command of an action."""

    argv: tuple[str, ...]
    needs_root: bool = True
    """False for `incus`, which the members of its group may run."""
    timeout_s: float = 120.0

    def __str__(self) -> str:
        return shlex.join(self.argv)


@dataclass(frozen=True)
class Action:
    """One change, as it is shown to the user and then made."""

    kind: Kind
    title: str
    commands: tuple[Command, ...] = ()
    names: tuple[str, ...] = ()
    """What the journal keeps, so that teardown can find it."""

    content: str = ""
    """What is written, when the action writes a file: the first of `names`."""

    def lines(self, *, is_root: bool) -> list[str]:
        """How it is shown: the title, and below it the exact commands or what is written."""
        commands = [
            f"    {'' if is_root or not command.needs_root else 'sudo '}{command}"
            for command in self.commands
        ]
        return [self.title, *commands, *(f"    {line}" for line in self.content.splitlines())]


def incus(*words: str, project: str = "default", timeout_s: float = 120.0) -> Command:
    """An `incus` command."""
    argv = ("incus", "--project", project, *words)
    return Command(argv, needs_root=False, timeout_s=timeout_s)
