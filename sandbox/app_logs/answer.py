"""The question to the machine about its apps, and the answer, which is checked here."""

import json
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from sandbox.app_logs.r_words import MESSAGES
from sandbox.clean import clean
from sandbox.plan import Plan
from sandbox.secret_values import secret_targets

LOG_BYTES = 16 * 1024
"""Bytes read from the end of a log: a traceback of R has two or three thousand."""
_PROGRAM = Path(__file__).with_name("on_machine")
_ANSWER_BYTES = 4 * 1024 * 1024
_TIMEOUT_S = 30.0

Said = Annotated[str, AfterValidator(clean)]
Word = Annotated[str, StringConstraints(max_length=400), AfterValidator(clean)]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AppLog(_Answer):
    """The log of one start of an app."""

    path: Word
    age_s: float = Field(ge=0)
    """Seconds since something was last written to the log."""
    end: int = Field(ge=0)
    """How many bytes of the log have been read or passed over."""
    text: Said
    """The end of the log."""
    earlier: bool
    """Whether the log ended before the app's present files were released."""


class UnitLog(_Answer):
    """What a unit of systemd said since its last start."""

    state: Word
    """As systemd has it: `active (running)`."""
    text: Said


class AppLogs(_Answer):
    """The machine's answer about its apps."""

    apps: dict[str, tuple[AppLog, ...]] = {}
    """The last starts of each app, newest first. A start that ended well has no log any more."""
    units: dict[str, UnitLog] = {}
    """The units that were asked for."""
    served: dict[str, Word] = {}
    """The served release of each app; empty when somebody changed it by hand on the machine."""
    listeners: tuple[Word, ...] = ()
    """Names of the processes that listen on Shiny Server's port."""
    out_of_memory: bool = False
    """Whether the kernel has just ended a process of Shiny Server."""
    messages: dict[str, tuple[Word, ...]] = {}
    """R's own messages: the English one to all its translations on the machine."""

    def newest(self, app: str, *, within_s: float | None = None) -> AppLog | None:
        """Return the log of the app's last start, if it was written to within `within_s`."""
        found = next(iter(self.apps.get(app, ())), None)
        if found is None or (within_s is not None and found.age_s > within_s):
            return None
        return found


def logs_script(
    plan: Plan,
    apps: Iterable[str],
    *,
    within_s: float = 60.0,
    explain: bool = True,
    most_bytes: int = LOG_BYTES,
    after: Mapping[str, int] | None = None,
    units: Iterable[str] = (),
) -> str:
    """Return the shell script that collects the answer; root runs it on the machine.

    Args:
        plan: the plan of the machine.
        apps: the names of the apps to read the logs of.
        within_s: how far back to look for processes that the kernel has ended.
        explain: also ask what explains an error: who listens, what was ended, R's languages.
        most_bytes: the most bytes to read of each log.
        after: bytes already read, by log: of these logs read only the whole lines after that.
        units: units of systemd to read the last start of.
    """
    shiny = plan.services.shiny_server
    asked = {
        "apps": list(apps),
        "units": list(units),
        "starts": 1,
        "bytes": most_bytes,
        "port": shiny.port if shiny is not None and explain else 0,
        "journal": explain,
        "within_s": within_s,
        "following": after is not None,
        "after": dict(after or {}),
        "messages": list(MESSAGES) if explain else [],
        "secrets": sorted(secret_targets(plan)),
    }
    program = _PROGRAM.read_text(encoding="utf-8")
    return shlex.join(["/usr/bin/python3", "-I", "-c", program, json.dumps(asked)])


def unit_script(plan: Plan, units: Iterable[str], *, most_bytes: int = LOG_BYTES) -> str:
    """Return the shell script that asks only for these units of systemd, and R's own messages."""
    return logs_script(plan, (), within_s=0, most_bytes=most_bytes, units=units)


def parse_logs(text: str) -> AppLogs:
    """Read the script's answer.

    Raises:
        ValueError: the answer has another form (pydantic's ValidationError is a ValueError).
    """
    if len(text) > _ANSWER_BYTES:
        raise ValueError("the machine said too much of its apps")
    return AppLogs.model_validate_json(text)
