"""The sources of a box's secrets: the environment, a file, or a person who is asked.

A person is asked only when a machine is about to be provisioned. No message shows a value, or a
line of the file.
"""

import os
import re
import shlex
import stat
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sandbox.errors import UsageError

if TYPE_CHECKING:
    # Most commands need no secret, and no models
    from sandbox.secret_values import NeededSecret, SecretValues

Ask = Callable[["NeededSecret", str], str]
"""Gets a value from a person, without echo. The text says what was wrong with the last answer."""

_NEVER_SECRET = frozenset(
    {"HOME", "LANG", "LOGNAME", "OLDPWD", "PATH", "PWD", "SHELL", "SHLVL", "TERM", "TMPDIR", "USER"}
)
"""Variables of every environment. A box that names one of them means another value."""
_MAX_BYTES = 1024 * 1024
_LINE = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)", re.DOTALL)


class SecretSource(Protocol):
    """Gives the values that a plan needs."""

    def at_hand(self, needed: "Sequence[NeededSecret]") -> "SecretValues":
        """Return the secrets' values that are known without asking anybody.

        Raises:
            UsageError: a value cannot stand where the box puts it, or the file cannot be read.
        """
        ...

    def all_of(self, needed: "Sequence[NeededSecret]") -> "SecretValues":
        """Return the values of all needed secrets; asks for missing ones.

        Raises:
            UsageError: there is nobody to ask; the error names the missing secrets and the ways.
        """
        ...

    def origins(self) -> str:
        """Name the source of each value; shows no values."""
        ...


class GivenSecrets:
    """The environment first, then the file, then the person at the terminal."""

    def __init__(
        self,
        environment: MutableMapping[str, str] | None = None,
        file: Path | None = None,
        ask: Ask | None = None,
    ) -> None:
        self._environment = environment if environment is not None else {}
        self._file = file
        self._ask = ask
        self._known: dict[str, str] = {}
        self._origins: dict[str, str] = {}
        self._lines: dict[str, str] | None = None

    def at_hand(self, needed: "Sequence[NeededSecret]") -> "SecretValues":
        """Return the known values; see `SecretSource`."""
        for one in self._lacking(needed):
            value, where = self._quietly(one.name)
            if not value:
                continue
            if (trouble := one.trouble_with(value)) is not None:
                raise UsageError(
                    f"the secret {one.name} does not fit {' and '.join(one.places)}: {trouble}",
                    details=f"its value comes from {where}",
                    hint="correct it there, and try again",
                )
            self._known[one.name], self._origins[one.name] = value, f"from {where}"
        return self._values()

    def all_of(self, needed: "Sequence[NeededSecret]") -> "SecretValues":
        """Return all values, asking for missing ones; see `SecretSource`."""
        self.at_hand(needed)
        missing = self._lacking(needed)
        if missing and self._ask is None:
            raise _nobody_to_ask(missing)
        for one in missing:
            trouble = ""
            while self._ask is not None:
                value = self._ask(one, trouble)
                trouble = one.trouble_with(value) or ""
                if not trouble:
                    self._known[one.name], self._origins[one.name] = value, "as it was typed"
                    break
        return self._values()

    def origins(self) -> str:
        """Name the sources; see `SecretSource`."""
        return ", ".join(f"{name} {where}" for name, where in sorted(self._origins.items()))

    def _lacking(self, needed: "Sequence[NeededSecret]") -> "list[NeededSecret]":
        return [one for one in needed if one.name not in self._known]

    def _values(self) -> "SecretValues":
        from sandbox.secret_values import SecretValues

        return SecretValues(self._known)

    def _quietly(self, name: str) -> tuple[str, str]:
        # Taken out of the environment: the programs that we start need not know it
        value = "" if name in _NEVER_SECRET else self._environment.pop(name, "")
        if value:
            return value, "the environment"
        if self._file is None:
            return "", ""
        if self._lines is None:
            self._lines = read_secrets(self._file)
        return self._lines.get(name, ""), str(self._file)


def read_secrets(path: Path) -> dict[str, str]:
    """Read the lines `NAME=value` of a file that only its owner can read.

    Everything after the first `=` is the value, unchanged. Empty lines, and lines that begin with
    `#`, are left out.

    Raises:
        UsageError: it cannot be read, others can read it too, or a line says something else.
    """
    try:
        with path.open("rb") as file:
            # Of the opened file, not of a file that may lie there a moment later
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise UsageError(
                    f"others than you may read or change {path}",
                    details=f"its mode is {mode:04o}, and it holds secrets",
                    hint=f"chmod 600 {shlex.quote(str(path))}",
                )
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"the file of secrets {path} cannot be read: {error.strerror}",
            hint="see who may read it: ls -l",
        ) from error
    if len(data) > _MAX_BYTES:
        raise UsageError(f"{path} is larger than 1 MB: it cannot be a file of secrets")
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8", hint="save it as UTF-8") from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parts = _LINE.fullmatch(line.removesuffix("\r"))
        if parts is None or parts[1] in found:
            what = "is no `NAME=value`" if parts is None else "has a name that is there already"
            raise UsageError(f"{path}:{number}: this line {what}", hint="correct that line")
        found[parts[1]] = parts[2]
    return found


def _nobody_to_ask(missing: "Sequence[NeededSecret]") -> UsageError:
    names = [one.name for one in missing]
    what = "a secret" if len(names) == 1 else f"{len(names)} secrets"
    return UsageError(
        f"the box needs {what}, and there is no terminal to ask for the value: {', '.join(names)}",
        details="\n".join(f"{one.name}: {', '.join(one.places)}" for one in missing),
        hint=f"set {'it' if len(names) == 1 else 'them'} in the environment, or write lines "
        f"`{names[0]}=value` into a file of mode 0600 and say --secrets FILE",
    )
