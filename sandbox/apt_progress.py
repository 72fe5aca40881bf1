"""How far apt has come inside a machine, read from outside while a step waits for apt.

An Ansible task prints nothing until it has ended, and for a new machine that takes minutes. So we
read dpkg's log, apt's history and the files in its cache. Nothing is written in the machine.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from sandbox.errors import SandboxError
from sandbox.paths import data_dir

_AT: Final = "at: "
_KNOWN: Final = "known: "
_NUMBERS: Final = re.compile(r"[0-9]+( [0-9]+)*")


@dataclass
class AptProgress:
    """Follows apt in one machine, during one run."""

    run: str
    ask: Callable[[str], str]
    """Runs a script as root in the machine and returns its output."""
    at: str = ""
    """The last answer, such as `setting up r-cran-xml2 (150 of 214 packages, 85 %)`."""
    _known: str = ""

    def moved(self) -> bool:
        """Ask the machine; return whether apt is at work and has moved on since the last time."""
        script = (data_dir("templates") / "apt-progress.sh").read_text(encoding="utf-8")
        said = ""
        with suppress(SandboxError):
            said = self.ask(f"set -- {self.run} '{self._known}'\n{script}")
        before, self.at = self.at, ""
        for line in said.splitlines():
            if line.startswith(_AT):
                self.at = line.removeprefix(_AT)
            # The answer goes into the next script
            elif _NUMBERS.fullmatch(known := line.removeprefix(_KNOWN)):
                self._known = known
        return self.at not in {"", before}
