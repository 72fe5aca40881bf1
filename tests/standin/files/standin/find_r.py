"""Finds the one R that all sessions get, as the real server does at its start."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import is_at_least

_USUAL = ("/usr/local/bin/R", "/usr/bin/R")
_HOMES = (
    "/usr/lib/R", "/usr/lib64/R", "/usr/local/lib/R", "/usr/local/lib64/R",
    "/opt/local/lib/R", "/opt/local/lib64/R",
)  # fmt: skip
_FOLDERS = ("/opt/R", "/opt/local/R")
_MARK = "standin:\n"
_ASK = (
    'cat("standin:", R.home(), R.home("share"), R.home("include"), R.home("doc"),'
    ' paste(R.version$major, R.version$minor, sep="."), sep="\\n")'
)
# Graphics engine of R's minor versions, and the first RStudio that knows it
_ENGINES = ((17, (4, 6), "2025.09"), (16, (4, 3), "2023.03"), (15, (4, 2), "2022.02"))


class NoRError(Exception):
    """There is no R, or it does not run."""


@dataclass(frozen=True)
class FoundR:
    """What the server remembers of its R until it is restarted."""

    script: str
    home: str
    share: str
    include: str
    doc: str
    version: str

    def engine_problem(self) -> str:
        """Say why there is no Plots pane; empty when there is one."""
        minor = tuple(int(part) for part in self.version.split(".")[:2])
        for engine, first_r, first_rstudio in _ENGINES:
            if minor >= first_r:
                if is_at_least(first_rstudio):
                    return ""
                return (
                    f"R graphics engine version {engine} is not supported by this version of "
                    "RStudio. The Plots tab will be disabled until a newer version of RStudio "
                    "is installed."
                )
        return ""


def _candidate(which_r: str) -> str:
    if which_r:
        if not Path(which_r).exists():
            raise NoRError(f"R binary path {which_r} (specified by rsession-which-r) not found")
        return which_r
    if on_path := shutil.which("R"):
        return on_path
    homes = list(_HOMES)
    for folder in _FOLDERS:
        homes += sorted((str(path) for path in Path(folder).glob("*")), reverse=True)
    for path in [*_USUAL, *(f"{home}/bin/R" for home in homes)]:
        if os.access(path, os.X_OK):
            return path
    raise NoRError(
        "Unable to find an installation of R on the system (which R didn't return valid output); "
        "Unable to locate R binary by scanning standard locations"
    )


def find_r(which_r: str) -> FoundR:
    """Find R and run it once; raises NoRError."""
    script = _candidate(which_r)
    env = {key: value for key, value in os.environ.items() if key != "R_HOME"}
    try:
        done = subprocess.run(
            [script, "--vanilla", "-s", "-e", _ASK],
            env=env, capture_output=True, text=True, timeout=60, check=False,
            stdin=subprocess.DEVNULL, cwd="/",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoRError(f"Error running R ({script}): {error}") from error
    # Before it R may complain: of a package that is not configured yet, it has no Renviron
    lines = done.stdout.partition(_MARK)[2].split("\n")
    if done.returncode != 0 or len(lines) < 5:
        raise NoRError(f"Error running R ({script}): {done.stderr.strip()[-500:]}")
    return FoundR(script, *lines[:5])
