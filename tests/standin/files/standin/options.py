"""Reads rserver.conf, rsession.conf and the command line, with the real server's messages."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from .keys import MULTI

_YES = ("1", "on", "yes", "true")
_NO = ("0", "off", "no", "false")


class OptionError(Exception):
    """A configuration that the server refuses."""


def below_root(path: str) -> Path:
    """Place a system path below the test's own root, when there is one."""
    root = os.environ.get("RSTUDIO_STANDIN_ROOT", "")
    return Path(root + path)


def config_dir() -> Path:
    """Find the folder of configuration files."""
    moved = os.environ.get("RSTUDIO_CONFIG_DIR")
    return Path(moved) if moved else below_root("/etc/rstudio")


@dataclass
class Options:
    """Values by key; a later source does not override an earlier one."""

    values: dict[str, list[str]] = field(default_factory=dict)

    def text(self, key: str, default: str = "") -> str:
        """Give the value of `key`."""
        return self.values[key][-1] if key in self.values else default

    def number(self, key: str, default: int) -> int:
        """Give the whole number of `key`; refuse anything else."""
        text = self.text(key, str(default))
        try:
            return int(text)
        except ValueError as error:
            raise OptionError(f"the argument ('{text}') for option '{key}' is invalid") from error

    def flag(self, key: str, default: bool) -> bool:
        """Give the yes or no of `key`; refuse anything else."""
        text = self.text(key, "1" if default else "0").lower()
        if text not in _YES + _NO:
            choices = "Valid choices are 'on|off', 'yes|no', '1|0' and 'true|false'"
            message = f"the argument ('{text}') for option '{key}' is invalid. {choices}"
            raise OptionError(message)
        return text in _YES


def read_lines(path: Path) -> list[tuple[str, str]]:
    """Read `key=value` lines; `#` begins a comment anywhere."""
    if not path.exists():
        return []
    found: list[tuple[str, str]] = []
    section = ""
    for raw in path.read_text(encoding="utf-8", errors="replace").splitlines():
        line = raw.split("#", 1)[0].strip()
        if not line:
            continue
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].strip() + "."
            continue
        if "=" not in line:
            message = f"the options configuration file contains an invalid line '{line}'"
            raise OptionError(message)
        key, _, value = line.partition("=")
        found.append((section + key.strip(), value.strip()))
    return found


def unknown_keys(path: Path, allowed: frozenset[str]) -> list[str]:
    """List the keys of a file that the server does not know."""
    return [key for key, _ in read_lines(path) if key not in allowed]


def parse(pairs: list[tuple[str, str]], allowed: frozenset[str]) -> dict[str, list[str]]:
    """Take keys and values; refuse an unknown or repeated key."""
    values: dict[str, list[str]] = {}
    for key, value in pairs:
        if key not in allowed:
            raise OptionError(f"unrecognised option '{key}'")
        if key in values and key not in MULTI:
            raise OptionError(f"option '{key}' cannot be specified more than once")
        values.setdefault(key, []).append(value)
    return values


def read_file(path: Path, allowed: frozenset[str]) -> dict[str, list[str]]:
    """Read a whole configuration file; the error names it as the real server does."""
    try:
        return parse(read_lines(path), allowed)
    except OptionError as error:
        raise OptionError(f"Error reading {path}: {error}") from error


def read_knobs() -> dict[str, str]:
    """Read what only tests set: /etc/rstudio-standin.conf."""
    return dict(read_lines(below_root("/etc/rstudio-standin.conf")))
