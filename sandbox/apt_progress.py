"""How far apt has come inside a machine, asked from outside while a step waits for it.

An Ansible task says nothing until it is over, and for a new machine that takes minutes. dpkg's own
log, apt's history and what lies in its cache tell the rest; nothing is written in the machine.
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
    """Asks one machine, of one run."""

    run: str
    ask: Callable[[str], str]
    """Runs a script as root in the machine and returns what it said."""
    at: str = ""
    """The last answer, such as `setting up r-cran-xml2 (150 of 214 packages, 85 %)`."""
    _known: str = ""

    def moved(self) -> bool:
        """Ask; whether apt is at work there, and somewhere else than when it was asked before."""
        script = (data_dir("templates") / "apt-progress.sh").read_text(encoding="utf-8")
        said = ""
        with suppress(SandboxError):
            said = self.ask(f"set -- {self.run} '{self._known}'\n{script}")
        before, self.at = self.at, ""
        for line in said.splitlines():
            if line.startswith(_AT):
                self.at = line.removeprefix(_AT)
            # It goes into the next script
            elif _NUMBERS.fullmatch(known := line.removeprefix(_KNOWN)):
                self._known = known
        return self.at not in {"", before}
