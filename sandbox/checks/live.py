"""The two kinds of evidence: what was seen (facts and inspection), and the live machine itself."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from sandbox.checks.check import CannotLook, Look
from sandbox.checks.inspection import Inspection
from sandbox.checks.shiny_page import ShinyPage
from sandbox.checks.shiny_session import SessionOutcome, session_url, try_session
from sandbox.checks.web import NoAnswer, Refused, WebAnswer, ask_for_websocket, fetch
from sandbox.deadline import Deadline, wait_until
from sandbox.facts.facts import Facts
from sandbox.facts.hashes import Hashes
from sandbox.facts.r_view import RView
from sandbox.facts.subjects.os import Os
from sandbox.facts.subjects.r import r_view
from sandbox.providers.engine import patient

if TYPE_CHECKING:
    from sandbox.checks.rstudio_proof import RstudioProof


@dataclass(frozen=True)
class Seen:
    """What was read from the machine before the checks began."""

    facts: Facts
    inspection: Inspection
    own_key: str = ""
    """Fingerprint of the key by which `sandbox` itself logs in; empty when unknown."""
    production: Facts | None = None
    """What the machine is to be like; None when the box names none."""
    hashes: Hashes = field(default_factory=Hashes)
    """By what values are compared that the facts do not have."""

    def view(self, seen_by: str) -> RView:
        """Return the view of R that a login or an app has.

        Raises:
            CannotLook: the probe did not get that far.
        """
        found = r_view(self.facts, "shiny" if seen_by == "shiny" else "login")
        if found is None:
            reasons = "; ".join(f"{item.what}: {item.why}" for item in self.facts.not_seen)
            raise CannotLook(f"the probe did not see R in a {seen_by} ({reasons or 'no R found'})")
        return found


@dataclass
class RstudioRun:
    """What one session of RStudio Server has shown in this run; others ask for it again."""

    proof: "RstudioProof | None" = None
    begun: "Future[RstudioProof] | None" = None
    """The session that was begun beside other work; its outcome is waited for, and is no other."""
    asks_login: bool = True
    """Whether R in a login is asked too, for the check that compares the two."""
    accounts: list[str] = field(default_factory=list)
    """The names of all accounts that were made for it in this run."""


class CheckedMachine(Protocol):
    """What live checks may do: talk to the machine's web server, and run commands as root."""

    @property
    def emulated(self) -> bool:
        """Whether its processor is QEMU's: right in all it does, and many times slower."""
        ...

    @property
    def first_pages(self) -> dict[str, float]:
        """Seconds that a path took as the first page after Shiny Server started in this run."""
        ...

    @property
    def rstudio(self) -> RstudioRun:
        """What a session of RStudio Server has shown in this run."""
        ...

    def early_restart(self) -> Look | None:
        """What came of Shiny Server that was killed before these checks; None when it was not.

        Raises:
            CannotLook: it was, and nobody could look.
        """
        ...

    def address_of(self, server: str) -> str:
        """`http://HOST:PORT` of one of its servers as seen from here; empty without a way to it."""
        ...

    def get(self, path: str, *, timeout_s: float = 30.0) -> WebAnswer:
        """GET a path of the machine's Shiny Server.

        Raises:
            NoAnswer: refused, cut off, or not in time.
        """
        ...

    def session(self, path: str, page: ShinyPage, *, timeout_s: float = 30.0) -> SessionOutcome:
        """Try a Shiny session of the app at `path`."""
        ...

    def websocket(self, path: str, *, timeout_s: float = 30.0) -> int:
        """The status that comes when the app at `path` is asked for a session's websocket.

        Raises:
            NoAnswer: refused, cut off, or not in time.
        """
        ...

    def through(self, server: str) -> "CheckedMachine":
        """The same machine, its pages asked for at another of its servers."""
        ...

    def sudo(self, script: str) -> str:
        """Run a shell script as root, and return its output.

        Raises:
            CannotLook: it failed; with its own words.
        """
        ...


class CommandResult(Protocol):
    """The parts of testinfra's command result that are used here."""

    rc: int
    stdout: str
    stderr: str


END_R = """\
below() {
  for file in $(grep -ls "^PPid:[[:space:]]*$1\\$" /proc/[0-9]*/status || true); do
    file=${file%/status}
    echo "${file#/proc/}"
    below "${file#/proc/}"
  done
}
logs_of() {
  for file in "/proc/$1"/fd/*; do
    case $(readlink "$file" 2>/dev/null || true) in
    /var/log/shiny-server/*.log) readlink "$file" ;;
    esac
  done
}
alive() {
  for pid in "$@"; do if [ -e "/proc/$pid" ]; then printf '%s ' "$pid"; fi; done
}
end_r() {
  for signal in INT KILL; do
    tries=30
    left=$(alive "$@")
    for pid in $left; do kill -s $signal "$pid" 2>/dev/null || true; done
    while left=$(alive "$@") && [ -n "$left" ] && [ $tries -gt 0 ]; do
      tries=$((tries - 1)); sleep 0.1
    done
  done
}
"""
"""Shell functions by which checks end what is Shiny Server's, and leave nothing of it.

`below PID`: all processes under that one, such as `su` and R under the server. `logs_of PID`: the
app logs that it has open, which it removes when their R ends well. `end_r PID…`: as the server
itself ends R: SIGINT, at which R removes its temporary folder, and more when that does not help.
"""

