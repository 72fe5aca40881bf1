"""A change to the host as data: its title, and the commands that make it."""

import shlex
from dataclasses import dataclass

from sandbox.host.journal import ChangeKind


@dataclass(frozen=True)
class HostCommand:
    """One command of an action."""

    argv: tuple[str, ...]
    needs_root: bool = True
    """False for `incus`, which the members of its group may run."""
    timeout_s: float = 120.0

    def __str__(self) -> str:
        return shlex.join(self.argv)


@dataclass(frozen=True)
class Action:
    """One change, shown to the user first and then made."""

    kind: ChangeKind
    title: str
    commands: tuple[HostCommand, ...] = ()
    names: tuple[str, ...] = ()
    """The names that the journal keeps, so that teardown can find the things."""

    content: str = ""
    """The file's content, when the action writes a file: the first of `names`."""

    def lines(self, *, is_root: bool) -> list[str]:
        """Return the lines that the user sees: the title, then the commands or the content."""
        commands = [
            f"    {'' if is_root or not command.needs_root else 'sudo '}{command}"
            for command in self.commands
        ]
        return [self.title, *commands, *(f"    {line}" for line in self.content.splitlines())]


@dataclass(frozen=True)
class Removal:
    """One thing to take back, and the text for the user."""

    kind: ChangeKind
    title: str
    names: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """The text shown to the user: the title, and for packages their names."""
        if self.kind is not ChangeKind.PACKAGES:
            return [self.title]
        return [self.title, f"    {' '.join(self.names)}"]
