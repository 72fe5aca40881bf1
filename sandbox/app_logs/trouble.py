"""From what the machine says of its apps to what is wrong with one of them, and what mends it."""

from dataclasses import dataclass

from sandbox.app_logs.answer import AppLogs
from sandbox.app_logs.mending import Failure, mend
from sandbox.app_logs.r_errors import last_error
from sandbox.app_logs.r_words import RWords
from sandbox.placement import Placement
from sandbox.servers.shiny import SERVER


@dataclass(frozen=True)
class Trouble:
    """What is wrong, in the words of who said it."""

    message: str
    """In one line."""
    words: tuple[str, ...]
    """The evidence: R's own lines, clean and not many."""
    advice: str
    """What mends it; empty when that is not known."""
    known: bool = True
    """Whether somebody has said so; else it is only what was left over."""

    @property
    def told(self) -> str:
        """All of it but the advice, for a check's result."""
        return "\n".join(self.words or (self.message,))


def trouble_with_app(
    placement: Placement, name: str, logs: AppLogs, *, within_s: float
) -> Trouble | None:
    """What the app's last start says went wrong; None when it says nothing of that time."""
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


def trouble_with_port(placement: Placement, logs: AppLogs) -> Trouble | None:
    """Who else has Shiny Server's port; None when it is Shiny Server's own, or nobody's."""
    shiny = placement.plan.services.shiny_server
    others = sorted(set(logs.listeners) - SERVER.processes)
    if shiny is None or not others or SERVER.processes.intersection(logs.listeners):
        return None
    who = " and ".join(others)
    return Trouble(
        f"port {shiny.port} is not Shiny Server's: {who} listens on it",
        (f"Shiny Server cannot start as long as {who} has its port",),
        f"give one of them another port (services.shiny_server.port in the box); "
        f"sandbox exec {placement.name} -- sudo ss -ltnp sport = :{shiny.port} shows whose it is",
    )