_AS_ROOT = 'if [ "$(id -u)" = 0 ]; then sh -c %s; else sudo -n sh -c %s; fi'


class LiveMachine:
    """The real one, through testinfra's `host` and HTTP."""

    def __init__(
        self,
        base_url: str,
        run: Callable[..., CommandResult],
        *,
        emulated: bool = False,
        first_pages: dict[str, float] | None = None,
        urls: Mapping[str, str] | None = None,
        rstudio: RstudioRun | None = None,
        early: Callable[["LiveMachine"], Look] | None = None,
    ) -> None:
        self._early = early
        self.rstudio = rstudio if rstudio is not None else RstudioRun()
        self._base_url = base_url.rstrip("/")
        self._urls = urls or {}
        self._run = run
        self.emulated = emulated
        self.first_pages = first_pages if first_pages is not None else {}

    def early_restart(self) -> Look | None:
        """What came of Shiny Server that was killed before these checks; None when it was not."""
        return self._early(self) if self._early is not None else None

    def address_of(self, server: str) -> str:
        """`http://HOST:PORT` of one of its servers as seen from here."""
        return self._urls.get(server, "")

    def get(self, path: str, *, timeout_s: float = 30.0) -> WebAnswer:
        """GET a path of the machine's Shiny Server."""
        return fetch(self._base_url + path, timeout_s=patient(timeout_s, emulated=self.emulated))

    def session(self, path: str, page: ShinyPage, *, timeout_s: float = 30.0) -> SessionOutcome:
        """Try a Shiny session of the app at `path`."""
        timeout_s = patient(timeout_s, emulated=self.emulated)
        return try_session(self._base_url + path, page, timeout_s=timeout_s)

    def websocket(self, path: str, *, timeout_s: float = 30.0) -> int:
        """The status that comes when the app at `path` is asked for a session's websocket."""
        timeout_s = patient(timeout_s, emulated=self.emulated)
        url = f"{session_url(self._base_url + path)}/websocket"
        return ask_for_websocket(url, timeout_s=timeout_s)

    def through(self, server: str) -> "LiveMachine":
        """The same machine, its pages asked for at another of its servers."""
        return LiveMachine(self._urls.get(server, ""), self._run, emulated=self.emulated)

    def sudo(self, script: str) -> str:
        """Run a shell script as root, and return its output."""
        # testinfra quotes what stands for %s
        try:
            done = self._run(_AS_ROOT, script, script)
        except RuntimeError as error:
            # How testinfra reports ssh's own failures
            words = getattr(error.args[0] if error.args else None, "stderr", "").strip()
            raise CannotLook(f"ssh to the machine failed: {words or 'it said nothing'}") from error
        if done.rc != 0:
            words = (done.stderr or done.stdout).strip()
            raise CannotLook(f"a command on the machine failed ({done.rc}): {words[-300:]}")
        return done.stdout


def is_emulated(facts: Facts) -> bool:
    """Tell whether the processor is QEMU's own emulation (systemd-detect-virt calls it so)."""
    return facts[Os].virtualization == "qemu"


@dataclass(frozen=True)
class Waited:
    """What came of waiting for a page."""

    page: WebAnswer | None
    """The answer that was accepted; None at the deadline."""
    last: str
    """What came before it, in a few words."""
    is_first: bool
    """No request before it reached a server, which could have started the app's R."""


def wait_for_page(
    machine: CheckedMachine, path: str, accept: Callable[[WebAnswer], bool], *, timeout_s: float
) -> Waited:
    """Ask for `path` until an answer is accepted, or the time is over."""
    deadline = Deadline(patient(timeout_s, emulated=machine.emulated))
    last, is_first = "no answer", True

    def ask() -> WebAnswer | None:
        nonlocal last, is_first
        try:
            page = machine.get(path, timeout_s=min(timeout_s, max(0.5, deadline.left_s)))
        except NoAnswer as error:
            last, is_first = str(error), is_first and isinstance(error, Refused)
            return None
        if accept(page):
            return page
        last, is_first = f"HTTP {page.status}", False
        return None

    page = wait_until(ask, deadline, every_s=0.1)
    return Waited(page, last, is_first=page is not None and is_first)
