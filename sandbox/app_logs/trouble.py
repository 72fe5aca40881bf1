"""Find out from the machine's answer what is wrong with an app, and what mends it."""

import re
from dataclasses import dataclass

from sandbox.app_logs.answer import AppLogs
from sandbox.app_logs.mending import Failure, mend
from sandbox.app_logs.r_errors import last_error
from sandbox.app_logs.r_words import RWords
from sandbox.placement import Placement
from sandbox.servers.shiny import SERVER
from sandbox.spec.plumber import unit_of

_SYSTEMD = re.compile(r"(plumber-|Start|Stopp|Failed to start)\S*.*(\.service|plumber API)")


@dataclass(frozen=True)
class Trouble:
    """An app's trouble, in R's or the machine's own words."""

    message: str
    """The trouble in one line."""
    words: tuple[str, ...]
    """The evidence: a few of R's own lines, cleaned."""
    advice: str
    """The advice; empty when none is known."""
    known: bool = True
    """Whether the log names the error; if not, these are only the last lines."""

    @property
    def told(self) -> str:
        """The evidence, or else the message, for a check's result: all but the advice."""
        return "\n".join(self.words or (self.message,))


def trouble_with_app(
    placement: Placement, name: str, logs: AppLogs, *, within_s: float
) -> Trouble | None:
    """Find the error of the app's last start; None when its log says nothing of that time."""
    app = next((one for one in placement.plan.apps if one.name == name), None)
    log = logs.newest(name, within_s=within_s)
    if app is None or log is None:
        return None
    words = RWords(logs.messages)
    error = last_error(log.text, words)
    if error is None:
        return None
    by_hand = logs.served.get(name, app.release) != app.release
    failure = Failure(placement, app, log.text, error, words, logs.out_of_memory, by_hand)
    what = "fails" if error.serves else "does not start"
    because = f": {error.title}" if error.title else ""
    return Trouble(f"the app {name} {what}{because}", error.lines, mend(failure), error.known)


def trouble_with_api(placement: Placement, name: str, logs: AppLogs) -> Trouble | None:
    """Find the error of an API's last start; None where it has none, and may still answer."""
    log = logs.units.get(unit_of(name))
    if log is None:
        return None
    # systemd's own lines, about the end of the process, are not R's
    text = "\n".join(line for line in log.text.splitlines() if not _SYSTEMD.match(line))
    error = last_error(text, RWords(logs.messages))
    if error is None or not (error.known or log.state.startswith("failed")):
        return None
    because = f": {error.title}" if error.title else ""
    return Trouble(
        f"the API {name} does not run{because}",
        error.lines,
        f"mend it, then sandbox up {placement.name}; sandbox logs {placement.name} {name} shows "
        "what it said",
        error.known,
    )


def trouble_with_port(placement: Placement, logs: AppLogs) -> Trouble | None:
    """Tell who else has Shiny Server's port; None when Shiny Server itself has it, or nobody."""
    shiny = placement.plan.services.shiny_server
    others = sorted(set(logs.listeners) - SERVER.processes)
    if shiny is None or not others or SERVER.processes.intersection(logs.listeners):
        return None
    who = " and ".join(others)
    return Trouble(
        f"port {shiny.port} is not Shiny Server's: {who} listens on it",
        (f"Shiny Server cannot start as long as {who} has its port",),
        f"give one of them another port (services.shiny_server.port in the box); "
        f"sandbox exec {placement.name} -- sudo ss -ltnp sport = :{shiny.port} shows which process",
    )
