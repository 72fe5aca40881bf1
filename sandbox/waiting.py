"""Why a silent machine waits, in words; and an end to waiting in vain.

While a script or a playbook runs and prints nothing, we ask the machine: does somebody hold the
package manager's lock, can it look up names, does its mirror answer? After ten seconds the user is
told. If that lasts for three minutes, the waiting command is ended, with that reason as the error.
While apt gets on with its work, the user is told apt's progress instead.
"""

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sandbox.apt_progress import AptProgress
from sandbox.errors import ProvisionError, SandboxError
from sandbox.events import Event, Listener, Notice, StepOutput
from sandbox.paths import data_dir

RUN: Final = secrets.token_hex(6)
"""Marks all processes that we start in a machine, as `SANDBOX_RUN`, so the next run finds them."""

SAID_AFTER_S = 10.0
GIVEN_UP_AFTER_S = 180.0
_ASKED_AFTER_S = 5.0
_PROGRESS_AFTER_S = 1.5
_REST = 5
"""The pause before the next question, in times of how long an answer took."""
_ASK_S = 60.0
_POLL_S = 0.5

_URL_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")
# Only apt's fetching is ended: packages installed by then stay whole
_END = f"""
for file in $(grep -lzsx 'SANDBOX_RUN={RUN}' /proc/[0-9]*/environ); do
  pid=${{file#/proc/}} pid=${{pid%/environ}}
  case $(cat "/proc/$pid/comm" 2>/dev/null) in apt-get) kill "$pid" ;; esac
done
"""

ROOT_SHELL: Final = ("env", f"SANDBOX_RUN={RUN}", "sh", "-s")
"""The command, run as root, that reads a script from its input."""

Ask = Callable[[str], str]
"""Runs a script as root in the machine, returns its output; any SandboxError: no answer."""


@dataclass(frozen=True)
class _Reason:
    told: str
    hint: str


_REASONS: Final = {
    "lock": _Reason(
        "apt waits: another program holds the package manager's lock: {}",
        "wait until it has ended, or end it, then `sandbox up` again",
    ),
    "names": _Reason(
        "names cannot be resolved inside the machine: {}",
        "see its /etc/resolv.conf; `sandbox stop NAME`, `sandbox start NAME` write a new one; "
        "then `sandbox up` again",
    ),
    "mirror": _Reason(
        "the package mirror takes connections and does not answer: {}",
        "try again later; behind a proxy set `system.proxy` in the box, or another mirror with "
        "`system.mirror`",
    ),
}


@dataclass
class Watch:
    """Watches one step of one machine."""

    name: str
    listener: Listener
    ask: Ask
    given_up_after_s: float = field(default_factory=lambda: GIVEN_UP_AFTER_S)
    _telling: threading.Lock = field(default_factory=threading.Lock)
    _silent_since: float = field(default_factory=time.monotonic)
    _stuck_since: float | None = None
    _told: str = ""
    _given_up: ProvisionError | None = None
    _over: threading.Event = field(default_factory=threading.Event)

    def heard(self) -> None:
        """Note output: the step goes on."""
        self._silent_since = time.monotonic()

    def tell(self, event: Event) -> None:
        """Pass an event on: a listener gets one event at a time."""
        with self._telling:
            self.listener(event)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch while the block runs.

        Raises:
            ProvisionError: the block failed because we ended what it waited for.
        """
        self.heard()
        thread = threading.Thread(target=self._look, daemon=True)
        thread.start()
        try:
            yield
        except SandboxError as error:
            if self._given_up is not None:
                raise self._given_up from error
            raise
        finally:
            self._over.set()

    def _look(self) -> None:
        apt, next_at = AptProgress(RUN, self.ask), 0.0
        while not self._over.wait(_POLL_S):
            began = time.monotonic()
            if began - self._silent_since < _PROGRESS_AFTER_S:
                self._stuck_since = None
                continue
            if apt.moved() and not self._over.is_set():
                # Apt is at work, and reports its own progress
                self.heard()
                self.tell(StepOutput(self.name, apt.at))
            elif began - self._silent_since >= _ASKED_AFTER_S and began >= next_at:
                self._judge(self._answer())
                # An answer may take some seconds by itself
                next_at = began + _ASKED_AFTER_S
            # A machine with an emulated processor has too little time to answer
            self._over.wait(min(_ASKED_AFTER_S, _REST * (time.monotonic() - began)))

    def _answer(self) -> str:
        script = (data_dir("templates") / "waiting.sh").read_text(encoding="utf-8")
        with suppress(SandboxError):
            return self.ask(f"set -- {RUN}\n{script}").strip()
        return ""

    def _judge(self, answer: str) -> None:
        kind, _, what = answer.partition(": ")
        reason = _REASONS.get(kind)
        if reason is None or self._over.is_set():
            self._stuck_since = None
            return
        now = time.monotonic()
        self._stuck_since = self._stuck_since or now
        text = reason.told.format(_URL_LOGIN.sub("", what))
        while now - self._silent_since < SAID_AFTER_S:
            if self._over.wait(_POLL_S):
                return
            now = time.monotonic()
        if text != self._told:
            self._told = text
            self.tell(Notice(self.name, f"{text}; given up after {self.given_up_after_s:g} s"))
        if now - self._stuck_since >= self.given_up_after_s and self._given_up is None:
            self._given_up = ProvisionError(
                f"{text} (for {now - self._stuck_since:.0f} s)",
                hint=reason.hint.replace("NAME", self.name),
            )
            with suppress(SandboxError):
                self.ask(_END)


def asked_by(shell: Callable[..., object], folder: Path) -> Ask:
    """Make the function that asks, through a root shell of the machine (`provision.RootShell`)."""

    def ask(script: str) -> str:
        said: list[str] = []
        shell(script, timeout_s=_ASK_S, log=folder / "logs" / "waiting.log", on_line=said.append)
        return "\n".join(said)

    return ask
